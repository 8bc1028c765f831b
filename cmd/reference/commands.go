package reference

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// commands is the page of all commands: a list by their groups, then the help of each.
func commands(s Sources) (string, error) {
	var p page
	p.heading(1, "Commands")
	p.line("Everything that evrun can do on the command line: what each command is for, its flags, and an example. Each command prints its own with `--help`.")
	p.line("")
	p.line("Every command reads `evrun.yaml` in the current directory, unless `-c FILE` or `EVRUN_CONFIG` names another wiring file. Results go to stdout, notes and progress")
	p.line("to stderr; `-o json` prints [JSON](json.md), one object a line. [Exit codes](exit-codes.md) say how it ended.")
	for _, group := range s.Root.Groups() {
		p.heading(2, group.Title)
		p.list(s.Root, group.ID)
	}
	p.heading(2, "Others")
	p.list(s.Root, "")
	p.heading(2, "Help")
	first := true
	each(s.Root, func(c *cobra.Command) {
		if !first {
			p.line("")
		}
		first = false
		p.line("### %s\n", c.CommandPath())
		p.code("text", s.Help(strings.TrimPrefix(c.CommandPath(), "evrun ")))
	})
	return p.String(), nil
}

// list writes the commands of a group, each with what it does.
func (p *page) list(root *cobra.Command, group string) {
	var rows [][]string
	for _, c := range root.Commands() {
		if c.GroupID != group || c.Hidden {
			continue
		}
		each(c, func(c *cobra.Command) {
			rows = append(rows, []string{fmt.Sprintf("[`%s`](%s)", c.CommandPath(), Anchor(c.CommandPath())), c.Short})
		})
	}
	p.table([]string{"command", "what it does"}, rows)
}

// each calls do for every command that does something, in the order of the help.
func each(c *cobra.Command, do func(*cobra.Command)) {
	if (!c.HasSubCommands() || c.HasLocalFlags()) && c.HasParent() && !c.Hidden {
		do(c)
	}
	for _, sub := range c.Commands() {
		each(sub, do)
	}
}
