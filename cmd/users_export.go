package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/bulk"
	"evrun/cmd/cli"
)

func newUsersExportCmd(e *cli.Env) *cobra.Command {
	o := &bulk.UserExport{}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write all users as CSV or NDJSON",
		Long: `Writes all users, in the order they came: as CSV (RFC 4180, UTF-8) with the columns id, name, email, attributes (a JSON object),
created_at and event_id, or with --ndjson or -o json as a JSON object a line. "users import" reads both, and gives the same users;
only a CR before an LF in a name is lost in CSV.

Texts are written as they are. A spreadsheet takes a cell that begins with =, +, - or @ as a formula, and such a name may come from
anybody: a note says so, and with --spreadsheet such cells get a ' before them. Such a file is for looking, not for "users import".`,
		Example: `  evrun users export >users.csv
  evrun users export --csv --comma ';' --spreadsheet >for-excel.csv`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.Run(c.Context(), e) },
	}
	o.Flags(c)
	c.Flags().BoolVar(&o.Spreadsheet, "spreadsheet", false, "put a ' before what a spreadsheet would take as a formula")
	return c
}
