package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/status"
)

func newStatusCmd(e *cli.Env) *cobra.Command {
	watch, here := false, false
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the daemon's status, what is wrong first",
		Example: `  evrun status
  evrun status --watch`,
		Long: `Shows the daemon's status. First comes what needs attention, each with the command that shows more: a store that accepts nothing
more, a refused wiring file, dead runs, handlers that fail, are paused, or left the file with work to do, slots that were left out.

For each handler: the events that wait for it (WAITING; "≤" where not all were counted), its running attempts, the runs that wait
for their next attempt, the dead ones, how many runs it ended in the last minute, its last result, and its last error. For each
schedule: its next slot, the last one, and what came of it.

With --watch the status is shown again every 2 seconds, on a terminal on one screen, else one after the other. It ends with Ctrl-C
(exit 0). Exit 69 when no daemon runs. Where daemons on several machines share a PostgreSQL store, it lists all of them, from a
machine without one, too.`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch {
				return status.Watch(c.Context(), e)
			}
			return status.Print(c.Context(), e, here)
		},
	}
	c.Flags().BoolVar(&here, "here", false, "only of this machine's daemon, for a health check: exit 69 without one")
	c.Flags().BoolVar(&watch, "watch", false, "show it again every 2 seconds")
	return c
}
