package tasks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"evrun/store"
	"evrun/tasks/fault"
	"evrun/tasks/queue"
)

// Waits gives waiting and retrying runs the reason for which they wait, as far as their worker knows it and the store has given none. A run whose attempt
// was claimed ahead, and has not begun, waits.
func (r *Runner) Waits(ctx context.Context, runs []store.Run) {
	of := map[string][]*store.Run{}
	for i := range runs {
		run := &runs[i]
		ahead := claimedAhead(run) && !run.Cancelling && !run.StartedAt.IsZero() && run.Reason != ""
		if ahead || run.Reason == "" && (run.State == store.Waiting || run.State == store.Retrying) {
			of[run.Handler] = append(of[run.Handler], run)
		}
	}
	members := r.wired.Load().members
	for name, list := range of {
		if m := members[name]; m != nil {
			r.waits(ctx, m, list)
		}
	}
}

// mostCounted is for how many runs of a handler the events before them are counted.
const mostCounted = 20

// waits asks a member's worker about runs.
func (r *Runner) waits(ctx context.Context, m *member, runs []*store.Run) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	sequences := make(map[int64]bool, len(runs))
	for _, run := range runs {
		sequences[run.Sequence] = true
	}
	if !m.hasBegun() {
		for _, run := range runs {
			run.Reason = "waits until the attempts of the handler's version before the reload have ended"
		}
		return
	}
	var found queued
	if !m.look(ctx, func() { found = m.w.queued(sequences) }) {
		return
	}
	for i, run := range runs {
		w := found.waits[run.Sequence]
		if run.State == store.Running {
			if w.For != queue.Given {
				continue
			}
			run.State, run.Attempt, run.StartedAt = store.Waiting, 0, time.Time{}
		}
		run.Reason = m.w.reason(w, found)
		if w.For == queue.Backoff {
			run.NextAttemptAt = w.Until.Truncate(time.Microsecond) // as stored
		}
		if w.For == queue.Unread && i < mostCounted {
			known := store.Consumer{ID: m.w.id, Name: m.h.Name, On: m.h.On, LowWater: found.after}
			if n, atMost, err := r.o.Store.CountWaiting(ctx, known, run.Sequence-1); err == nil && n > 0 {
				run.Reason = "behind " + fault.Plural(int(n), "earlier event")
				if atMost {
					run.Reason = fmt.Sprintf("behind at most %d earlier events", n)
				}
			}
		}
	}
}

// queued is a worker's answer about waiting tasks.
type queued struct {
	waits   map[int64]queue.Wait
	after   int64      // the last event that its queue has taken from the journal
	running []InFlight // attempts
}

// queued answers for the worker's goroutine.
func (w *worker) queued(sequences map[int64]bool) queued {
	running, _ := w.pool.running()
	return queued{w.queue.Waits(sequences), w.queue.After(), running}
}

// reason is a wait in words.
func (w *worker) reason(wait queue.Wait, q queued) string {
	at := wait.Until.UTC().Format(time.RFC3339)
	switch wait.For {
	case queue.Given, queue.Place:
		if n := len(q.running); n > 0 {
			return fmt.Sprintf("waits for a place: %s (concurrency) %s", fault.Plural(n, "attempt"), runningNow(q.running))
		}
		return "begins now"
	case queue.Backoff:
		return "waits for its next attempt, at " + at
	case queue.Key:
		return "behind run " + store.RunID(wait.Behind, w.h.Name, w.r.o.Store.ID()) + " (order_by)"
	case queue.Burst:
		return "waits for the end of its burst (debounce), at " + at
	case queue.Rate:
		return "waits for its turn (rate " + w.h.Rate.String() + "); the next attempt begins at " + at
	case queue.Unread:
		return "waits in the journal"
	}
	return ""
}

// runningNow names the first of the running attempts.
func runningNow(running []InFlight) string {
	const most = 3
	var ids []string
	for _, a := range running[:min(len(running), most)] {
		ids = append(ids, a.RunID)
	}
	verb := "run"
	if len(running) == 1 {
		verb = "runs"
	}
	text := verb + ": " + strings.Join(ids, ", ")
	if len(running) > most {
		text += ", …"
	}
	return text
}
