// Package cli is what the commands of evrun stand on: the streams and the global flags of the process (env.go), the daemon or, where none runs, the
// store in this process (ask.go, open.go), errors with their exit codes (exit.go), notes and printing (output.go, progress.go, confirm.go), the flags
// that several commands have (flags.go, flags_event.go, flags_edit.go, select.go), actions on a selection (batch.go), the shell's completion
// (complete.go), and commands of commands (group.go). Its callers are package cmd, which has the commands, and packages with the work of one
// command, such as cmd/bulk. How evrun prints things is package cmd/output. A command that asks for one thing is:
//
//	func runUsersShow(ctx context.Context, e *cli.Env, key string) error {
//		u, err := cli.Asked(ctx, e, cli.ReadsStore, func(c *client.Client) (api.User, error) { return c.User(ctx, key) })
//		if err != nil {
//			return err // Env.Exit prints it, and finds its exit code
//		}
//		return e.Printer().User(u)
//	}
package cli

import (
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"evrun/tasks/fault"
)

// Env is what every command shares: its streams and the global flags.
type Env struct {
	In       io.Reader
	Out, Err io.Writer

	Command *cobra.Command // the one that runs; its flags are a layer of the settings
	Config  string         // the path of the wiring file
	Output  string         // text, json, or csv where a command has it
	Quiet   bool
	Verbose bool
	color   string // auto, always or never
	started bool   // the command line was parsed: later errors are not usage errors
}

// AddFlags adds the global flags to the root command.
func (e *Env) AddFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVarP(&e.Config, "config", "c", "", "the wiring `FILE` (default: $EVRUN_CONFIG, else evrun.yaml)")
	flags.StringVarP(&e.Output, "output", "o", "text", "how to print: text, or json (one object a line)")
	flags.StringVar(&e.color, "color", "auto", "auto, always or never")
	flags.BoolVarP(&e.Quiet, "quiet", "q", false, "no notes on stderr, only errors")
	flags.BoolVarP(&e.Verbose, "verbose", "v", false, "more on stderr")
	flags.BoolP("help", "h", false, "print the help of the command")
	CompleteFlag(root, "color", "auto", "always", "never")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml") // an error means that the flag does not exist
	_ = root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return outputs(c), cobra.ShellCompDirectiveNoFileComp
	})
}

// Begin checks the global flags, before the command c runs.
func (e *Env) Begin(c *cobra.Command) error {
	e.Command = c
	if err := e.checkGlobal(); err != nil {
		return err
	}
	e.started = true
	return nil
}

// PrintsCSV marks commands that have -o csv.
const PrintsCSV = "csv"

// outputs are the values of --output that a command has.
func outputs(c *cobra.Command) []string {
	if _, csv := c.Annotations[PrintsCSV]; csv {
		return []string{"text", "json", "csv"}
	}
	return []string{"text", "json"}
}

// checkGlobal checks the global flags, and finds the wiring file.
func (e *Env) checkGlobal() error {
	if known := outputs(e.Command); !slices.Contains(known, e.Output) {
		return Usage("--output %q: write %s", e.Output, fault.Or(known))
	}
	if e.color != "auto" && e.color != "always" && e.color != "never" {
		return Usage("--color %q: write auto, always or never", e.color)
	}
	if e.Config == "" {
		if e.Config = os.Getenv("EVRUN_CONFIG"); e.Config == "" {
			e.Config = "evrun.yaml"
		}
	}
	return nil
}

// JSON reports whether -o json is given.
func (e *Env) JSON() bool { return e.Output == "json" }
