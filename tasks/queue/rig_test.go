package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// memory is a store of one handler.
type memory struct {
	events []*events.Event
	runs   map[int64]*store.Run // by sequence
	mark   int64
	read   int // events that Events has returned
}

func (m *memory) Head(context.Context) (int64, error) { return int64(len(m.events)), nil }

func (m *memory) Events(_ context.Context, q store.EventQuery) (page []*events.Event, _ error) {
	defer func() { m.read += len(page) }()
	if q.Before == 0 {
		q.Before = math.MaxInt64
	}
	for _, e := range m.events[min(len(m.events), int(max(0, q.After))):] {
		switch {
		case e.Sequence >= q.Before || q.Limit > 0 && len(page) == q.Limit:
			return page, nil
		case q.Patterns != nil && !q.Patterns[0].Match(e.Type):
		case q.Sequences != nil && !slices.Contains(q.Sequences, e.Sequence):
		case q.Slots != 0 && !q.Slots.Has(store.SlotOf(e.Sequence)):
		case q.WithoutRun != 0 && m.runs[e.Sequence] != nil:
		default:
			page = append(page, e)
		}
	}
	return page, nil
}

// pending returns the runs that have not ended.
func (m *memory) pending(limit int, before func(a, b store.Run) int) (list []store.Run) {
	for _, r := range m.runs {
		if r.State == store.Running || r.State == store.Retrying {
			list = append(list, *r)
		}
	}
	slices.SortFunc(list, before)
	return list[:min(limit, len(list))]
}

func (m *memory) Pending(_ context.Context, _ store.HandlerID, slots store.Slots, limit int) ([]store.Run, error) {
	list := slices.DeleteFunc(m.pending(math.MaxInt, func(a, b store.Run) int {
		return cmp.Or(a.NextAttemptAt.Compare(b.NextAttemptAt), cmp.Compare(a.Sequence, b.Sequence))
	}), func(r store.Run) bool { return !slots.Has(store.SlotOf(r.Sequence)) })
	return list[:min(limit, len(list))], nil
}

func (m *memory) Runs(_ context.Context, q store.RunQuery) (list []store.Run, _ error) {
	for _, r := range m.runs {
		if slices.Contains(q.IDs, fmt.Sprint(r.Sequence)) {
			list = append(list, *r)
		}
	}
	return list, nil
}

func (m *memory) PendingAfter(_ context.Context, _ store.HandlerID, after int64, limit int) (page []store.Run, _ error) {
	for _, r := range m.pending(math.MaxInt, func(a, b store.Run) int { return cmp.Compare(a.Sequence, b.Sequence) }) {
		if r.Sequence > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

// rig runs the tasks of a queue like a worker, in steps that the test chooses. Only the test moves its clock.
type rig struct {
	t *testing.T
	memory
	bus     *events.Bus
	o       Options
	q       *Queue
	now     time.Time
	inside  bool                    // attempts are recorded when they are settled, not when they begin
	flying  map[int64]*Task         // attempts under way
	settled map[int64]store.Settled // attempts that the store has settled; the queue doesn't know it yet
	byHand  map[int64]bool          // runs that people have cancelled or retried
	begun   map[int64]time.Time     // when an attempt began last
	retried *HandOver
	ending  []int64       // running attempts of runs that are to be cancelled
	free    map[int64]int // attempts of runs that must not count: they were claimed ahead when a kill came
}

// newRig opens a queue on an empty store.
func newRig(t *testing.T, o Options) *rig {
	r := &rig{t: t, memory: memory{runs: map[int64]*store.Run{}}, begun: map[int64]time.Time{}, byHand: map[int64]bool{}, free: map[int64]int{}, bus: events.NewBus(), o: o, now: time.Unix(1e9, 0)}
	r.open()
	return r
}

// open is a start of the daemon: the queue only knows the store.
func (r *rig) open() {
	r.t.Helper()
	r.flying, r.settled, r.retried = map[int64]*Task{}, map[int64]store.Settled{}, NewHandOver()
	r.o.Journal, r.o.Bus, r.o.Changed = &r.memory, r.bus, r.retried
	if r.o.Patterns == nil {
		r.o.Patterns = []events.Pattern{events.MustPattern(">")}
	}
	r.o.Now = func() time.Time { return r.now }
	r.o.Cancelled = func(t *Task, _ string) {
		if run := r.runs[t.Seq]; run.Cancelling && t.Err == nil && r.flying[t.Seq] == t {
			r.ending = append(r.ending, t.Seq)
		}
	}
	q, err := Open(context.Background(), r.o, store.Consumer{ID: 1, LowWater: r.mark}, store.Grant{Slots: store.AllSlots, LowWater: r.mark})
	if err != nil {
		r.t.Fatal(err)
	}
	r.q = q
}

// kill ends the daemon: unsettled results are lost.
func (r *rig) kill() {
	r.q.Close()
	for seq, t := range r.flying {
		if _, over := r.settled[seq]; t.Ahead && t.Err == nil && !over {
			r.free[seq]++
		}
	}
}

// stop ends the daemon: what was claimed ahead is withdrawn.
func (r *rig) stop() {
	r.q.Close()
	for seq, t := range r.flying {
		if _, over := r.settled[seq]; t.Ahead && t.Err == nil && !over {
			if run := r.runs[seq]; run.Cancelling {
				r.free[seq]++
			} else {
				delete(r.runs, seq)
			}
		}
	}
}

// emit accepts an event.
func (r *rig) emit(subject string) int64 {
	e := &events.Event{Type: "x", Subject: subject, Sequence: int64(len(r.events) + 1), Data: []byte("{}")}
	r.events = append(r.events, e)
	r.bus.Publish([]*events.Event{e})
	return e.Sequence
}

// work begins every attempt that can begin, and settles those that have already failed.
func (r *rig) work() {
	r.t.Helper()
	for {
		t := r.next()
		if t == nil && len(r.ending) == 0 {
			return
		}
		if r.endCancelled(); t == nil {
			continue
		}
		if r.flying[t.Seq] != nil {
			r.t.Fatalf("#%d was given twice at a time", t.Seq)
		}
		switch {
		case t.Err != nil:
			r.flying[t.Seq] = t
			r.settle(t.Seq, store.Outcome{State: store.Retrying, NextAttemptAt: r.now, Uncounted: t.Ahead})
			r.answer(t.Seq)
		case t.Skip:
			r.flying[t.Seq] = t
			r.settle(t.Seq, store.Outcome{State: store.Skipped})
			r.answer(t.Seq)
		default:
			r.begin(t)
		}
	}
}

// next delivers the events of the bus and returns the next task.
func (r *rig) next() *Task {
	r.t.Helper()
	for {
		t, err := r.q.Next(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		if t != nil {
			return t
		}
		live, wait := r.q.Wait()
		select {
		case batch, ok := <-live:
			if err := r.q.Received(batch, ok); err != nil {
				r.t.Fatal(err)
			}
		default:
			if wait == 0 {
				r.t.Fatal("nothing came, and it does not wait")
			}
			return nil
		}
	}
}

// begin records an attempt.
func (r *rig) begin(t *Task) {
	r.t.Helper()
	r.q.Begin(t)
	if r.fenced(t) {
		r.q.End(t)
		r.q.Done(t, store.Settled{Fenced: true})
		return
	}
	t.Ahead = r.o.Ahead != nil && t.First() && len(r.flying)-len(r.settled) >= r.o.Concurrency
	r.begun[t.Seq] = r.now
	r.flying[t.Seq] = t
	if !r.inside {
		r.record(t, store.Outcome{State: store.Running})
		t.Claimed = true
	}
}

// fenced reports whether the store refuses the claim or the settlement of an attempt. That only happens to runs that people have changed.
func (r *rig) fenced(t *Task) bool {
	r.t.Helper()
	run, ok := r.runs[t.Seq], false
	switch {
	case run == nil:
		ok = t.Attempt == 1
	case t.Claimed:
		ok = run.State == store.Running && run.Attempt == t.Attempt
	default:
		ok = run.State == store.Retrying && run.Attempt == t.Attempt-1
	}
	if !ok && !r.byHand[t.Seq] && (run == nil || !r.byHand[run.Joined]) {
		r.t.Fatalf("attempt %d of %+v", t.Attempt, run)
	}
	return !ok
}

// record stores the state of a run and, at its first attempt, the skipped runs of the events that it joins.
func (r *rig) record(t *Task, out store.Outcome) {
	r.t.Helper()
	run := &store.Run{Sequence: t.Seq, State: out.State, Attempt: t.Attempt, Budget: t.Budget, StartedAt: t.Started, NextAttemptAt: out.NextAttemptAt}
	if out.Uncounted || t.Ahead && out.State == store.Running {
		run.Budget++
	}
	r.runs[t.Seq] = run
	for _, seq := range t.Joins {
		if run := r.runs[seq]; !t.Recorded() && run != nil {
			if r.byHand[seq] {
				continue
			}
			r.t.Fatalf("#%d joins #%d, and was %+v", seq, t.Seq, run)
		} else if t.Recorded() && r.byHand[seq] && run.Joined == 0 {
			continue
		}
		r.runs[seq] = &store.Run{Sequence: seq, State: store.Skipped, Joined: t.Seq}
	}
}

// end ends an attempt that begin began, and settles it.
func (r *rig) end(seq int64, out store.Outcome) {
	r.t.Helper()
	r.q.End(r.flying[seq])
	r.settle(seq, out)
	r.answer(seq)
}

// settle stores the outcome of an attempt, with the mark. The queue only learns it from answer.
func (r *rig) settle(seq int64, out store.Outcome) {
	r.t.Helper()
	t := r.flying[seq]
	if r.fenced(t) {
		r.settled[seq] = store.Settled{Fenced: true}
		return
	}
	if run := r.runs[seq]; run != nil && run.Cancelling && out.State != store.Succeeded && out.State != store.Skipped {
		out.State, out.NextAttemptAt = store.Cancelled, time.Time{}
	}
	mark := max(r.mark, r.q.LowWater([]*Task{t}))
	r.record(t, out)
	r.settled[seq] = store.Settled{Outcome: out}
	for s := r.mark + 1; s <= mark; s++ {
		if r.runs[s] == nil {
			r.t.Fatalf("the mark passes #%d, which has no run: %d to %d", s, r.mark, mark)
		}
	}
	r.mark = mark
}

// answer returns a settled task to the queue.
func (r *rig) answer(seq int64) {
	t, out := r.flying[seq], r.settled[seq]
	delete(r.flying, seq)
	delete(r.settled, seq)
	r.q.Done(t, out)
}

// retry makes a dead, retrying or cancelled run due now.
func (r *rig) retry(seq int64) {
	run := r.runs[seq]
	run.State, run.NextAttemptAt, r.byHand[seq] = store.Retrying, r.now, true
	r.retried.Give([]store.Run{*run})
}

// cancel cancels a run, or an event that has none yet.
func (r *rig) cancel(seq int64) {
	run := r.runs[seq]
	if run == nil {
		run = &store.Run{Sequence: seq}
		r.runs[seq] = run
	}
	if run.State == store.Running {
		run.Cancelling = true
	} else {
		run.State, run.NextAttemptAt = store.Cancelled, time.Time{}
	}
	r.byHand[seq] = true
	r.retried.Give([]store.Run{*run})
}

// endCancelled ends the attempts that the queue has named, like a worker. An attempt that was claimed ahead has not begun.
func (r *rig) endCancelled() {
	for _, seq := range r.ending {
		t := r.flying[seq]
		if _, over := r.settled[seq]; over || t == nil {
			continue
		}
		r.q.End(t)
		r.settle(seq, store.Outcome{State: store.Cancelled})
		if t.Ahead && !r.settled[seq].Fenced {
			r.runs[seq].Attempt--
		}
	}
	r.ending = nil
}

// sequences returns the sequences of the running attempts.
func (r *rig) sequences() []int64 { return slices.Sorted(maps.Keys(r.flying)) }

// in returns the sequences of the runs in a state.
func (r *rig) in(state store.RunState) (list []int64) {
	for seq, run := range r.runs {
		if run.State == state {
			list = append(list, seq)
		}
	}
	slices.Sort(list)
	return list
}
