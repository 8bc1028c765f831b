package cmd

import (
	"fmt"
	"runtime"

	"evrun/cmd/cli"

	"github.com/spf13/cobra"
)

func newVersionCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  evrun version",
		Args:    cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if e.JSON() {
				return e.PrintJSON(map[string]string{"version": cli.Version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(e.Out, "evrun %s (%s, %s/%s)\n", cli.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
