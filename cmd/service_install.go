package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/service"
)

func newServiceInstallCmd(e *cli.Env) *cobra.Command {
	o := service.Options{}
	var only, later bool
	c := &cobra.Command{
		Use:   "install",
		Short: "Write the systemd unit of a wiring file, and start it",
		Long: `Checks the wiring file, writes a unit that serves it, enables and starts it. The unit is replaced if evrun wrote it, and refused if not; local
changes belong in a drop-in (systemctl edit evrun), and its comments say what commands may need. --print only prints it. Where systemd does not
run, it is printed, too, and the exit code is 1.

A service of the system runs as an account of its own, evrun, which is made if it does not exist. The account must be able to read the
wiring file and its directory, and to write where the store is. That is not checked here, where the account may not exist yet. In the wiring file,
"store: /var/lib/evrun/evrun.db" and "server: {socket: /run/evrun/evrun.sock}" need nothing more, since systemd makes both directories. A service
of your own (--user) runs as you, and from your login to your logout ("loginctl enable-linger" has it run always).

A .socket unit of the same name may pass the TCP port of server.listen, and the control socket of server.socket, to the daemon: then a port
below 1024 needs no right, and what connects while the daemon restarts is answered after it. It needs SocketMode=0600 for the control socket.`,
		Example: `  sudo evrun service install -c /etc/evrun/evrun.yaml
  evrun service install --user
  evrun service install --print | less`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Own && c.Flags().Changed("user-account") {
				return cli.Usage("--user runs as you: --user-account goes without it")
			}
			cfg, err := e.Load()
			if err != nil {
				return err
			}
			if o.Program, err = os.Executable(); err == nil {
				o.Program, err = filepath.EvalSymlinks(o.Program)
			}
			if err != nil {
				return err
			}
			text, err := service.Unit(cfg, o)
			if err != nil {
				return err
			}
			if only {
				return printUnit(e, text)
			}
			done, err := service.Host{}.Install(c.Context(), cfg, o, !later)
			var none *service.NotRunningError
			if errors.As(err, &none) {
				return errors.Join(fmt.Errorf("%w: this is the unit that it would have", err), printUnit(e, text))
			}
			if err != nil {
				return err
			}
			if e.JSON() {
				return e.PrintJSON(map[string]any{"installed": done})
			}
			state := "is not started: systemctl enable --now " + o.Name
			if done.Started {
				state = "runs, and starts at boot"
			}
			_, err = fmt.Fprintf(e.Out, "wrote %s; %s %s\n", done.Path, done.Unit, state)
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Own, "user", false, "a service of your own, not of the system")
	f.BoolVar(&only, "print", false, "print the unit, and install nothing")
	f.BoolVar(&later, "no-start", false, "write the unit, and leave it to you to enable and start it")
	f.StringVar(&o.Name, "name", "evrun", "the `NAME` of the unit")
	f.StringVar(&o.Account, "user-account", "evrun", "the `ACCOUNT` that a service of the system runs as")
	return c
}

func printUnit(e *cli.Env, text string) error {
	if e.JSON() {
		return e.PrintJSON(map[string]string{"text": text})
	}
	_, err := fmt.Fprint(e.Out, text)
	return err
}
