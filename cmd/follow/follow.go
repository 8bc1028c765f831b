// Package follow prints events and runs as they happen: the work of `evrun tail`. While a daemon runs it follows the daemon's stream; else it reads
// the store again and again, and goes on in the stream when there is a daemon. Each event is printed once and in order. [Run] works in the goroutine
// of its caller alone.
package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/api/shape"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/cmd/drivers"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/search"
)

// Options say what is printed. The zero value follows all events that come.
type Options struct {
	Patterns []string // of types; none: all
	Source   string   // of the event; empty: any
	Last     int      // begin with the last so many events
	Since    string   // begin with the events accepted since then, instead
	NoFollow bool     // print what is stored, and end
	Runs     bool     // runs too, as they change
	Handler  string   // only runs of this handler
	States   []string // only runs that come into these states
	Where    string   // an expression on an event or a run
}

// tail is a running tail.
type tail struct {
	*cli.Env
	Options
	filter   filter
	p        *output.Printer
	patterns []events.Pattern
	of       search.Selection
	started  bool         // the place of the tail is known: after is valid
	after    int64        // the last sequence that was printed or passed over
	reasons  *api.Reasons // of stored runs
}

// newTail checks the flags.
func newTail(ctx context.Context, e *cli.Env, o Options) (*tail, error) {
	t := &tail{Env: e, Options: o, p: e.Printer(), filter: filter{handler: o.Handler}}
	if o.Last < 0 {
		return nil, cli.Usage("--limit %d: not below 0", o.Last)
	}
	t.of = search.Selection{Types: o.Patterns, Source: o.Source, Handler: o.Handler, States: o.States, Where: o.Where}
	q, err := t.of.Runs(ctx, nil) // nothing in it needs a store
	var wrong *search.SelectionError
	if errors.As(err, &wrong) && wrong.Name == "type" {
		return nil, cli.Usage("%v", wrong.Err) // it may be an argument
	}
	if err != nil {
		return nil, cli.Usage("--%v", err)
	}
	t.patterns, t.filter.states = q.Types, q.States
	only := len(q.States) > 0 || o.Handler != ""
	t.filter.events, t.filter.runs = !only || o.Runs, only || o.Runs
	if o.Where != "" {
		if err := t.filter.condition(o.Where); err != nil {
			return nil, cli.Usage("--where: %v", err)
		}
	}
	if o.Since != "" {
		if t.of.Since, err = cli.ParseTime("--since", o.Since, time.Local, time.Now()); err != nil {
			return nil, err
		}
	}
	if slices.Contains(q.States, store.Waiting) {
		e.Note("a run that waits has no record yet, and can't be followed; evrun runs list --state waiting lists such runs")
	}
	return t, nil
}

// Run prints what o asks for, until ctx ends ([context.Canceled]) or the output breaks. Wrong options are a [cli.Usage].
func Run(ctx context.Context, e *cli.Env, o Options) error {
	t, err := newTail(ctx, e, o)
	if err != nil {
		return err
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	if o.NoFollow {
		err := t.readStore(ctx, cfg.Settings.Store)
		if errors.Is(err, store.ErrNotFound) {
			e.Note("there is no store yet at %s", cfg.Settings.Store)
			return nil
		}
		return err
	}
	return t.follow(ctx, cfg)
}

// lookAgain is how often a tail without a daemon reads the store, and tries to connect.
const lookAgain = 250 * time.Millisecond

// follow streams from the daemon. Without one it follows a shared store by itself, and reads another one until a daemon runs. It returns when ctx ends or
// the output breaks.
func (t *tail) follow(ctx context.Context, cfg *config.Config) error {
	at, said := cfg.Settings.Store, false
	stream := func(c *client.Client, here bool) error {
		return c.Stream(ctx, t.query(), func() error {
			switch {
			case !here:
				t.Note("no daemon is running here: following %s", at)
			case said:
				t.Note("a daemon runs: following it")
			}
			if said = false; t.started && t.filter.runs {
				// The stream resumes events, and their runs were read from the store. Changed runs of older events are missing.
				return t.gap("no daemon was followed for a while: runs that changed meanwhile may be missing"+allRuns, nil)
			}
			return nil
		}, t.item)
	}
	for {
		var out *writeError
		err := stream(cli.ClientOf(cfg), true)
		if errors.Is(err, api.ErrNoDaemon) && at.Shared() { // who may not write to the store goes on below
			err = t.InProcess(ctx, cfg, cli.FollowsStore, func(c *client.Client) error { return stream(c, false) })
		}
		var p *api.Problem
		var refused *client.ConnectError
		switch {
		case ctx.Err() != nil:
			return context.Canceled
		case errors.As(err, &out):
			return out.err
		case errors.As(err, &p) && p.Status < 500, errors.As(err, &refused):
			return err
		}
		if !said {
			t.Note("no daemon is running: reading %s until there is one", at)
			said = true
		}
		if err := t.readStore(ctx, at); err != nil && !errors.Is(err, store.ErrNotFound) {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return err
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return context.Canceled
		}
	}
}

func (t *tail) query() client.StreamQuery {
	return client.StreamQuery{Selection: t.of, Runs: t.Runs, Resume: t.started, After: t.after, Last: t.Last}
}

// readStore prints the events in the store from where the tail is.
func (t *tail) readStore(ctx context.Context, at settings.Store) error {
	err := drivers.Read(ctx, at, func(s store.Store) error {
		t.reasons = shape.NewReasons(s, nil)
		return t.stored(ctx, s)
	})
	if errors.Is(err, store.ErrNotFound) {
		t.started = true // every event that comes is new
	}
	return err
}

func (t *tail) stored(ctx context.Context, s store.Store) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	q := store.EventQuery{Patterns: t.patterns, Source: t.Source}
	switch {
	case t.started:
		if head < t.after {
			if err := t.gap(fmt.Sprintf("the journal ends with #%d, before #%d: the store is another one, or an older state of it", head, t.after), &head); err != nil {
				return err
			}
		}
		q.After = t.after
	case !t.of.Since.IsZero():
		q.Since = t.of.Since
	case t.Last > 0:
		q.Last, q.Limit = true, t.Last
	default:
		q.After = head
	}
	for {
		page, err := s.Events(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := t.event(e, t.filter.event); err != nil {
				return err
			}
			if !t.filter.runs {
				continue
			}
			if err := t.storedRuns(ctx, s, e); err != nil {
				return err
			}
		}
		if len(page) == 0 || q.Last {
			t.started, t.after = true, max(t.after, head) // nothing else up to head matches, or was asked for
			return nil
		}
		q = store.EventQuery{Patterns: t.patterns, Source: t.Source, After: t.after}
	}
}

func (t *tail) storedRuns(ctx context.Context, s store.Store, e *events.Event) error {
	runs, err := s.Runs(ctx, store.RunQuery{Sequence: e.Sequence})
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(r store.Run) bool {
		ok, err := t.filter.run(shape.RunOf(r), e)
		if err != nil {
			t.Note("run %s: --where: %v", r.ID, err)
		}
		return !ok
	})
	for _, r := range t.reasons.Runs(ctx, runs) {
		if err := t.p.Run(r); err != nil {
			return &writeError{err}
		}
	}
	return nil
}

// writeError is an error of the standard output: its reader is gone.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// item prints an event or a run of the stream, or notes its place, a gap, or that the condition could not be evaluated.
func (t *tail) item(kind string, body []byte) error {
	switch kind {
	case "event":
		var e events.Event
		if err := e.UnmarshalJSON(body); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		return t.event(&e, nil)
	case "run":
		var r api.Run
		if err := unmarshal(body, &r); err != nil {
			return err
		}
		if err := t.p.Run(r); err != nil {
			return &writeError{err}
		}
	case "head": // the place of the stream: it can be resumed from there
		var h shape.StreamHead
		if err := unmarshal(body, &h); err != nil {
			return err
		}
		t.after, t.started = h.Sequence, true
	case "failed":
		var f shape.StreamFailed
		if err := unmarshal(body, &f); err != nil {
			return err
		}
		others := ""
		if f.Failed > 1 {
			others = fmt.Sprintf(", and %d others", f.Failed-1)
		}
		t.Note("--where: %s%s", events.EscapeControl(f.Failure), others)
	case "gap":
		var g struct {
			Reason string `json:"reason"`
			After  *int64 `json:"after,string"`
		}
		if err := unmarshal(body, &g); err != nil {
			return err
		}
		if g.After == nil {
			g.Reason += allRuns
		}
		return t.gap(g.Reason, g.After)
	}
	return nil
}

// allRuns is the hint about the runs that are missing in a gap.
const allRuns = "; evrun runs list has them all"

// gap reports that runs may be missing or, with after, that the numbers of events begin again after it.
func (t *tail) gap(reason string, after *int64) error {
	t.Note("gap: %s", events.EscapeControl(reason))
	what := map[string]string{"reason": reason}
	if after != nil {
		t.after = *after
		what["after"] = strconv.FormatInt(*after, 10)
	}
	if !t.JSON() {
		return nil
	}
	if err := t.PrintJSON(map[string]any{"gap": what}); err != nil {
		return &writeError{err}
	}
	return nil
}

// event prints an event unless it was printed before; is decides about it, and may be nil.
func (t *tail) event(e *events.Event, is func(*events.Event) (bool, error)) error {
	if e.Sequence <= t.after && t.after > 0 {
		return nil
	}
	t.after = e.Sequence
	if is != nil {
		ok, err := is(e)
		if err != nil {
			t.Note("event #%d: --where: %v", e.Sequence, err)
		}
		if !ok {
			return nil
		}
	}
	if err := t.p.Event(e); err != nil {
		return &writeError{err}
	}
	return nil
}

// unmarshal decodes a part of the daemon's stream.
func unmarshal(body []byte, v any) error {
	if err := events.DecodeJSON(body, v); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	return nil
}
