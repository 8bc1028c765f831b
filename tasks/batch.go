package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/emission"
	"evrun/tasks/queue"
)

// The bounds of a batch: how much a worker settles at once, and so how much it prepares ahead of the store. Two callers that append events as fast as
// the store takes them get 2,000 accepted (two full transactions) for each batch that is settled: a worker with smaller batches falls behind them.
const (
	maxBatch       = 2048         // runs
	maxBatchBytes  = 1 << 20      // of the data of their events, of the events that they emit, and of their outputs
	maxBatchEvents = 2 * maxBatch // that they emit. One run may emit emission.MaxEvents
)

// batch is tasks with their settlements.
type batch struct {
	tasks       []*queue.Task
	settlements []store.Settlement
	bytes       int // not counted after a split
	events      int // that they emit, as far as it is known; not counted after a split
}

func (b *batch) len() int { return len(b.tasks) }

// full reports whether no more runs fit.
func (b *batch) full() bool {
	return b.len() >= maxBatch || b.bytes >= maxBatchBytes || b.events >= maxBatchEvents
}

func (b *batch) add(t *queue.Task, s store.Settlement) {
	b.bytes += len(t.Event.Data) + s.Output.Size()
	for _, e := range s.Outcome.Emit {
		b.bytes += len(e.Data)
	}
	b.events += len(s.Outcome.Emit)
	b.tasks, b.settlements = append(b.tasks, t), append(b.settlements, s)
}

// split returns the first n tasks and the rest.
func (b *batch) split(n int) (first, rest batch) {
	return batch{tasks: b.tasks[:n:n], settlements: b.settlements[:n:n]}, batch{tasks: b.tasks[n:], settlements: b.settlements[n:]}
}

// expect counts the events of a for_each that the last settlement will emit. Where only its result tells how many, and statements have a bound on their
// time, these are a part of what one run may emit.
func (b *batch) expect(f *emission.Foreseen, action Action) {
	events, bytes, unknown := f.Events()
	b.events, b.bytes = b.events+events, b.bytes+bytes
	if !unknown {
		return
	}
	if _, ok := action.(Stating); ok {
		b.events += emission.MaxEvents / 16
	} else {
		b.events += emission.MaxEvents
	}
}

// part returns how many tasks, from the first on, emit so few events that one transaction can take them.
func (b *batch) part() int {
	if b.events < 2*maxBatchEvents {
		return b.len()
	}
	n := 0
	for i := range b.settlements {
		if n += len(b.settlements[i].Outcome.Emit); n > maxBatchEvents && i > 0 {
			return i
		}
	}
	return b.len()
}

// before puts b before others.
func (b *batch) before(others batch) batch {
	return batch{append(b.tasks, others.tasks...), append(b.settlements, others.settlements...), others.bytes, others.events}
}

// reuse empties b and keeps its memory.
func (b *batch) reuse() batch {
	clear(b.tasks)
	clear(b.settlements)
	return batch{tasks: b.tasks[:0], settlements: b.settlements[:0]}
}

// answer is the store's answer to a batch: out for the settled tasks, from the first on, and err for the others.
type answer struct {
	batch
	out []store.Settled
	err error
}

// end adds the settlement of t's attempt to the batch.
func (w *worker) end(t *queue.Task, out store.Outcome) { w.settle(t, w.settlement(t, out)) }

func (w *worker) settle(t *queue.Task, s store.Settlement) { w.batch.add(t, s) }

// settlement returns the settlement that ends t's attempt with an outcome.
func (w *worker) settlement(t *queue.Task, out store.Outcome) store.Settlement {
	return store.Settlement{
		Event: t.Event, Handler: w.id, ID: t.ID, Attempt: t.Attempt, Claimed: t.Claimed, Ahead: t.Ahead, Started: t.Started, Outcome: out, Joins: t.Joins,
		When: w.when,
	}
}

// flush hands the batch to the store, unless it is settling one.
func (w *worker) flush(work context.Context) {
	if w.writing || w.batch.len() == 0 {
		return
	}
	b := w.batch
	if w.batch, w.spare = w.spare, (batch{}); w.singly > 0 {
		b, w.batch = b.split(1)
		w.singly--
	} else if n := b.part(); n < b.len() {
		events := b.events
		b, w.batch = b.split(n)
		w.batch.events = events
	}
	w.moving = w.lowWater(b.tasks)
	w.writing = true
	s := store.SettleBatch{Settlements: b.settlements, Marks: []store.Mark{{Handler: w.id, LowWater: w.moving, Slots: w.queue.Held()}}, Node: w.node}
	w.settler.do(func() {
		out, err := w.write(work, s)
		w.answers <- answer{b, out, err}
	})
}

// write settles a batch, and returns the answers of the committed settlements, from the first on. While the store has no space, it tries again. At a
// stop it gives up, and the next start repeats the attempts.
func (w *worker) write(work context.Context, b store.SettleBatch) (out []store.Settled, err error) {
	ctx := context.WithoutCancel(work)
	if slices.ContainsFunc(b.Settlements, func(s store.Settlement) bool { return s.Statement != nil }) {
		ctx = work // a batch of slow statements must not delay a stop
	}
	for {
		some, err := w.r.o.Store.Settle(ctx, b)
		if out == nil {
			out = some
		} else {
			out = append(out, some...)
		}
		if err == nil || !temporary(err) {
			return out, err
		}
		b.Settlements = b.Settlements[len(some):]
		w.r.o.Log.Warn("results can't be stored now; trying again", "handler", w.h.Name, "runs", len(b.Settlements), "error", err)
		if !pause(work, storeRetryEvery) {
			return out, err
		}
	}
}

// answered handles the store's answer to a batch.
func (w *worker) answered(a answer) {
	w.writing = false
	done, rest := a.split(len(a.out))
	level := slog.LevelDebug
	if w.records { // what it does outside, evrun's tables don't show
		level = slog.LevelInfo
	}
	logs := w.r.o.Log.Enabled(context.Background(), level)
	now, ended, last := time.Now(), 0, store.RunState(0)
	for i, t := range done.tasks {
		switch out := a.out[i]; {
		case out.Fenced:
			w.r.o.Log.Debug("a late settlement was left out", "handler", w.h.Name, "seq", t.Seq, "attempt", t.Attempt)
		case out.State == store.Cancelled:
			w.logCancelled(t, out.Uncounted)
		case out.State == store.Retrying || out.State == store.Dead:
			w.recent.Failed(now, out.Error)
			w.log(t, out.Outcome)
		case logs && out.State == store.Succeeded:
			w.r.o.Log.Log(context.Background(), level, "attempt succeeded", "handler", w.h.Name, "event", t.Event.ID, "type", t.Event.Type,
				"attempt", t.Attempt, "took", took(t), "run", w.runID(t))
		}
		if out := &a.out[i]; !out.Fenced && out.State != store.Retrying {
			ended, last = ended+1, out.State
		}
		w.Settled(t, &a.out[i])
		w.queue.Done(t, a.out[i])
	}
	w.recent.Settled(now, ended, last)
	w.Add()
	if rest.len() > 0 {
		w.refused(rest, a.err)
		return
	}
	w.moved = w.moving
	if a.err == nil && w.spare.tasks == nil {
		w.spare = a.reuse()
	}
}

// refused handles the part of a batch that the store refused. Its tasks are not done, so the mark doesn't pass them.
func (w *worker) refused(b batch, err error) {
	switch b = w.kept(b); {
	case b.len() == 0:
	case temporary(err) || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrBroken) || errors.Is(err, context.Canceled):
		w.stuck(err)
	case b.len() > 1: // only one of them can't be stored
		w.singly = b.len()
		w.batch = b.before(w.batch)
	default:
		t, s := b.tasks[0], b.settlements[0]
		dead := s.Outcome.State == store.Dead // no effect can change it
		if dead && len(s.Outcome.Emit) == 0 {
			w.fail(err)
			return
		}
		err = fmt.Errorf("its result can't be stored: %w", err)
		out := store.Outcome{State: store.Dead, Error: err.Error()}
		if !dead {
			out = w.dead(t, w.delivery(t), err)
		}
		b.settlements[0] = w.settlement(t, out)
		w.batch = b.before(w.batch)
		w.singly++
	}
}

// stuck ends the worker when the store accepts no more writes. At a stop this is expected.
func (w *worker) stuck(err error) {
	if !errors.Is(err, store.ErrClosed) && !errors.Is(err, context.Canceled) && !temporary(err) {
		w.fail(err)
	}
}

// took is how long a task's attempt took, rounded for people.
func took(t *queue.Task) time.Duration {
	d := t.Took
	if d == 0 { // within the store's transaction
		d = time.Since(t.Started)
	}
	if d > time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}

// logCancelled logs a cancelled run. With unbegun, the line has no attempt, because it never began.
func (w *worker) logCancelled(t *queue.Task, unbegun bool) {
	args := []any{"handler", w.h.Name, "event", t.Event.ID, "type", t.Event.Type, "run", w.runID(t)}
	if !unbegun {
		args = append(args, "attempt", t.Attempt, "took", took(t))
	}
	w.r.o.Log.Info("run was cancelled", args...)
}

func (w *worker) log(t *queue.Task, out store.Outcome) {
	args := []any{"handler", w.h.Name, "event", t.Event.ID, "type", t.Event.Type, "attempt", t.Attempt, "took", took(t), "error", out.Error}
	if id, ok := w.r.o.Tracer.TraceOf(t.Event); ok {
		args = append(args, "trace_id", id)
	}
	if out.State == store.Retrying {
		w.r.o.Log.Warn("attempt failed", append(args, "next", out.NextAttemptAt.UTC().Format(time.RFC3339))...)
		return
	}
	args = append(args, "run", w.runID(t))
	if slices.ContainsFunc(out.Emit, func(e *events.Event) bool { return e.Type == events.TypeRunDead }) {
		w.r.o.Log.Error("run is dead", args...)
		return
	}
	w.r.o.Log.Error("run is dead, and only this line reports it", args...)
	if w.r.o.Unannounced != nil {
		w.r.o.Unannounced()
	}
}

// lowWater returns the low-water mark once these tasks are settled.
func (w *worker) lowWater(settling []*queue.Task) int64 {
	return max(w.moved, w.queue.LowWater(settling))
}

// moveMark stores the mark of a handler that has nothing to settle.
func (w *worker) moveMark(work context.Context) {
	mark := w.lowWater(nil)
	held := w.queue.Held()
	if mark <= w.moved || w.writing || held == 0 {
		return
	}
	marks := []store.Mark{{Handler: w.id, LowWater: mark, Slots: held}}
	_, err := w.r.o.Store.Settle(context.WithoutCancel(work), store.SettleBatch{Marks: marks, Node: w.node})
	if err == nil {
		w.moved = mark
	}
}
