package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"evrun/cmd/browser"
	"evrun/cmd/cli"
)

func newOpenCmd(e *cli.Env) *cobra.Command {
	only := false
	c := &cobra.Command{
		Use:   "open [PAGE]",
		Short: "Open the dashboard, signed in",
		Long: `Makes a link to the daemon's dashboard that signs a browser in as the owner, prints it, and opens it if this terminal is on a desktop. The link works once, within
10 minutes: who has it can do everything. Other users of this machine may see what a program is started with; with --print none is started.

The dashboard is on the TCP port (server.listen). For a browser on another machine, forward the port, for example with ssh -L 7770:127.0.0.1:7770 HOST:
the same number on both sides, or write that of your side into the link. Behind a proxy, write its name in the place of the address.`,
		Example: `  evrun open
  evrun open "/runs?state=dead"
  evrun open --print`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] == "" {
				return cli.Usage("open takes one page, such as /runs")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			page := ""
			if len(args) == 1 {
				page = args[0]
			}
			return runOpen(c.Context(), e, page, only)
		},
	}
	c.Flags().BoolVar(&only, "print", false, "print the link, and start no browser")
	return c
}

func runOpen(ctx context.Context, e *cli.Env, page string, only bool) error {
	if page != "" && page[0] != '/' {
		page = "/" + page
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	link, err := cli.ClientOf(cfg).Link(ctx, page)
	switch {
	case err != nil:
		return err
	case e.JSON():
		return e.PrintJSON(link)
	}
	if !only && e.Printer().Terminal && browser.Open(link.URL) {
		e.Note("the browser opens; the link works once, until %s:", link.Until.Local().Format("15:04"))
	} else {
		e.Note("the link signs a browser in, once, until %s:", link.Until.Local().Format("15:04"))
	}
	_, err = fmt.Fprintln(e.Out, link.URL)
	return err
}
