package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/webhook"
)

func newImportWebhookCmd(e *cli.Env) *cobra.Command {
	var q webhook.Request
	c := &cobra.Command{
		Use:   "webhook FILE",
		Short: "Make a wiring file of a hooks file of webhook",
		Long: `Prints a wiring file that does what a hooks file of webhook (github.com/adnanh/webhook) does, in JSON or YAML: for each hook
one that checks the same signature, addresses and rule, under the same path, and a handler that runs its command with the same arguments and variables.
The file is valid. FILE may be - for standard input. Of templates, getenv, cat and credential are known.

What can't be carried over (other methods than POST, XML, the command's output in the answer …) is reported on stderr and in a
comment at the top, each with its line and the reason; then the exit code is 3. A hook whose rule can't be kept whole is left out:
its command would run for others, too. Secrets that are written out in the hooks file are written out in the wiring file, which --to
makes readable for its owner only.`,
		Example: `  evrun import webhook hooks.json >evrun.yaml
  evrun import webhook /etc/webhook.conf --to evrun.yaml --listen 127.0.0.1:9000`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("import webhook takes one file, or - for standard input")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			q.Path = args[0]
			return webhook.Run(e, q)
		},
	}
	f := c.Flags()
	f.StringVar(&q.To, "to", "", "write a new `FILE`, and not standard output")
	f.StringVar(&q.Listen, "listen", "127.0.0.1:9000", "the `ADDRESS` of the wiring file's server")
	return c
}
