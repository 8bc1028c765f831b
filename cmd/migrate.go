package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/migrate"
)

func newMigrateCmd(e *cli.Env) *cobra.Command {
	o := &migrate.Options{Env: e}
	c := &cobra.Command{
		Use:   "migrate --to URL|FILE",
		Short: "Move the store to PostgreSQL, or back to a SQLite file",
		Long: `Copies the store to another place, while no daemon runs: a SQLite file to a PostgreSQL database, or back. All of evrun's goes along: the journal, the places
of the handlers, runs with attempts and outputs, users, schedules, tokens. Seqs and the ids of runs stay, so handlers go on where they stood, and streams with
their Last-Event-ID. Each table is read there once more and compared. A million events take less than a minute.

The place must be empty: a file that does not exist, a database without a schema evrun. A move that was interrupted goes on when the command is repeated. From
its beginning on the old store can't be opened for writing, so that nothing is accepted where it would be lost; nothing in it is changed or deleted. --reopen
takes that back: the store goes on here as it was then.

Your own tables are copied if --tables names them; without it they are not, and the command says which. A table that does not exist there is made with the
same columns and primary key, and nothing else of it: no indexes, defaults, triggers. Make it there first for more; then values are converted to its types, and
only the number of rows is compared where these differ. The statements of "migrate" in the wiring file run again at the new place, in its dialect:
write CREATE TABLE IF NOT EXISTS for tables that were copied.

One of --from and --to is the store of the wiring file, unless both are given. Passwords are better in PGPASSWORD or a passfile: other users see a command's
arguments.`,
		Example: `  evrun migrate --to postgres://evrun@db1/evrun --dry-run
  evrun migrate --to postgres://evrun@db1/evrun --tables invoices,totals
  evrun migrate --to back.db`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.Run(c.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.To, "to", "", "where the store goes: the `URL` of a database, or a file")
	f.StringVar(&o.From, "from", "", "where it is: a `URL` or a file")
	f.StringSliceVar(&o.Tables, "tables", nil, "your own `TABLES` that go along, with commas between them; '*': all")
	f.BoolVar(&o.DryRun, "dry-run", false, "copy nothing, only say what would be")
	f.BoolVar(&o.Reopen, "reopen", false, "have a store that was moved go on where it was")
	return c
}
