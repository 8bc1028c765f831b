package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/config"
)

func newSchemaCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the wiring file, for editors",
		Long: `Prints the JSON Schema (2020-12) of the wiring file: every key, every kind of handler with its inputs, and what each is
for. An editor that knows it completes and checks while you type. It sees what the file is made of; what is in its
expressions, patterns and times, "evrun validate" checks.

"evrun init" writes it beside a new wiring file. Most editors read a first line like this one, with the path of the schema:

  # yaml-language-server: $schema=evrun.schema.json`,
		Example: `  evrun schema > evrun.schema.json`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if e.json() {
				return e.printJSON(config.JSONSchema())
			}
			return writeSchema(e.out)
		},
	}
}
