package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/backup"
	"evrun/cmd/cli"
)

func newRestoreCmd(e *cli.Env) *cobra.Command {
	o := &backup.RestoreOptions{Env: e}
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the store",
		Long: `Puts a backup in the place of the store that the wiring file names. It refuses while a daemon or another program has the store open. The backup is copied
beside the store, read to its end, and brought up to date; only a whole one replaces the store, which stays beside it as NAME.before-restore-TIME, with its
log. On a terminal you are asked; elsewhere --yes is needed where a store is replaced.

What to expect: events after the backup are lost, and what they did in the store. Handlers go on where they stood: what they did outside since (exec, http,
notify) may happen again, with the same idempotency keys for the runs of the backup's events. Slots of schedules since then follow "missed". A sender that
repeats an event of that time has it accepted again. No seq is given twice: the journal goes on after the last one that the replaced store has given, so that
streams go on with their Last-Event-ID, and no new run has the id of a lost one; if that store can't be read, seqs are left out in plenty. The first new event
is evrun.audit.store.restored.`,
		Example: `  evrun restore /var/backups/evrun/evrun-20261127T020000Z.db
  evrun restore evrun-before-upgrade.db --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("restore takes the file of one backup")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.From = args[0]
			return o.Run(c.Context())
		},
	}
	c.Flags().BoolVar(&o.Yes, "yes", false, "replace the store without asking")
	return c
}
