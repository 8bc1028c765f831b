package recent

import (
	"context"
	"sync"

	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// look is how many events behind the head are looked at for a handler's last result.
const look = 50_000

// Recall is what the store has of a handler's last runs, from before its worker began.
type Recall struct {
	mu    sync.Mutex
	done  bool
	known control.Recent
}

// From returns it. It reads the store, once, if there is time. What it doesn't find near the journal's end stays unknown.
func (l *Recall) From(ctx context.Context, s store.Store, handler string, now bool) control.Recent {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done && now {
		l.done = l.read(ctx, s, handler) == nil
	}
	return l.known
}

// read reads the store. l.mu is held.
func (l *Recall) read(ctx context.Context, s store.Store, handler string) error {
	ended := store.RunQuery{Handler: handler, Limit: 1, States: []store.RunState{store.Succeeded, store.Skipped, store.Dead, store.Cancelled, store.Dropped}}
	part, err := s.ScanRuns(ctx, ended, look)
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
			l.known.LastError = &control.Failure{Error: emitter.Cut(firstLine(run.Error), maxError), At: run.FinishedAt}
		}
	}
	return nil
}
