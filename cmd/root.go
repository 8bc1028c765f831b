// Package cmd is evrun's command line: one file a command, and their tree in this one. What several commands need is in exit.go (errors
// become messages and exit codes), open.go (the daemon's client, or the store where no daemon runs), flags.go and flags_event.go (flags and
// arguments that several have), output.go (tables, JSON, colours) and complete.go (the shell's completion). No command uses another one's file. The daemon
// itself is package cmd/daemon.
package cmd

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"evrun/cmd/stopping"
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

	started bool // the command line was parsed: later errors are not usage errors
	visible bool // serve does not hide its memory from other processes of its user: for tests that trace it
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
	return e.exit(ctx, root.ExecuteContext(ctx))
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

Write a wiring file with "evrun init", start the daemon with "evrun serve", publish with "evrun emit", watch with "evrun tail".

Exit codes: 0 done, 1 it failed (with --wait: a run is dead), 2 usage, 3 some lines were refused, 4 no handler matched (with
--wait, --dry-run, and explain), 69 no daemon reachable, 75 the daemon can't take it now (try again), 78 the wiring file is wrong,
124 --wait ran out of time, 130 interrupted.`,
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
	flags.StringVarP(&e.config, "config", "c", "", "the wiring file (default: $EVRUN_CONFIG, else evrun.yaml)")
	flags.StringVarP(&e.output, "output", "o", "text", "how to print: text, or json (one object a line)")
	flags.StringVar(&e.color, "color", "auto", "auto, always or never")
	flags.BoolVarP(&e.quiet, "quiet", "q", false, "no notes on stderr, only errors")
	flags.BoolVarP(&e.verbose, "verbose", "v", false, "more on stderr")
	return group(root,
		newInitCmd(e),
		newServeCmd(e),
		newEmitCmd(e),
		newTailCmd(e),
		newEventsCmd(e),
		newRunsCmd(e),
		newSchedulesCmd(e),
		newHandlersCmd(e),
		newUsersCmd(e),
		newStatusCmd(e),
		newReloadCmd(e),
		newValidateCmd(e),
		newSchemaCmd(e),
		newExplainCmd(e),
		newTestCmd(e),
		newSimulateCmd(e),
		newVersionCmd(e),
	)
}

// group makes c a command that consists of others: alone it prints its help.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args, c.RunE = unknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	c.AddCommand(commands...)
	return c
}

// unknownCommand refuses an unknown command, and suggests the closest one.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // edits; 0 would find beginnings of names only
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("unknown command %q; did you mean %q?", args[0], near[0])
	}
	return usage("unknown command %q", args[0])
}

// printsCSV marks commands that have -o csv.
const printsCSV = "csv"

func (e *env) checkGlobal() error {
	_, csv := e.flags.Annotations[printsCSV]
	switch {
	case e.output == "text", e.output == "json", e.output == "csv" && csv:
	case csv:
		return usage("--output %q: text, json or csv", e.output)
	default:
		return usage("--output %q: text or json", e.output)
	}
	if e.color != "auto" && e.color != "always" && e.color != "never" {
		return usage("--color %q: auto, always or never", e.color)
	}
	if e.config == "" {
		if e.config = os.Getenv("EVRUN_CONFIG"); e.config == "" {
			e.config = "evrun.yaml"
		}
	}
	return nil
}

func (e *env) json() bool { return e.output == "json" }
