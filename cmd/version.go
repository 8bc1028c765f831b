package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
)

func newVersionCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Prints the version of this evrun, the commit that it was built from with its date, and the version of Go. "evrun --version" does the
same. "evrun status" prints the version of the daemon.`,
		Example: `  evrun version
  evrun --version -o json`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.PrintVersion() },
	}
}
