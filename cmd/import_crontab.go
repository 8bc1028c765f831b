package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/crontab"
)

func newImportCrontabCmd(e *cli.Env) *cobra.Command {
	var q crontab.Request
	system := false
	c := &cobra.Command{
		Use:   "crontab FILE",
		Short: "Make a wiring file of a crontab",
		Long: `Prints a wiring file that does what a crontab does: a schedule for each line that runs its command with the same shell,
variables and standard input, and a handler on evrun.started for each @reboot. The file is valid. Comments become descriptions. FILE may be - for standard input.

Lines that can't be carried over (MAILTO, times that cron doesn't know …) are reported on stderr and in a comment at
the top, each with the reason; then the exit code is 3. A crontab of the system has a user before each command: it is
recognised by its path or by these names, unless --system says so. Only an evrun that runs as root runs commands as another user.`,
		Example: `  crontab -l | evrun import crontab - >evrun.yaml
  evrun import crontab /etc/crontab --to crontab.yaml
  evrun import crontab jobs --tz Europe/Paris`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("import crontab takes one file, or - for standard input (crontab -l | evrun import crontab -)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			q.Path = args[0]
			if c.Flags().Changed("system") {
				q.System = &system
			}
			return crontab.Run(e, q)
		},
	}
	f := c.Flags()
	f.BoolVar(&system, "system", false, "lines have a user before the command (default: looked up)")
	f.StringVar(&q.To, "to", "", "write a new `FILE`, and not standard output")
	cli.ZoneFlag(c, &q.Zone)
	f.Lookup("tz").Usage = "the time `ZONE` of the schedules, such as Europe/Paris (default: the machine's)"
	return c
}
