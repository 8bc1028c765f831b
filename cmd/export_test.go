package cmd

import (
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
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
	e := &cli.Env{In: in, Out: out, Err: errOut}
	root := newRootCmd(e, nil)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		panic(err)
	}
	serve.RunE = func(c *cobra.Command, _ []string) error {
		return runServe(c.Context(), e, serving{tune: tune, visible: visible, load: func() (*config.Config, error) {
			cfg, err := e.Load()
			if err == nil {
				mend(cfg)
			}
			return cfg, err
		}})
	}
	c, err := root.ExecuteContextC(ctx)
	return e.Exit(ctx, c, err)
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
	walk(newRootCmd(&cli.Env{}, nil))
	return names
}

// Understands says whether these are the name of a command and flags that it has.
func Understands(args []string) error {
	c, rest, err := newRootCmd(&cli.Env{}, nil).Find(args)
	if err != nil {
		return err
	}
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return cli.UnknownCommand(c, rest)
	}
	c.InitDefaultHelpFlag()
	return c.ParseFlags(rest)
}

// Root returns the tree of commands.
func Root() *cobra.Command { return newRootCmd(&cli.Env{}, nil) }
