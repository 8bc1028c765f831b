package tasks

import (
	"context"
	"time"

	"evrun/store"
	"evrun/tasks/measure"
)

// Measures are the numbers of a handler for the metrics.
type Measures struct {
	Name string
	*measure.Handler
	Paused  bool // or disabled
	Waiting int64
	Since   time.Time // when the first of those that wait was accepted; zero: none waits, or not known
	Running int       // attempts
	store.Counts
}

// measureWithin is how long a scrape looks things up in the store.
const measureWithin = time.Second

// Measures returns the numbers of the wired handlers. It scans nothing: it asks the workers, and looks up in the store what none of them knows, for a
// second at most. Where the store does not answer, the numbers that come from it are the last ones.
func (r *Runner) Measures(ctx context.Context) []Measures {
	r.scrapes.Lock()
	defer r.scrapes.Unlock()
	until := time.Now().Add(measureWithin)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	at := r.wired.Load()
	live := r.askAll(ctx, at)
	r.stored.Look(ctx, r.o.Store)
	list := make([]Measures, 0, len(at.handlers))
	for _, h := range at.handlers {
		m := at.members[h.Name]
		c := r.stored.Handlers[h.Name]
		c.On = h.On
		s, begun := live[h.Name]
		if !begun {
			s.pending = m.w.Unbegun(c.LowWater)
		}
		x := Measures{Name: h.Name, Handler: r.measures.Of(h.Name), Paused: h.Disabled || c.Paused, Running: len(s.running), Counts: r.stored.Counts[h.Name]}
		x.Waiting, x.Since = m.backlog.Of(ctx, r.o.Store, c, s.pending, begun, r.o.Accepted, until)
		list = append(list, x)
	}
	return list
}

// EachMeasured calls f with what each wired handler has counted, in no order. It asks and looks up nothing.
func (r *Runner) EachMeasured(f func(name string, h *measure.Handler)) { r.measures.Each(f) }
