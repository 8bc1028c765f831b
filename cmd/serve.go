package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/cmd/daemon/sockets"
	"evrun/cmd/daemon/supervisor"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/process"
	"evrun/tasks/trace/otlp"
)

func newServeCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve [FILE]",
		Short: "Run the daemon: publish the schedules' events and run the handlers",
		Long: `Runs the daemon. It checks the whole wiring file before it opens anything, publishes the schedules' events and runs the
handlers until it is stopped. The first Ctrl-C or SIGTERM lets what is in flight end (server.grace, 30 seconds); a second one,
a second or more later, stops at once (exit 130). SIGHUP makes it read the wiring file again, or stops it when
the terminal that it was started in is closed. If an attempt does not end within 10 seconds after the grace, the daemon ends without
it: exit 1, and its run is tried again at the next start.

With OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 it sends spans of events and attempts to an OpenTelemetry collector.`,
		Example:           "  evrun serve -c config.example.yaml",
		Args:              e.FileArg,
		ValidArgsFunction: cli.CompleteFile,
		RunE:              func(c *cobra.Command, _ []string) error { return runServe(c.Context(), e, serving{load: e.Load}) },
	}
	f := c.Flags()
	f.String("store", "", "the SQLite `FILE`, or the URL of a PostgreSQL database (over the wiring file's store)")
	f.String("socket", "", "the control socket (over server.socket)")
	f.String("listen", "", "the TCP `ADDRESS`, such as 127.0.0.1:7770 (over server.listen)")
	f.String("log-level", "", "debug, info, warn or error (over log.level)")
	f.String("log-format", "", "auto, text or json (over log.format)")
	cli.CompleteFlag(c, "log-level", "debug", "info", "warn", "error")
	cli.CompleteFlag(c, "log-format", "auto", "text", "json")
	return c
}

// serving says how to serve; all but load is for tests.
type serving struct {
	load    func() (*config.Config, error)
	tune    func(*daemon.StoreOptions) // nil: the store is opened as the file says
	visible bool                       // other processes of this user can read evrun's memory, and trace it
}

func runServe(ctx context.Context, e *cli.Env, s serving) error {
	manager := supervisor.Take()
	passed, err := sockets.Take()
	if err != nil {
		return err
	}
	hangUps := daemon.ListenToHangUps()
	defer hangUps.Stop()
	cfg, err := s.load()
	if err != nil {
		return err
	}
	alone := process.Adopt()
	if !s.visible {
		alone = errors.Join(process.Hide(), alone)
	}
	log := e.NewLogger(cfg.Settings)
	spans, faults := otlp.FromEnvironment(os.Getenv)
	d, err := daemon.New(ctx, cfg, daemon.Options{Spans: spans, SpanFaults: faults, Load: e.Load, Log: log, HangUps: hangUps, Passed: passed, Version: cli.Version(), Revision: cli.ThisBuild().Commit, Manager: manager, Reap: true, Tune: s.tune})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped before it began
	}
	if err != nil {
		return err
	}
	if alone != nil {
		log.Warn("commands can read evrun's memory, or leave processes behind", "error", alone)
	}
	err = d.Run(ctx, func() { announce(e, cfg, d) })
	process.KillAll() // attempts that did not end after their grace
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// announced is how many hooks, how many handlers and how many schedules the start names.
const announced = 50

// announce prints the hooks, handlers and schedules that run.
func announce(e *cli.Env, cfg *config.Config, d *daemon.Daemon) {
	listening := d.Listening() // empty: there is no TCP port
	type scheduled struct {
		Name   string     `json:"name"`
		Emits  string     `json:"emits"`
		Do     string     `json:"do,omitempty"`
		When   string     `json:"when"`
		Next   *time.Time `json:"next,omitempty"`
		Paused bool       `json:"paused,omitempty"`
	}
	type taking struct {
		Name  string `json:"name"`
		Path  string `json:"path"`
		Emits string `json:"emits"`
	}
	type handling struct {
		Name string   `json:"name"`
		On   []string `json:"on"`
		Kind string   `json:"do"`
	}
	var schedules []scheduled
	now := time.Now()
	for _, s := range cfg.Wiring.Schedules {
		line := scheduled{Name: s.Name, Emits: s.Type, Do: s.Do, When: s.Timing.Describe(), Paused: s.Paused}
		if next, ok := s.Timing.Next(now); ok {
			next = next.In(s.Timing.Location())
			line.Next = &next
		}
		schedules = append(schedules, line)
	}
	var hooks []taking
	for _, h := range cfg.Wiring.Hooks {
		hooks = append(hooks, taking{Name: h.Name, Path: h.Path(), Emits: h.Type.String()})
	}
	var handlers []handling
	for _, h := range cfg.Wiring.Handlers {
		handlers = append(handlers, handling{Name: h.Name, Kind: h.Kind, On: events.PatternTexts(h.On)})
	}
	if e.JSON() {
		serving := map[string]any{
			"config": cfg.Path, "store": cfg.Settings.Store.String(), "socket": cfg.Settings.Server.Socket,
			"handlers": handlers, "schedules": schedules,
		}
		if len(hooks) > 0 {
			serving["hooks"] = hooks
		}
		if listening != "" {
			serving["url"] = listening
		}
		_ = e.PrintJSON(map[string]any{"serving": serving})
		return
	}
	p := e.Printer()
	var b strings.Builder
	fmt.Fprintf(&b, "%s runs %s\n", p.Paint(output.Bold, "evrun "+cli.Version()), cfg.Path)
	fmt.Fprintf(&b, "  store     %s\n", cfg.Settings.Store)
	fmt.Fprintf(&b, "  socket    %s\n", cfg.Settings.Server.Socket)
	open := "evrun open"
	if e.Config != "evrun.yaml" {
		open += " -c " + e.Config
	}
	switch {
	case listening != "" && p.Terminal: // a log must not have a link that signs in
		fmt.Fprintf(&b, "  tcp       %s\n  dashboard %s\n            the link works once, for 10 minutes; %s makes another\n", listening, d.Link(), open)
	case listening != "":
		fmt.Fprintf(&b, "  tcp       %s\n  dashboard %s\n", listening, open)
	case p.Terminal:
		b.WriteString("  dashboard none: server: {listen: 127.0.0.1:7770} in the file and a restart give one\n")
	}
	listed(&b, hooks, "hooks more (evrun hooks list)", func(h taking) string {
		return fmt.Sprintf("hook      %s: POST %s emits %s", p.Paint(output.Cyan, h.Name), h.Path, h.Emits)
	})
	jobs := map[string]bool{}
	for _, s := range schedules {
		jobs[s.Name] = s.Do != ""
	}
	own := slices.DeleteFunc(slices.Clone(handlers), func(h handling) bool { return jobs[h.Name] }) // named with its schedule
	listed(&b, own, "handlers more (evrun status)", func(h handling) string {
		return fmt.Sprintf("handler   %s: on %s do %s", p.Paint(output.Cyan, h.Name), strings.Join(h.On, ", "), h.Kind)
	})
	listed(&b, schedules, "schedules more (evrun schedules list)", func(s scheduled) string {
		next := "no more"
		if s.Paused {
			next = "paused"
		} else if s.Next != nil {
			next = "next " + p.Time(*s.Next)
		}
		does := "emits " + s.Emits
		if s.Do != "" {
			does = "do " + s.Do
		}
		return fmt.Sprintf("schedule  %s: %s %s, %s", p.Paint(output.Cyan, s.Name), does, s.When, next)
	})
	_, _ = fmt.Fprint(e.Out, b.String()) // the daemon runs even if its output is closed
}

// listed writes a line for each thing, or how many more there are.
func listed[T any](b *strings.Builder, things []T, more string, line func(T) string) {
	for i, one := range things {
		if i == announced {
			fmt.Fprintf(b, "  and %d %s\n", len(things)-i, more)
			return
		}
		fmt.Fprintf(b, "  %s\n", line(one))
	}
}
