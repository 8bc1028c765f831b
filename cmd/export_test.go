package cmd

import (
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/cmd/stopping"
)

// ServeWith is `evrun serve` for tests that need handlers, or a store, that no wiring file can give: mend changes the loaded file, tune changes how
// the store is opened, and visible lets other processes of this user trace it. Everything else is as for users. args begin with "serve".
func ServeWith(args []string, in io.Reader, out, errOut io.Writer, visible bool, mend func(*config.Config), tune func(*daemon.StoreOptions)) int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, release := stopping.Context(exitAtOnce)
	defer release()
	e := &env{in: in, out: out, err: errOut, visible: visible}
	root := newRootCmd(e)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		panic(err)
	}
	serve.RunE = func(c *cobra.Command, _ []string) error {
		return e.serve(c.Context(), func() (*config.Config, error) {
			cfg, err := e.load()
			if err == nil {
				mend(cfg)
			}
			return cfg, err
		}, tune)
	}
	return e.exit(ctx, root.ExecuteContext(ctx))
}

// Commands returns the names of all runnable commands: "emit", "runs list", …
func Commands() (names []string) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if !c.HasSubCommands() {
			names = append(names, strings.TrimPrefix(c.CommandPath(), "evrun "))
		}
	}
	walk(newRootCmd(&env{}))
	return names
}
