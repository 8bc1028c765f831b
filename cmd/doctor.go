package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/doctor"
	"evrun/tasks/fault"
)

func newDoctorCmd(e *cli.Env) *cobra.Command {
	full := false
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, or soon will be",
		Long: `Looks at the wiring file (right, and nobody else's to write), the socket and the daemon on it, the TCP port with its
certificate and the owner's token, the store (modes, every page, version), the space on the disk against the store's growth, its log and retention,
the clock against what the store has, dead runs, handlers that left with work to do, and files that were refused. Each finding is ok, a warning
or an error, with a hint what to do. It changes nothing, and needs no daemon, store, or right file.

Exit 0, or 1 if there is an error. With -o json a finding is an object: {"check","level","text","hint"}.`,
		Example: `  evrun doctor
  evrun doctor --full
  evrun doctor -o json | jq -c 'select(.level != "ok")'`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c.Context(), e, full) },
	}
	c.Flags().BoolVar(&full, "full", false, "compare the store's tables with their indexes, which takes twice as long")
	return c
}

func runDoctor(ctx context.Context, e *cli.Env, full bool) error {
	found, err := doctor.Examine(ctx, doctor.Options{
		Load:     func() (*config.Config, error) { return config.Load(e.Config, e.ConfigOptions()) },
		Settings: e.Settings, Version: cli.Version(), Full: full,
		Status: func(ctx context.Context, cfg *config.Config) (api.Status, error) {
			return cli.ClientOf(cfg).Status(ctx)
		},
		Reading: func() func() {
			p := e.Progress()
			p.Say("reading the store")
			return p.Clear
		},
	})
	if err != nil {
		return err
	}
	failed := 0
	for _, f := range found {
		if f.Level == doctor.Error {
			failed++
		}
		if err := doctor.Print(e.Printer(), f); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: errors.New(fault.Plural(failed, "error")), Silent: true}
	}
	return nil
}
