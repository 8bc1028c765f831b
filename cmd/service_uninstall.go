package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/service"
)

func newServiceUninstallCmd(e *cli.Env) *cobra.Command {
	o := service.Options{}
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service, and remove its unit",
		Long: `Stops and disables the service, and removes the unit that "evrun service install" wrote. The wiring file, the store and the
account stay.`,
		Example: `  sudo evrun service uninstall
  evrun service uninstall --user`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := service.Host{}.Uninstall(c.Context(), o)
			if err != nil {
				return err
			}
			if e.JSON() {
				return e.PrintJSON(map[string]any{"removed": path})
			}
			_, err = fmt.Fprintf(e.Out, "removed %s\n", path)
			return err
		},
	}
	c.Flags().BoolVar(&o.Own, "user", false, "a service of your own, not of the system")
	c.Flags().StringVar(&o.Name, "name", "evrun", "the `NAME` of the unit")
	return c
}
