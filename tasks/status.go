package tasks

import (
	"context"
	"time"

	"evrun/tasks/control"
)

// HandlerStatuses returns the status of each wired handler, in the order of the file, followed by all handlers that have left. Many far behind take long to
// count: those that are not counted in time have an upper bound.
func (r *Runner) HandlerStatuses(ctx context.Context) ([]control.HandlerStatus, error) {
	now := r.wired.Load()
	return r.statuses(ctx, true, time.Now().Add(countWithin), func(name string) (workerStatus, bool) {
		m := now.members[name]
		if m == nil {
			return workerStatus{}, false
		}
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		return m.status(ctx)
	})
}

func (r *Runner) statuses(ctx context.Context, all bool, countUntil time.Time, ask func(name string) (workerStatus, bool)) ([]control.HandlerStatus, error) {
	now := r.wired.Load()
	list, err := control.Statuses(ctx, r.o.Store, controlled(now.handlers), all, countUntil, func(name string) (control.Live, bool) {
		s, ok := ask(name)
		return control.Live{LowWater: s.lowWater, Running: s.unfinished, Ahead: s.ahead}, ok
	})
	if err != nil {
		return nil, err
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	for i := range list {
		list[i].Replacing = len(r.leaving[list[i].Name]) > 0
	}
	return list, ctx.Err()
}

// controlled returns what package control needs to know about handlers.
func controlled(handlers []*Handler) []control.Wired {
	list := make([]control.Wired, len(handlers))
	for i, h := range handlers {
		list[i] = control.Wired{Name: h.Name, Was: h.Was, Kind: h.Kind, On: h.On, FromMark: h.FromMark, Disabled: h.Disabled,
			Description: h.Description, Labels: h.Labels, Nodes: h.Nodes}
	}
	return list
}

// askWithin is how long a worker may take to notice a question. One that writes to a log which nobody reads may never do so.
const askWithin = time.Second

// status asks a member's worker; ok is false if the worker doesn't answer: see look.
func (m *member) status(ctx context.Context) (s workerStatus, ok bool) {
	ok = m.look(ctx, func() { s = m.w.status() })
	return s, ok
}

// look has the member's worker call f, and returns after it. It returns false if the worker has not begun, has ended, or doesn't notice before ctx ends.
func (m *member) look(ctx context.Context, f func()) bool {
	if !m.hasBegun() {
		return false
	}
	done := make(chan struct{})
	select {
	case m.w.inspect <- func() { f(); close(done) }:
		<-done
		return true
	case <-m.w.ended:
	case <-ctx.Done():
	}
	return false
}
