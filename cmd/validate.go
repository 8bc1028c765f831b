package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/config"
)

func newValidateCmd(e *env) *cobra.Command {
	strict := false
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check the wiring file, and say all that is wrong with it",
		Long: `Checks the whole wiring file and says all that is wrong with it, each with file, line and column. It opens no store and
sends nothing. Exit 78 when something is wrong.

Where nothing is wrong it warns of what is probably not meant: a type that no handler is wired to; a handler that nothing
known reaches (where the file declares its types); events that cause each other without an end; a command without a timeout;
a condition that is always or never true. With --strict these are errors.`,
		Args: noArgs,
		RunE: func(_ *cobra.Command, _ []string) error { return runValidate(e, strict) },
	}
	c.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	return c
}

func runValidate(e *env, strict bool) error {
	cfg, err := e.load()
	var faults *config.Errors
	if err == nil && strict && len(cfg.Warnings) > 0 {
		faults = &config.Errors{Path: e.config, Faults: cfg.Warnings}
		for i := range faults.Faults {
			faults.Faults[i].Warning = false
		}
		err = faults
	}
	if errors.As(err, &faults) && e.json() {
		if err := e.printFaults(faults.Faults); err != nil {
			return err
		}
		return &exitError{code: exitConfig, err: err, silent: true}
	}
	if err != nil {
		return err
	}
	types, schedules, handlers := len(cfg.Wiring.Events), len(cfg.Wiring.Schedules), len(cfg.Wiring.Handlers)
	if e.json() {
		if err := e.printFaults(cfg.Warnings); err != nil {
			return err
		}
		return e.printJSON(map[string]any{"valid": true, "path": cfg.Path, "events": types, "schedules": schedules, "handlers": handlers,
			"warnings": len(cfg.Warnings)})
	}
	if len(cfg.Warnings) > 0 {
		fmt.Fprintln(e.err, strings.TrimSuffix((&config.Errors{Path: e.config, Faults: cfg.Warnings}).Pretty(e.colored(e.err)), "\n"))
	}
	_, err = fmt.Fprintf(e.out, "%s is right: %s, %s, %s, %s\n", cfg.Path,
		counted(types, "event type"), counted(schedules, "schedule"), counted(handlers, "handler"), counted(len(cfg.Wiring.Tests), "test"))
	return err
}

// counted is a number of things in words: 1 handler, 2 handlers.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// printFaults prints faults and warnings, one object a line.
func (e *env) printFaults(list []config.Fault) error {
	for _, f := range list {
		if err := e.printJSON(map[string]any{"fault": f}); err != nil {
			return err
		}
	}
	return nil
}
