package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/config"
	"evrun/store"
	"evrun/tasks/process"
)

func newServeCmd(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon: publish the schedules' events and run the handlers",
		Long: `Runs the daemon. It checks the whole wiring file before it opens anything, publishes the schedules' events and runs the
handlers until it is stopped. The first Ctrl-C or SIGTERM lets what is in flight end (server.grace, 30 seconds); a second one,
a second or more later, stops at once (exit 130). SIGHUP makes it read the wiring file again, or stops it when
the terminal that it was started in is closed. If an attempt does not end within 10 seconds after the grace, the daemon ends without
it: exit 1, and its run is tried again at the next start.`,
		Example: "  evrun serve -c config.example.yaml",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return e.serve(c.Context(), e.load) },
	}
	f := c.Flags()
	f.String("store", "", "the SQLite file (over the wiring file's store)")
	f.String("socket", "", "the control socket (over server.socket)")
	f.String("log-level", "", "debug, info, warn or error (over log.level)")
	f.String("log-format", "", "text or json (over log.format)")
	return c
}

// noArgs is cobra.NoArgs in our words.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, and got %q", c.CommandPath(), args[0])
	}
	return nil
}

// hide is another one in tests that trace a daemon without being root.
var hide = process.Hide

// serve runs the daemon on the wiring file that load reads.
func (e *env) serve(ctx context.Context, load func() (*config.Config, error), tune ...func(*store.Options)) error {
	hangUps := listenToHangUps()
	defer hangUps.stop()
	cfg, err := load()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	alone := errors.Join(hide(), process.Adopt())
	a, err := newApp(ctx, cfg, e.load, hangUps, e.err, tune...)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped before it began
	}
	if err != nil {
		return err
	}
	a.stop = stop
	a.warn(cfg)
	if alone != nil {
		a.log.Warn("commands can read evrun's memory, or leave processes behind", "error", alone)
	}
	err = a.run(ctx, func() { e.announce(a) })
	process.KillAll() // attempts that did not end after their grace
	if cerr := a.close(); err == nil {
		err = cerr
	}
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}

// announced is how many handlers, and how many schedules, a daemon names at its start.
const announced = 50

// announce prints what runs.
func (e *env) announce(a *app) {
	type scheduled struct {
		Name   string     `json:"name"`
		Emits  string     `json:"emits"`
		When   string     `json:"when"`
		Next   *time.Time `json:"next,omitempty"`
		Paused bool       `json:"paused,omitempty"`
	}
	type handling struct {
		Name string   `json:"name"`
		On   []string `json:"on"`
		Kind string   `json:"do"`
	}
	var schedules []scheduled
	now := time.Now()
	for _, s := range a.cfg.Wiring.Schedules {
		line := scheduled{Name: s.Name, Emits: s.Type, When: s.Timing.Describe(), Paused: s.Paused}
		if next, ok := s.Timing.Next(now); ok {
			next = next.In(s.Timing.Location())
			line.Next = &next
		}
		schedules = append(schedules, line)
	}
	var handlers []handling
	for _, h := range a.cfg.Wiring.Handlers {
		line := handling{Name: h.Name, Kind: h.Kind}
		for _, p := range h.On {
			line.On = append(line.On, p.String())
		}
		handlers = append(handlers, line)
	}
	if e.json() {
		_ = e.printJSON(map[string]any{"serving": map[string]any{
			"config": a.cfg.Path, "store": a.cfg.Settings.Store.Path, "socket": a.cfg.Settings.Server.Socket,
			"handlers": handlers, "schedules": schedules,
		}})
		return
	}
	p := e.printer()
	var b strings.Builder
	fmt.Fprintf(&b, "%s runs %s\n", p.paint(bold, "evrun "+version()), a.cfg.Path)
	fmt.Fprintf(&b, "  store     %s\n", a.cfg.Settings.Store.Path)
	fmt.Fprintf(&b, "  socket    %s\n", a.cfg.Settings.Server.Socket)
	for i, h := range handlers {
		if i == announced {
			fmt.Fprintf(&b, "  and %d handlers more (evrun status)\n", len(handlers)-i)
			break
		}
		fmt.Fprintf(&b, "  handler   %s: on %s do %s\n", p.paint(cyan, h.Name), strings.Join(h.On, ", "), h.Kind)
	}
	for i, s := range schedules {
		if i == announced {
			fmt.Fprintf(&b, "  and %d schedules more (evrun schedules list)\n", len(schedules)-i)
			break
		}
		next := "no more"
		if s.Paused {
			next = "paused"
		} else if s.Next != nil {
			next = "next " + s.Next.Format(time.RFC3339)
		}
		fmt.Fprintf(&b, "  schedule  %s: emits %s %s, %s\n", p.paint(cyan, s.Name), s.Emits, s.When, next)
	}
	_, _ = fmt.Fprint(e.out, b.String()) // the daemon serves whether or not somebody reads this
}
