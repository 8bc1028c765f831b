package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/backup"
	"evrun/cmd/cli"
)

func newBackupCmd(e *cli.Env) *cobra.Command {
	o := &backup.Options{Env: e}
	c := &cobra.Command{
		Use:   "backup FILE|DIR|-",
		Short: "Copy the store to a file, while it is used",
		Long: `Copies the store to a file, while a daemon uses it or without one: everything that was committed up to some event, whose seq it prints, and nothing
later. The copy is checked and synced to the disk before it gets its name, so a backup that is interrupted, killed, or out of space leaves no half file, and
the daemon goes on. The file belongs to you, with mode 0600: it has all data of the store. A file that exists is not replaced, unless --force is given.

In a directory the file is named after the store and the time (evrun-20261127T020000Z.db); --keep removes all but the newest such files. With - the
copy goes to the standard output, and what it has to stderr.

The daemon's writer makes the copy, some pages between two commits, so that the store's log does not grow meanwhile. It does so for its own user and for root,
if it can write the file; else evrun itself reads the store, and the log grows until it is done. "evrun restore" puts a backup in the store's place.`,
		Example: `  evrun backup evrun-before-upgrade.db
  evrun backup --keep 7 /var/backups/evrun
  evrun backup - | zstd > evrun.db.zst`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("backup takes a file, a directory, or - for standard output")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.To = args[0]
			switch {
			case c.Flags().Changed("keep") && o.Keep < 1:
				return cli.Usage("--keep %d: keep 1 or more", o.Keep)
			case o.To == "":
				return cli.Usage("the name of the file is empty")
			}
			return o.Run(c.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Force, "force", false, "replace the file if it exists")
	f.IntVar(&o.Keep, "keep", 0, "in a directory, keep the newest `N` backups and remove the others")
	return c
}
