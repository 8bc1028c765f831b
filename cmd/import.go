package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
)

func newImportCmd(e *cli.Env) *cobra.Command {
	return cli.Group(&cobra.Command{
		Use:   "import",
		Short: "Make a wiring file of another program's",
		Long:  "Makes a wiring file of what another program is told to do.",
	}, newImportCrontabCmd(e), newImportWebhookCmd(e))
}
