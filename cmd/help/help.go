// Package help prints the help of commands, in place of Cobra's templates: wrapped to the terminal, subcommands in groups, aliases left out. It also
// has the words for wrong flags.
package help

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"evrun/cmd/output"
)

// After is the annotation with a text that comes last.
const After = "after"

// widest is how long lines of text get on a wide terminal.
const widest = 100

// Install gives a command and those below it their help. width says how many cells a line of the output may have (0: lines stay as they are
// written), and how a heading is painted.
func Install(root *cobra.Command, width func(io.Writer) int, paint func(heading string) string) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		p := page{width: min(width(c.OutOrStdout()), widest), paint: paint}
		p.command(c)
		_, _ = io.WriteString(c.OutOrStdout(), p.String()) // a reader that has enough may close its end
	})
	root.SetFlagErrorFunc(flagError)
}

// page is the help of a command.
type page struct {
	strings.Builder
	width int
	paint func(string) string
}

func (p *page) command(c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	p.text(text)
	p.heading("Usage")
	if c.Runnable() && !c.HasAvailableSubCommands() {
		p.line("  " + c.UseLine())
	} else {
		p.line("  " + c.CommandPath() + " COMMAND")
	}
	if c.Example != "" {
		p.heading("Examples")
		p.line(strings.TrimRight(c.Example, "\n"))
	}
	p.commands(c)
	p.flags("Flags", c.LocalNonPersistentFlags())
	own := c.PersistentFlags()
	if c.HasParent() {
		own = c.InheritedFlags()
	}
	p.flags("Flags of every command", own)
	if after := c.Annotations[After]; after != "" {
		p.line("")
		p.text(after)
	}
	if c.HasAvailableSubCommands() {
		p.line("")
		p.text(`"` + c.CommandPath() + ` COMMAND --help" says more about a command.`)
	}
}

func (p *page) line(text string) { p.WriteString(text + "\n") }

func (p *page) heading(name string) { p.line("\n" + p.paint(name+":")) }

// text writes paragraphs. Lines that are indented stay as they are.
func (p *page) text(text string) {
	if p.width == 0 {
		p.line(strings.TrimRight(text, "\n"))
		return
	}
	paragraph := ""
	flush := func() {
		if paragraph != "" {
			p.line(strings.Join(output.Wrap(paragraph, p.width), "\n"))
		}
		paragraph = ""
	}
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == ' ' {
			flush()
			p.line(line)
			continue
		}
		paragraph = strings.TrimLeft(paragraph+" "+line, " ")
	}
	flush()
}

// commands lists the commands below c, by their groups.
func (p *page) commands(c *cobra.Command) {
	longest := 0
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			longest = max(longest, len(sub.Name()))
		}
	}
	list := func(group, title string) {
		for _, sub := range c.Commands() {
			if !sub.IsAvailableCommand() || sub.GroupID != group {
				continue
			}
			if title != "" {
				p.heading(title)
				title = ""
			}
			p.entry(sub.Name(), longest, sub.Short)
		}
	}
	for _, g := range c.Groups() {
		list(g.ID, g.Title)
	}
	if title := "Commands"; len(c.Groups()) == 0 {
		list("", title)
	} else {
		list("", "More")
	}
}

// entry writes a name and what it is.
func (p *page) entry(name string, longest int, about string) {
	lines, indent := []string{about}, 2+longest+2
	if p.width > 0 {
		lines = output.Wrap(about, max(p.width-indent, 16))
	}
	p.WriteString("  " + name + strings.Repeat(" ", longest-len(name)+2))
	p.line(strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
}

// flags lists flags. A default is said unless the flag is off, empty or 0 by default.
func (p *page) flags(title string, flags *pflag.FlagSet) {
	names, abouts, longest := []string(nil), []string(nil), 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		name, about := flagName(f)
		names, abouts, longest = append(names, name), append(abouts, about), max(longest, len(name))
	})
	if len(names) == 0 {
		return
	}
	p.heading(title)
	if p.width > 0 && p.width < 60 {
		longest = 2
	}
	for i, name := range names {
		if len(name) > longest { // the text begins below
			p.line("  " + name)
			name = ""
		}
		p.entry(name, longest, abouts[i])
	}
}

// placeholders are the names of values by their types; a flag gives another one in back quotes.
var placeholders = map[string]string{
	"string": "TEXT", "strings": "LIST", "stringSlice": "LIST", "stringArray": "TEXT", "int": "N", "int64": "N", "duration": "DURATION", "bool": "",
}

func flagName(f *pflag.Flag) (name, about string) {
	kind, about := pflag.UnquoteUsage(f)
	if placeholder, ok := placeholders[kind]; ok {
		kind = placeholder
	}
	name = "    --" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", --" + f.Name
	}
	switch {
	case f.NoOptDefVal != "" && f.Value.Type() != "bool" && strings.TrimSpace(f.NoOptDefVal) != "":
		name += "[=" + f.NoOptDefVal + "]"
	case f.NoOptDefVal != "" && f.Value.Type() != "bool":
		name += " [" + kind + "]"
	case kind != "":
		name += " " + kind
	}
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
	default:
		if !strings.Contains(about, "default") {
			about += " (default " + f.DefValue + ")"
		}
	}
	return name, about
}
