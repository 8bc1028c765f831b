// Package cmd is evrun's command line: one file a command, and their tree in this one. What commands share is package cmd/cli; no command uses another
// one's file, or this one. The daemon itself is package cmd/daemon.
package cmd

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/help"
	"evrun/cmd/output"
	"evrun/cmd/stopping"
	"evrun/tasks/process"
)

// Main runs evrun with these arguments and returns its exit code. demo is the example of init that lies beside main. The first interrupt ends
// the command's context; another one, a second or more later, ends the process at once, with 130.
func Main(demo []byte, args []string, in io.Reader, out, errOut io.Writer) int {
	// A reader that goes away (evrun tail | head) is an error of Write, and does not kill. The signal is caught and not ignored,
	// since the commands that the daemon starts would inherit an ignored one.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, release := stopping.Context(exitAtOnce)
	defer release()
	e := &cli.Env{In: in, Out: out, Err: errOut}
	root := newRootCmd(e, demo)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	c, err := root.ExecuteContextC(ctx)
	return e.Exit(ctx, c, err)
}

// exitAtOnce ends the process, and the commands that run.
func exitAtOnce() {
	process.KillAll()
	os.Exit(cli.ExitInterrupted)
}

// newRootCmd makes the tree of commands. init writes demo as one of its examples.
func newRootCmd(e *cli.Env, demo []byte) *cobra.Command {
	root := &cobra.Command{
		Use:   "evrun",
		Short: "Turns events into work: schedules, people and programs publish them, handlers run on them",
		Long: `evrun turns events into work. A YAML file wires event types to handlers; schedules, people and programs publish events;
every accepted event is on disk before it is acknowledged, and each handler that matches runs it, and retries it.

Write a wiring file with "evrun init", start the daemon with "evrun serve", publish with "evrun emit", watch with "evrun tail".`,
		Example: `  evrun init && evrun serve
  evrun emit user.registered -f name=Ada -f email=ada@example.com --wait
  evrun runs list --state dead`,
		Annotations:       map[string]string{help.After: "Exit codes: " + exitCodes() + "."},
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return e.Begin(c) },
	}
	e.AddFlags(root)
	root.CompletionOptions.DisableDefaultCmd = true
	help.Install(root, func(w io.Writer) int {
		cells, _ := cli.Width(w)
		return cells
	}, func(heading string) string {
		p := output.Printer{Color: e.Colored(e.Out)}
		return p.Paint(output.Bold, heading)
	})
	section := func(title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
		for _, c := range commands {
			c.GroupID = title
		}
		cli.Group(root, commands...)
	}
	section("Every day", newServeCmd(e), newOpenCmd(e), newEmitCmd(e), newTailCmd(e), newStatusCmd(e), newMetricsCmd(e))
	section("What happened, and why", newEventsCmd(e), newRunsCmd(e), newExplainCmd(e), newUsersCmd(e))
	section("Stepping in", newReplayCmd(e), newHandlersCmd(e), newSchedulesCmd(e), newHooksCmd(e), newReloadCmd(e), newPruneCmd(e), newEraseCmd(e), newTokenCmd(e))
	section("The wiring file", newInitCmd(e, demo), newDemoCmd(e), newImportCmd(e), newValidateCmd(e), newTestCmd(e), newSimulateCmd(e), newFmtCmd(e), newSchemaCmd(e))
	section("The store", newBackupCmd(e), newRestoreCmd(e), newMigrateCmd(e), newDoctorCmd(e))
	root.SetHelpCommand(newHelpCmd())
	cli.Group(root, newServiceCmd(e), newVersionCmd(e), newCompletionCmd(e))
	version := root.Flags().Bool("version", false, "print the version")
	alone := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error {
		if *version {
			return e.PrintVersion()
		}
		return alone(c, args)
	}
	return root
}

// exitCodes lists the exit codes in a sentence.
func exitCodes() string {
	texts := make([]string, len(cli.ExitCodes))
	for i, c := range cli.ExitCodes {
		texts[i] = fmt.Sprintf("%d %s", c.Code, c.Doc)
	}
	return strings.Join(texts, ", ")
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
				return cli.UnknownCommand(of, rest)
			}
			return of.Help()
		},
	}
}
