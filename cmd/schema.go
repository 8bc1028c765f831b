package cmd

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

func newSchemaCmd(e *cli.Env) *cobra.Command {
	draft, keys := "", false
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the wiring file, for editors",
		Long: `Prints the JSON Schema of the wiring file: every key and every kind of handler with its inputs, each with a description. Editors complete
and check with it while you type. "evrun validate" also checks expressions, patterns and times.

Draft 2020-12 is the default; --draft 7 prints draft-07, which all editors know. The schemas differ in nothing else.

--keys prints the same as a reference for people; "evrun explain --kind" does so for the inputs of each kind.

"evrun init" writes the one in draft-07 beside a new wiring file. Most editors read a first line like this one, with the path of the schema:

  # yaml-language-server: $schema=evrun.schema.json`,
		Example: `  evrun schema --draft 7 >evrun.schema.json
  evrun schema --keys`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, ok := fields.Drafts[draft]; !ok {
				return cli.Usage("--draft must be %s, not %q", fault.Or(drafts()), draft)
			}
			if keys {
				return e.Printer().Keys(config.Keys())
			}
			if e.JSON() {
				return e.PrintJSON(config.JSONSchema(draft))
			}
			return cli.WriteSchema(e.Out, draft)
		},
	}
	c.Flags().StringVar(&draft, "draft", "2020-12", "the `DRAFT` of JSON Schema: "+fault.Or(drafts()))
	c.Flags().BoolVar(&keys, "keys", false, "print the keys with their types, defaults and docs, for people")
	cli.CompleteFlag(c, "draft", drafts()...)
	return c
}

// drafts are the drafts of JSON Schema that can be printed.
func drafts() []string { return slices.Sorted(maps.Keys(fields.Drafts)) }
