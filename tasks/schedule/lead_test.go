package schedule_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule"
	"evrun/tasks/taskstest"
)

// oneLead gives the lead to one of the schedulers that ask for it, as the test wants.
type oneLead struct {
	store.Leases
	mu     sync.Mutex
	leases []*leadLease
}

type leadLease struct {
	of     *oneLead
	c      chan struct{}
	change store.LeaseChange
	has    bool
}

func (o *oneLead) Nodes(context.Context) ([]store.Node, error) { return make([]store.Node, 2), nil }

func (o *oneLead) Hold(context.Context, store.Consumer, store.Division) (store.Lease, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := &leadLease{of: o, c: make(chan struct{}, 1)}
	o.leases = append(o.leases, l)
	return l, nil
}

func (l *leadLease) C() <-chan struct{} { return l.c }
func (l *leadLease) Close()             { l.Give(1) }

func (l *leadLease) Take() store.LeaseChange {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	c := l.change
	l.change = store.LeaseChange{}
	return c
}

func (l *leadLease) Give(slots store.Slots) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.has = l.has && slots == 0
}

// pass asks for the lead, or gives it to somebody, or takes it away.
func (o *oneLead) pass(rnd *rand.Rand) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.leases[rnd.IntN(len(o.leases))]
	for _, other := range o.leases {
		switch {
		case !other.has:
		case rnd.IntN(3) == 0: // its node is gone
			other.has = false
			other.change = store.LeaseChange{Lost: 1}
			other.tell()
		default:
			other.change.Asked = 1
			other.tell()
			return
		}
	}
	l.has = true
	l.change.Gained = []store.Grant{{Slots: 1}}
	l.tell()
}

func (l *leadLease) tell() {
	select {
	case l.c <- struct{}{}:
	default:
	}
}

// Two schedulers share a store, and the lead moves between them at random: each slot fires once, though their clocks differ, and a pause at one of them
// holds for both.
func TestALeadThatMovesFiresEachSlotOnce(t *testing.T) {
	for seed := range uint64(20) {
		path := filepath.Join(t.TempDir(), "evrun.db")
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			s, stop := taskstest.OpenStore(t, path, sqlite.Options{Unwatched: true})
			lead := &oneLead{}
			ctx, end := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var both []*schedule.Scheduler
			start := time.Now()
			for i := range 2 {
				x := schedule.NewScheduler(schedule.Options{
					Store: s, Leases: lead, Emitter: emitter.New(s, 0), Entries: []*schedule.Entry{everyTenSeconds(t, schedule.MissedAll)}, Log: slog.New(slog.DiscardHandler),
				})
				x.Skew(time.Duration(i) * time.Duration(seed) * 3 * time.Second) // one clock is up to a minute ahead
				both = append(both, x)
				wg.Go(func() {
					if err := x.Run(ctx); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			lead.pass(rnd) // somebody has it from the start
			for time.Since(start) < 20*time.Minute {
				time.Sleep(time.Duration(rnd.IntN(40)) * time.Second)
				lead.pass(rnd)
				synctest.Wait()
			}
			for range 3 { // asked, given, granted
				lead.pass(rnd)
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			evs, err := s.Events(t.Context(), store.EventQuery{Patterns: on(t, "tick"), Limit: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, e := range evs {
				if seen[e.ID] {
					t.Errorf("seed %d: slot %s came twice", seed, e.ID)
				}
				seen[e.ID] = true
			}
			first := evs[0].Time
			for slot := first; slot.Before(time.Now().Add(-2 * time.Minute)); slot = slot.Add(10 * time.Second) {
				if !seen[schedule.SlotID(slot)] {
					t.Errorf("seed %d: slot %v is missing", seed, slot)
				}
			}
			if changed, err := both[0].Pause(t.Context(), "tick"); err != nil || !changed {
				t.Errorf("%v %v", changed, err)
			}
			for _, x := range both {
				x.Changed()
				synctest.Wait()
				if st, err := x.State(t.Context(), "tick"); err != nil || !st.PausedByHand {
					t.Errorf("%+v %v", st, err)
				}
			}
			before := len(seen)
			time.Sleep(time.Minute)
			evs, err = s.Events(t.Context(), store.EventQuery{Patterns: on(t, "tick"), Limit: 10_000})
			if err != nil || len(evs) != before {
				t.Errorf("seed %d: %d events, then %d while it is paused: %v", seed, before, len(evs), err)
			}
			end()
			wg.Wait()
			stop()
		})
	}
}

func on(t *testing.T, pattern string) []events.Pattern {
	t.Helper()
	return []events.Pattern{events.MustPattern(pattern)}
}
