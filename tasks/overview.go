package tasks

import (
	"cmp"
	"context"
	"sync"
	"time"

	"evrun/tasks/control"
)

// The bounds of an overview: it must come at once, also when a worker is stuck, or many handlers have much to do.
const (
	askQuickly   = 100 * time.Millisecond // for all workers together
	countWithin  = 200 * time.Millisecond // the counts of waiting events begin; beyond that, an upper bound is given
	recallWithin = 200 * time.Millisecond // the last results from before the start; the others come with later overviews
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
			before := m.recall.From(ctx, r.o.Store, st.Name, time.Now().Before(recalling))
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
