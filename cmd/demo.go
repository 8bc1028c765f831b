package cmd

import (
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/demo"
)

func newDemoCmd(e *cli.Env) *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show what evrun does, in a minute",
		Long: `Shows what evrun does with a real daemon in a temporary directory: an event and what it causes, a command that fails and is tried
again, a daemon that is killed, and that nothing is lost. Every command is shown as you would type it. It takes less than a
minute, and leaves nothing behind unless --keep is given. Ctrl-C ends it.`,
		Example: `  evrun demo
  evrun demo --keep
  evrun demo --pause 10s`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Pause < 0 {
				return cli.Usage("--pause %v: not below 0", o.Pause)
			}
			return demo.Run(c.Context(), e, o)
		},
	}
	c.Flags().BoolVar(&o.Keep, "keep", false, "keep the directory")
	c.Flags().DurationVar(&o.Pause, "pause", 4*time.Second, "how long each step can be read, on a terminal")
	return c
}
