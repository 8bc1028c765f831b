package daemon

import (
	"context"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/trace"
	"evrun/tasks/trace/otlp"
)

// flushSpans is how long a stop waits at most for a collector to take the last spans; a shorter grace period is the bound.
const flushSpans = 5 * time.Second

// makeSpans makes what sends spans, if they are wanted. The store must be open.
func (d *Daemon) makeSpans() {
	if d.o.Spans == nil {
		return
	}
	d.spans = otlp.New(*d.o.Spans, otlp.Options{
		StoreID: d.store.ID(), Version: d.o.Version, Log: d.log, Flush: min(flushSpans, d.cfg.Settings.Grace), Kinds: d.kinds,
		Events: func(ctx context.Context, sequences []int64) ([]*events.Event, error) {
			return store.EventsOf(ctx, d.store, sequences)
		},
	})
}

// kinds are the kinds of the handlers.
func (d *Daemon) kinds() map[string]string {
	handlers := d.current.Load().Wiring.Handlers
	m := make(map[string]string, len(handlers))
	for _, h := range handlers {
		m[h.Name] = h.Kind
	}
	return m
}

// tracer knows the spans; nil: there are none.
func (d *Daemon) tracer() *trace.Tracer {
	if d.spans == nil {
		return nil
	}
	return d.spans.Tracer()
}

// sendSpans sends spans until ctx ends.
func (d *Daemon) sendSpans(ctx context.Context) error {
	if d.spans == nil {
		return nil
	}
	return d.spans.Run(ctx)
}

// spanCounts are the numbers of spans.
func (d *Daemon) spanCounts() (c otlp.Counts) {
	if d.spans != nil {
		c = d.spans.Counts()
	}
	return c
}

// warnOfSpans logs what is wrong with the environment variables of spans.
func (d *Daemon) warnOfSpans() {
	for _, f := range d.o.SpanFaults {
		d.log.Warn("spans: "+f.Error(), "hint", f.Hint)
	}
}

// spanTroubles are the problems of spans, for a status.
func (d *Daemon) spanTroubles(s *api.Status) {
	for _, f := range d.o.SpanFaults {
		s.Problems = append(s.Problems, api.Trouble{What: api.TroubleSpans, Text: f.Error() + " (" + f.Hint + ")"})
	}
	if d.spans != nil {
		if text := d.spans.Trouble(); text != "" {
			s.Problems = append(s.Problems, api.Trouble{What: api.TroubleSpans, Text: "spans can't be sent: " + text})
		}
	}
}
