package cmd

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/starter"
)

// newInitCmd makes the command that writes an example; demo is the one of that name.
func newInitCmd(e *cli.Env, demo []byte) *cobra.Command {
	var example string
	var list strings.Builder
	for _, x := range starter.Examples {
		list.WriteString("\n  " + x.Name + strings.Repeat(" ", 9-len(x.Name)) + x.Doc)
	}
	c := &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a first wiring file",
		Long: `Writes evrun.yaml, or the file that -c names: an example that runs at once, says what to try, and has tests. Examples:
` + list.String() + `

Beside it comes ` + starter.Schema + `, and the first line of the wiring file points editors at it, so that they complete and
check while you type ("evrun schema --draft 7" prints it anew after an update). Files that already exist are not changed.`,
		Example: `  evrun init
  evrun init /srv/jobs --example backup
  evrun init -c /etc/evrun/jobs.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usage("init takes one directory, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			path := e.Config
			if len(args) == 1 {
				if c.Flags().Changed("config") {
					return cli.Usage("init takes a directory or --config, not both")
				}
				path = filepath.Join(args[0], "evrun.yaml")
			}
			x, err := starter.Find(example)
			if err != nil {
				return err
			}
			return starter.Write(e, path, x, demo)
		},
	}
	c.Flags().StringVar(&example, "example", starter.Examples[0].Name, "which one: `NAME` of the list above")
	cli.CompleteFlag(c, "example", starter.Names()...)
	return c
}
