package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/doctor"
)

func newDoctorCmd(e *cli.Env) *cobra.Command {
	o := doctor.Options{Env: e}
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
		RunE: func(c *cobra.Command, _ []string) error { return doctor.Run(c.Context(), o) },
	}
	c.Flags().BoolVar(&o.Full, "full", false, "compare the store's tables with their indexes, which takes twice as long")
	return c
}
