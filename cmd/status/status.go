// Package status is the work of `evrun status`: the status of this machine's daemon, or of those that share its store on others. No goroutines.
package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/events"
)

// Print prints the status of this machine's daemon. Without one, it is that of the daemons that share its store, unless here is set.
func Print(ctx context.Context, e *cli.Env, here bool) error {
	daemon, err := daemonOf(e)
	if err != nil {
		return err
	}
	s, err := daemon.Status(ctx)
	if errors.Is(err, api.ErrNoDaemon) && !here {
		s, err = elsewhere(ctx, e)
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

// redrawEvery is how often [Watch] asks for the status.
const redrawEvery = 2 * time.Second

// Watch shows the status again and again. On a terminal it goes on while the daemon is restarted.
func Watch(ctx context.Context, e *cli.Env) error {
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
