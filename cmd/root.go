// Package cmd is evrun's command line: one file a command, and their tree in this one. What several commands need is in exit.go (errors
// become messages and exit codes), open.go (the daemon's client, or the store where no daemon runs), flags.go and flags_event.go (flags and
// arguments that several have), output.go (tables, JSON, colours) and complete.go (the shell's completion). No command uses another one's file. The daemon
// itself is package cmd/daemon.
package cmd

import (
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"evrun/cmd/help"
	"evrun/cmd/output"
	"evrun/cmd/stopping"
	"evrun/tasks/fault"
	"evrun/tasks/process"
)

// env is what every command shares: its streams and the global flags.
type env struct {
	example  []byte // config.example.yaml
	in       io.Reader
	out, err io.Writer

	config  string
	output  string
	color   string
	quiet   bool
	verbose bool
	flags   *cobra.Command // the command that runs, for the settings' layering

	called  string // the path of the command that was called: "evrun runs list"
	started bool   // the command line was parsed: later errors are not usage errors
	visible bool   // serve does not hide its memory from other processes of its user: for tests that trace it
}

// Main runs evrun with these arguments and returns its exit code. example is the wiring file that init writes. The first interrupt ends
// the command's context; another one, a second or more later, ends the process at once, with 130.
func Main(example []byte, args []string, in io.Reader, out, errOut io.Writer) int {
	// A reader that goes away (evrun tail | head) is an error of Write, and does not kill. The signal is caught and not ignored,
	// since the commands that the daemon starts would inherit an ignored one.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, release := stopping.Context(exitAtOnce)
	defer release()
	e := &env{in: in, out: out, err: errOut, example: example}
	root := newRootCmd(e)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	c, err := root.ExecuteContextC(ctx)
	e.called = c.CommandPath()
	return e.exit(ctx, err)
}

// exitAtOnce ends the process, and the commands that run.
func exitAtOnce() {
	process.KillAll()
	os.Exit(exitInterrupted)
}

func newRootCmd(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "evrun",
		Short: "Turns events into work: schedules, people and programs publish them, handlers run on them",
		Long: `evrun turns events into work. A YAML file wires event types to handlers; schedules, people and programs publish events;
every accepted event is on disk before it is acknowledged, and each handler that matches runs it, and retries it.

Write a wiring file with "evrun init", start the daemon with "evrun serve", publish with "evrun emit", watch with "evrun tail".`,
		Example: `  evrun init && evrun serve
  evrun emit user.registered -f name=Ada -f email=ada@example.com --wait
  evrun runs list --state dead`,
		Annotations: map[string]string{help.After: `Exit codes: 0 done, 1 it failed (with --wait: a run is dead or cancelled), 2 usage, 3 some lines were refused, 4 no handler matched (with
--wait, --dry-run, and explain), 69 no daemon reachable, 75 the daemon can't take it now (try again), 78 the wiring file is wrong,
124 --wait ran out of time, 130 interrupted.`},
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			e.flags = c
			if err := e.checkGlobal(); err != nil {
				return err
			}
			e.started = true
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&e.config, "config", "c", "", "the wiring `FILE` (default: $EVRUN_CONFIG, else evrun.yaml)")
	flags.StringVarP(&e.output, "output", "o", "text", "how to print: text, or json (one object a line)")
	flags.StringVar(&e.color, "color", "auto", "auto, always or never")
	flags.BoolVarP(&e.quiet, "quiet", "q", false, "no notes on stderr, only errors")
	flags.BoolVarP(&e.verbose, "verbose", "v", false, "more on stderr")
	flags.BoolP("help", "h", false, "print the help of the command")
	complete(root, "color", "auto", "always", "never")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml") // an error means that the flag does not exist
	_ = root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return outputs(c), cobra.ShellCompDirectiveNoFileComp
	})
	root.CompletionOptions.DisableDefaultCmd = true
	help.Install(root, func(w io.Writer) int {
		cells, _ := width(w)
		return cells
	}, func(heading string) string {
		p := output.Printer{Color: e.colored(e.out)}
		return p.Paint(output.Bold, heading)
	})
	section := func(title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
		for _, c := range commands {
			c.GroupID = title
		}
		group(root, commands...)
	}
	section("Every day", newServeCmd(e), newEmitCmd(e), newTailCmd(e), newStatusCmd(e))
	section("What happened, and why", newEventsCmd(e), newRunsCmd(e), newExplainCmd(e), newUsersCmd(e))
	section("Stepping in", newReplayCmd(e), newHandlersCmd(e), newSchedulesCmd(e), newReloadCmd(e))
	section("The wiring file", newInitCmd(e), newValidateCmd(e), newTestCmd(e), newSimulateCmd(e), newSchemaCmd(e))
	root.SetHelpCommand(newHelpCmd())
	return group(root, newVersionCmd(e), newCompletionCmd(e))
}

// aliases are names that people try. They are not in the help.
var aliases = map[string][]string{
	"list": {"ls"}, "runs": {"run"}, "events": {"event"}, "handlers": {"handler"}, "schedules": {"schedule"}, "users": {"user"},
}

// tried are names that other programs have for a command: it is suggested.
var tried = map[string][]string{
	"serve": {"start", "up", "daemon", "server", "run-server"}, "emit": {"publish", "send", "trigger", "push"}, "tail": {"watch", "follow", "log", "logs", "monitor"},
	"validate": {"check", "lint", "verify"}, "show": {"get", "describe", "inspect", "view"}, "drop": {"rm", "remove", "delete", "del"}, "forget": {"rm", "remove", "delete"},
	"reload": {"restart", "refresh"}, "init": {"new", "create"}, "fire": {"trigger", "run"}, "status": {"ps", "top", "health"}, "list": {"all"},
}

// group makes c a command that consists of others: alone it prints its help.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args, c.RunE = unknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2 // edits; 0 would find beginnings of names only
	for _, sub := range commands {
		sub.Aliases, sub.SuggestFor = aliases[sub.Name()], tried[sub.Name()]
	}
	c.AddCommand(commands...)
	return c
}

func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Print the help of a command",
		Example: "  evrun help runs list",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if of, _, err := c.Root().Find(args); err == nil {
				for _, sub := range of.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 && of.HasSubCommands() {
				return unknownCommand(of, rest)
			}
			return of.Help()
		},
	}
}

// unknownCommand refuses an unknown command, and suggests the closest one, or the one that has this name elsewhere in the tree.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	path := strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), "evrun") + " ")
	for _, sub := range c.Root().Commands() {
		for _, deep := range sub.Commands() {
			if deep.Name() == args[0] {
				return usage("unknown command %q; did you mean %q?", args[0], sub.Name()+" "+deep.Name())
			}
		}
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("unknown command %q; did you mean %q?", args[0], strings.TrimSpace(path+" "+near[0]))
	}
	return usage("unknown command %q", args[0])
}

// printsCSV marks commands that have -o csv.
const printsCSV = "csv"

// outputs are the values of --output that a command has.
func outputs(c *cobra.Command) []string {
	if _, csv := c.Annotations[printsCSV]; csv {
		return []string{"text", "json", "csv"}
	}
	return []string{"text", "json"}
}

func (e *env) checkGlobal() error {
	if known := outputs(e.flags); !slices.Contains(known, e.output) {
		return usage("--output %q: write %s", e.output, fault.Or(known))
	}
	if e.color != "auto" && e.color != "always" && e.color != "never" {
		return usage("--color %q: write auto, always or never", e.color)
	}
	if e.config == "" {
		if e.config = os.Getenv("EVRUN_CONFIG"); e.config == "" {
			e.config = "evrun.yaml"
		}
	}
	return nil
}

func (e *env) json() bool { return e.output == "json" }
