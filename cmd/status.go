package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/nodes"
	"evrun/events"
)

// redrawEvery is how often --watch asks for the status.
const redrawEvery = 2 * time.Second

func newStatusCmd(e *cli.Env) *cobra.Command {
	watch := false
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the daemon's status, what is wrong first",
		Example: `  evrun status
  evrun status --watch`,
		Long: `Shows the daemon's status. First comes what needs attention, each with the command that shows more: a store that accepts nothing
more, a refused wiring file, dead runs, handlers that fail, are paused, or left the file with work to do, slots that were left out.

For each handler: the events that wait for it (WAITING; "≤" where not all were counted), its running attempts, the runs that wait
for their next attempt, the dead ones, how many runs it ended in the last minute, its last result, and its last error. For each
schedule: its next slot, the last one, and what came of it.

With --watch the status is shown again every 2 seconds, on a terminal on one screen, else one after the other. It ends with Ctrl-C
(exit 0). Exit 69 when no daemon runs. Where daemons on several machines share a PostgreSQL store, it lists all of them, from a
machine without one, too.`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if watch {
				return watchStatus(c.Context(), e)
			}
			return runStatus(c.Context(), e)
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "show it again every 2 seconds")
	return c
}

func runStatus(ctx context.Context, e *cli.Env) error {
	daemon, err := daemonOf(e)
	if err != nil {
		return err
	}
	s, err := daemon.Status(ctx)
	if errors.Is(err, api.ErrNoDaemon) {
		s, err = nodes.Status(ctx, e)
	}
	if err != nil {
		return err
	}
	return e.Printer().Status(s, false)
}

// daemonOf is a client of the daemon.
func daemonOf(e *cli.Env) (*client.Client, error) {
	cfg, err := e.Settings()
	if err != nil {
		return nil, err
	}
	return cli.ClientOf(cfg), nil
}

// watchStatus shows the status again and again. On a terminal it goes on while the daemon is restarted.
func watchStatus(ctx context.Context, e *cli.Env) error {
	daemon, err := daemonOf(e)
	if err != nil {
		return err
	}
	_, terminal := cli.Width(e.Out)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for first := true; ; first = false {
		s, err := daemon.Status(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (first || !terminal || !errors.Is(err, api.ErrNoDaemon)):
			return err
		case terminal:
			err = redraw(e, s, err)
		default:
			if !first && !e.JSON() {
				fmt.Fprintln(e.Out)
			}
			err = e.Printer().Status(s, false)
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// redraw writes a status over the one before. It overwrites line by line, so that nothing flickers, and leaves out what the screen has no room for.
func redraw(e *cli.Env, s api.Status, failure error) error {
	var text bytes.Buffer
	p := e.Printer()
	p.Out = &text
	if failure != nil {
		fmt.Fprintln(&text, events.EscapeControl(failure.Error()))
	} else if err := p.Status(s, true); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	if f, ok := e.Out.(*os.File); ok {
		if _, height, err := term.GetSize(int(f.Fd())); err == nil && height > 2 && len(lines) > height-1 {
			more := len(lines) - (height - 2)
			lines = append(lines[:height-2], fmt.Sprintf("… %d more lines", more))
		}
	}
	_, err := fmt.Fprintf(e.Out, "\x1b[H%s\x1b[K\n\x1b[J", strings.Join(lines, "\x1b[K\n"))
	return err
}
