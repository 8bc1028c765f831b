package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/cli"
	"evrun/tasks"
)

func newReloadCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "reload",
		Short:   "Have the daemon read its wiring file again",
		Example: "  evrun validate && evrun reload",
		Long: `Has the daemon read its wiring file again, and prints what has changed. The file is checked whole first: one that is wrong
changes nothing, and its errors are printed (exit 78).

Running work finishes with the old wiring, and a changed handler takes its next event with the new one. A new handler begins with
the next event, unless it is "from: start". A removed one keeps its place in the journal, and is named with what waits for it
("evrun handlers --help" says more). A schedule whose timing has changed begins anew. Tables that handlers need (migrate) are made in
the transaction that changes the wiring; if that takes longer than 1 s, the reload is undone, and a restart is needed. A
changed retention acts at once; the other settings (store, server, log) need a restart. Both are named.

The daemon reloads by itself once a changed file has been quiet for a second (unless server.watch is false), and at a SIGHUP. It
watches the wiring file, the files that it includes, and what the patterns of include match: a file that appears or disappears is a
change as well. An entry that moves unchanged from one file to another of the same directory is the same one.

Each reload publishes evrun.config.reloaded or evrun.config.rejected, and "evrun status" shows the last one.`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runReload(c.Context(), e) },
	}
}

func runReload(ctx context.Context, e *cli.Env) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	done, err := cli.ClientOf(cfg).Reload(ctx)
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity {
		// Read here, the same file gives errors with their source lines, unless only the daemon can see the error.
		if _, here := e.Load(); here != nil {
			return here
		}
		return &cli.ExitError{Code: cli.ExitConfig, Err: err}
	}
	if err != nil {
		return err
	}
	if e.JSON() {
		return e.PrintJSON(map[string]any{"reloaded": done})
	}
	var b strings.Builder
	for _, part := range []struct {
		name string
		c    tasks.Changes
	}{{"handler", done.Handlers}, {"schedule", done.Schedules}, {"event type", done.Events}, {"hook", done.Hooks}} {
		for _, group := range []struct {
			what  string
			names []string
		}{{"added", part.c.Added}, {"changed", part.c.Changed}, {"removed", part.c.Removed}} {
			for _, name := range group.names {
				fmt.Fprintf(&b, "%s %s %s\n", part.name, name, group.what)
			}
		}
	}
	for _, u := range done.Left {
		fmt.Fprintf(&b, "handler %s left: %s; put it back within an hour, or write \"was: %s\" at the handler that takes over\n", u.Name, u, u.Name)
	}
	for _, u := range done.Paused {
		why := ", since it was gone for over an hour"
		if u.Pause != nil {
			why = " by " + u.Pause.By
		}
		fmt.Fprintf(&b, "handler %s is paused%s: %s; \"evrun handlers resume %s\" continues it\n", u.Name, why, u, u.Name)
	}
	for _, a := range done.Unknown {
		fmt.Fprintf(&b, "handler %s: this store has never had a handler %s, which its was names: is it misspelt?\n", a.Handler, a.Was)
	}
	for _, name := range done.Settings {
		fmt.Fprintf(&b, "setting %s changed\n", name)
	}
	for _, name := range done.Restart {
		fmt.Fprintf(&b, "setting %s changed: it needs a restart\n", name)
	}
	if done.None() {
		b.WriteString("nothing has changed\n")
	}
	_, err = fmt.Fprint(e.Out, b.String())
	return err
}
