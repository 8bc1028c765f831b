package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// keepAlive is how often an idle stream shows that it lives.
const keepAlive = 15 * time.Second

// writeTimeout is how long a stream's reader may take for one write before it is let go; it can resume.
const writeTimeout = 30 * time.Second

// stream sends events as they are accepted, as server-sent events: "event" with its seq as its id, and with ?runs=1 also
// "run" whenever a run changes. It begins after the Last-Event-ID header, or as `after`, `since` and `last` say, else with
// what comes next. A reader that falls behind is served from the journal, so events never have a gap; runs can, and then
// "gap" says so.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) error {
	q, err := eventQuery(r)
	if err != nil {
		return err
	}
	v := values{r.URL.Query()}
	head, err := s.o.Store.Head(r.Context())
	if err != nil {
		return err
	}
	after := head
	switch id := r.Header.Get("Last-Event-ID"); {
	case id != "":
		if after, err = strconv.ParseInt(id, 10, 64); err != nil {
			return problem(http.StatusBadRequest, "Last-Event-ID: the seq of an event, not "+strconv.Quote(id))
		}
	case q.Last: // the last few, then what follows
		if after, err = s.before(r.Context(), q, head); err != nil {
			return err
		}
	case !q.Since.IsZero():
		if after, err = s.before(r.Context(), store.EventQuery{Since: q.Since, Limit: 1}, head); err != nil {
			return err
		}
	case v.Get("after") != "":
		after = q.After
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	out := &sse{w: w, flush: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = out.flush.Flush()
	if v.Get("runs") == "1" {
		_ = s.streamRuns(ctx, out, after, q.Patterns)
	} else {
		_ = s.streamEvents(ctx, out, after, q.Patterns)
	}
	return nil // the reader has gone, or the server closes: either way there is nobody to tell
}

// before is the sequence just before the first event of a selection.
func (s *Server) before(ctx context.Context, q store.EventQuery, head int64) (int64, error) {
	page, err := s.o.Store.Events(ctx, q)
	if err != nil || len(page) == 0 {
		return head, err
	}
	return page[0].Sequence - 1, nil
}

func (s *Server) streamEvents(ctx context.Context, out *sse, after int64, patterns []events.Pattern) error {
	f := tasks.NewFollower(s.o.Store, s.o.Bus, after, patterns...)
	defer f.Close()
	for {
		wait, cancel := context.WithTimeout(ctx, keepAlive)
		e, err := f.Next(wait)
		cancel()
		switch {
		case err == nil:
			err = out.event(e)
		case ctx.Err() != nil:
			return ctx.Err()
		case wait.Err() != nil:
			err = out.comment()
		}
		if err != nil {
			return err
		}
	}
}

// streamRuns follows commits, in which events and runs have one order.
func (s *Server) streamRuns(ctx context.Context, out *sse, after int64, patterns []events.Pattern) error {
	wanted := func(typ string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p events.Pattern) bool { return p.Match(typ) })
	}
	sub := s.o.Commits.Subscribe(256)
	defer func() { sub.Unsubscribe() }()
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		// What was accepted before the subscription, or missed in a gap, is in the journal.
		for {
			page, err := s.o.Store.Events(ctx, store.EventQuery{After: after, Patterns: patterns})
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				if err := out.event(e); err != nil {
					return err
				}
				after = e.Sequence
			}
		}
		for live := true; live; {
			select {
			case c, ok := <-sub.C():
				if !ok {
					if sub = s.o.Commits.Subscribe(256); sub.Err() != nil {
						return sub.Err()
					}
					if err := out.gap("runs changed faster than they were read"); err != nil {
						return err
					}
					live = false
					break
				}
				for _, e := range c.Events {
					if e.Sequence > after && wanted(e.Type) {
						if err := out.event(e); err != nil {
							return err
						}
						after = e.Sequence
					}
				}
				for _, run := range c.Runs {
					if wanted(run.Type) {
						if err := out.run(run); err != nil {
							return err
						}
					}
				}
			case <-beat.C:
				if err := out.comment(); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// sse writes server-sent events.
type sse struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	buf   []byte
}

func (o *sse) event(e *events.Event) error {
	o.buf = append(o.buf[:0], "id: "...)
	o.buf = strconv.AppendInt(o.buf, e.Sequence, 10)
	o.buf = append(o.buf, "\nevent: event\ndata: "...)
	var err error
	if o.buf, err = e.AppendJSON(o.buf); err != nil {
		return fmt.Errorf("event #%d: %w", e.Sequence, err)
	}
	return o.send()
}

func (o *sse) run(r store.Run) error {
	text, err := events.MarshalJSON(RunOf(r))
	if err != nil {
		return err
	}
	o.buf = append(append(o.buf[:0], "event: run\ndata: "...), text...)
	return o.send()
}

func (o *sse) gap(reason string) error {
	o.buf = fmt.Appendf(o.buf[:0], "event: gap\ndata: {\"reason\":%q}", reason)
	return o.send()
}

func (o *sse) comment() error {
	o.buf = append(o.buf[:0], ": alive"...)
	return o.send()
}

func (o *sse) send() error {
	o.buf = append(o.buf, "\n\n"...)
	if err := o.flush.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := o.w.Write(o.buf); err != nil {
		return err
	}
	return o.flush.Flush()
}
