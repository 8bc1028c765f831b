package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
)

func newPruneCmd(e *cli.Env) *cobra.Command {
	dryRun, now := false, false
	c := &cobra.Command{
		Use:   "prune",
		Short: "Delete what the settings of retention do not keep, or say what that would be",
		Long: `Deletes what retention in the wiring file does not keep. A daemon does so by itself, a little at a time; this command looks at the
whole journal at once, also where no daemon runs.

An event goes with everything that it caused, and with all of their runs and outputs, once all of it is older than retention.events (or
among the oldest, while the store is larger than retention.size), all runs have succeeded, were skipped, cancelled or dropped, and every
handler of the file has seen it. A handler that left the file more than an hour ago keeps nothing. Users stay.

--dry-run deletes nothing. It says how much would go, and what is kept although it is old: dead runs until they are retried or dropped,
events that wait for a handler, and so on.

A store that was made by a version without retention is pruned a day after the daemon has announced it; --now does not wait.`,
		Example: `  evrun prune --dry-run
  evrun prune`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			access := cli.Prunes
			if dryRun {
				access = cli.ReadsStore
			}
			done, err := cli.Asked(c.Context(), e, access, func(to *client.Client) (api.Pruned, error) { return to.Prune(c.Context(), dryRun, now) })
			if err != nil {
				return err
			}
			return e.Printer().Pruned(done)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "delete nothing, only say what would go")
	c.Flags().BoolVar(&now, "now", false, "prune a store of an older version although that was not announced for a day")
	return c
}
