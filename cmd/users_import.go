package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/bulk"
	"evrun/cmd/cli"
)

func newUsersImportCmd(e *cli.Env) *cobra.Command {
	o := &bulk.UserImport{}
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Store the users of a file",
		Long: `Stores the users of a CSV or NDJSON file, or of standard input (-). The format is that of --csv or --ndjson, else the file's ending says it
(.csv, .tsv, .ndjson, .jsonl).

A user has name, email, attributes, created_at and event_id; only the e-mail address is required. These are the columns of a CSV's header,
in any order, or the members of a line's object. In a CSV, attributes is a column with a JSON object, or several ones: attributes.city is
text, attributes.age:= is JSON. An id is read and left out: ids are the store's own.

A user whose e-mail address already exists (whatever the case of its letters) is kept as it is, or gets the new name and attributes with
--update. So importing a file again is safe. Lines that are refused are named, and kept in --rejects FILE; the others go on, and the exit
code is 3. It is a load of data, and publishes no events for users: handlers don't run. One event, evrun.audit.users.imported, says who
imported how many.`,
		Example: `  evrun users import users.csv --rejects bad.csv
  evrun users export --ndjson | evrun users import - --ndjson -c other.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("users import takes one file, or - for standard input")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return o.Run(c.Context(), e, args[0]) },
	}
	o.Flags(c)
	f := c.Flags()
	f.BoolVar(&o.Update, "update", false, "replace name and attributes of users that already exist")
	f.StringVar(&o.Rejects, "rejects", "", "a `FILE` for the lines that are refused")
	f.IntVar(&o.From, "from-line", 1, "begin at this line")
	return c
}
