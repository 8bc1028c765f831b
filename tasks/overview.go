package tasks

import (
	"cmp"
	"context"
	"sync"
	"time"

	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// The bounds of an overview: it must come at once, also when a worker is stuck, or many handlers have much to do.
const (
	askQuickly   = 100 * time.Millisecond // for all workers together
	countWithin  = 200 * time.Millisecond // the counts of waiting events begin; beyond that, an upper bound is given
	recallWithin = 200 * time.Millisecond // the last results from before the start; the others come with later overviews
	recallLook   = 50_000                 // events behind the head that are looked at for a handler's last result
)

// Overview returns the status of each wired handler, in the order of the file, followed by the handlers that have left with unfinished work. Each wired one
// has what is of interest at a glance: the number of the events that wait for it, how many runs it ends in a minute, its last result and its last error.
// Overview returns soon even when workers are stuck: of such a one it has what was known before.
func (r *Runner) Overview(ctx context.Context) ([]control.HandlerStatus, error) {
	now := r.wired.Load()
	live := r.askAll(ctx, now)
	list, err := r.statuses(ctx, false, time.Now().Add(countWithin), func(name string) (workerStatus, bool) {
		s, ok := live[name]
		return s, ok
	})
	if err != nil {
		return nil, err
	}
	recalling := time.Now().Add(recallWithin)
	for i := range list {
		st := &list[i]
		m := now.members[st.Name]
		if m == nil {
			continue
		}
		s, asked := live[st.Name]
		if asked {
			st.Rate, st.Silent = &s.rate, s.silent
		}
		if st.Recent = s.recent; st.Last == nil || st.LastError == nil {
			before := m.recall.from(ctx, r.o.Store, st.Name, time.Now().Before(recalling))
			st.Last, st.LastError = cmp.Or(st.Last, before.Last), cmp.Or(st.LastError, before.LastError)
		}
	}
	return list, ctx.Err()
}

// askAll asks the workers of all handlers at the same time. A worker that doesn't answer has its last answer, marked silent.
func (r *Runner) askAll(ctx context.Context, at *wired) map[string]workerStatus {
	ctx, cancel := context.WithTimeout(ctx, askQuickly)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[string]workerStatus{}
	for name, m := range at.members {
		wg.Go(func() {
			s, ok := m.status(ctx)
			if ok {
				m.known.Store(&s)
			} else if last := m.known.Load(); last != nil {
				s, ok = *last, true
				s.silent = true
			}
			if ok {
				mu.Lock()
				defer mu.Unlock()
				answers[name] = s
			}
		})
	}
	wg.Wait()
	return answers
}

// recall is what the store has of a handler's last runs, from before its worker began.
type recall struct {
	mu    sync.Mutex
	done  bool
	known control.Recent
}

// from returns it. It reads the store, once, if there is time. What it doesn't find near the journal's end stays unknown.
func (l *recall) from(ctx context.Context, s store.Store, handler string, now bool) control.Recent {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done && now {
		l.done = l.read(ctx, s, handler) == nil
	}
	return l.known
}

// read reads the store. l.mu is held.
func (l *recall) read(ctx context.Context, s store.Store, handler string) error {
	ended := store.RunQuery{Handler: handler, Limit: 1, States: []store.RunState{store.Succeeded, store.Skipped, store.Dead, store.Cancelled, store.Dropped}}
	part, err := s.ScanRuns(ctx, ended, recallLook)
	if err != nil {
		return err
	}
	if len(part.Items) > 0 {
		l.known.Last = &control.Result{State: part.Items[0].State.String(), At: part.Items[0].FinishedAt}
	}
	failing, err := s.Runs(ctx, store.RunQuery{Handler: handler, Limit: 1, States: []store.RunState{store.Dead}})
	if err != nil {
		return err
	}
	consumers, err := s.Handlers(ctx, handler)
	if err != nil || len(consumers) == 0 {
		return err
	}
	pending, err := s.Pending(ctx, consumers[0].ID, store.AllSlots, 10)
	if err != nil {
		return err
	}
	for _, run := range append(failing, pending...) {
		if run.Error != "" && !run.FinishedAt.IsZero() && (l.known.LastError == nil || run.FinishedAt.After(l.known.LastError.At)) {
			l.known.LastError = &control.Failure{Error: emitter.Cut(firstLine(run.Error), maxStatusError), At: run.FinishedAt}
		}
	}
	return nil
}
