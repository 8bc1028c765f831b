package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"evrun/cmd/config"
)

func newValidateCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the wiring file, and say all that is wrong with it",
		Long: `Checks the whole wiring file and says all that is wrong with it, each with file, line and column. It opens no store and
sends nothing. Exit 78 when something is wrong.`,
		Args: noArgs,
		RunE: func(_ *cobra.Command, _ []string) error { return runValidate(e) },
	}
}

func runValidate(e *env) error {
	cfg, err := e.load()
	var faults *config.Errors
	if errors.As(err, &faults) && e.json() {
		for _, f := range faults.Faults {
			if err := e.printJSON(map[string]any{"fault": f}); err != nil {
				return err
			}
		}
		return &exitError{code: exitConfig, err: err, silent: true}
	}
	if err != nil {
		return err
	}
	types, schedules, handlers := len(cfg.Wiring.Events), len(cfg.Wiring.Schedules), len(cfg.Wiring.Handlers)
	if e.json() {
		return e.printJSON(map[string]any{"valid": true, "path": cfg.Path, "events": types, "schedules": schedules, "handlers": handlers})
	}
	_, err = fmt.Fprintf(e.out, "%s is right: %d event types, %d schedules, %d handlers\n", cfg.Path, types, schedules, handlers)
	return err
}
