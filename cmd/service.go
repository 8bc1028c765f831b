package cmd

import (
	"github.com/spf13/cobra"

	"evrun/cmd/cli"
)

func newServiceCmd(e *cli.Env) *cobra.Command {
	return cli.Group(&cobra.Command{
		Use:   "service",
		Short: "Run the daemon as a service of systemd",
		Long: `Makes the daemon a service of systemd, with a hardened unit: systemd starts it at boot, restarts it when it crashes or its writer is stuck, and
keeps its output (journalctl -u evrun).`,
		Example: `  sudo evrun service install -c /etc/evrun/evrun.yaml
  systemctl status evrun`,
	}, newServiceInstallCmd(e), newServiceUninstallCmd(e))
}
