package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// timed is a store for which the test sets how long user statements take by the writer's clock.
type timed struct {
	*Store
	t *testing.T
	h store.HandlerID
	n int // events so far

	mu      sync.Mutex
	now     time.Time
	commits []string // the content of each transaction: events, and the runs' event ids with their states
}

func openTimed(t *testing.T) *timed {
	t.Helper()
	d := &timed{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{Options: store.Options{
		WantRuns: func() bool { return true },
		OnCommit: func(c store.Commit) {
			text := ""
			for _, e := range c.Events {
				text += " " + e.ID
			}
			for _, r := range c.Runs {
				text += fmt.Sprintf(" %s:%v", r.EventID, r.State)
			}
			d.mu.Lock()
			d.commits = append(d.commits, text[1:])
			d.mu.Unlock()
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.w.clock = func() time.Time {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.now
	}
	if err := s.w.conn.Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	d.Store = s
	return d
}

// start runs the writer until the test ends.
func (d *timed) start() {
	d.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	d.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
		d.Close()
	})
	list, err := d.Register(context.Background(), []store.Registration{{Name: "h"}}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.h = list[0].ID
}

func (d *timed) pass(took time.Duration) {
	d.mu.Lock()
	d.now = d.now.Add(took)
	d.mu.Unlock()
}

// effects makes settlements, one for each event, whose statements take the given time. before is called as each begins.
func (d *timed) effects(s *store.Statement, before func(i int), took ...time.Duration) (b store.SettleBatch) {
	d.t.Helper()
	for i, took := range took {
		d.n++
		e := &events.Event{ID: fmt.Sprint("e", d.n), Source: "/t", Type: "a", Time: time.Now()}
		if _, err := d.Append(context.Background(), []*events.Event{e}); err != nil {
			d.t.Fatal(err)
		}
		b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: d.h, Attempt: 1, Statement: s, Effect: func(tx store.Tx) store.Outcome {
			if before != nil {
				before(i)
			}
			d.pass(took)
			if _, err := tx.Exec(s, nil); err != nil {
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}
			return store.Outcome{State: store.Succeeded}
		}})
	}
	return b
}

// taken returns the transactions committed since the last call.
func (d *timed) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.commits
	d.commits = nil
	return list
}

func repeat(n int, d time.Duration) []time.Duration { return slices.Repeat([]time.Duration{d}, n) }

// A batch of many statements must not be one transaction: a waiting acknowledgement comes in between.
func TestATransactionTakesStatementsForItsTimeOnly(t *testing.T) {
	d := openTimed(t)
	d.start()
	s := parse(t, `INSERT INTO t VALUES (1)`)
	waiting := make(chan error, 1)
	b := d.effects(s, func(i int) {
		if i == 2 { // a stranger comes while the third runs
			queued := make(chan struct{})
			o := newOp(1, 0, func(t *txn) error {
				return t.append([]*events.Event{{ID: "stranger", Source: "/s", Type: "a"}}, make([]store.Receipt, 1))
			})
			go func() {
				d.w.ops <- o
				close(queued)
				waiting <- <-o.done
			}()
			<-queued
		}
	}, repeat(8, 20*time.Millisecond)...)
	b.Marks = []store.Mark{{Handler: d.h, LowWater: 8}}
	d.taken()
	settled, err := d.Settle(context.Background(), b)
	if err != nil || len(settled) != 8 {
		t.Fatal(len(settled), err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	want := []string{"e1:succeeded e2:succeeded", "e3:succeeded e4:succeeded", "stranger", "e5:succeeded e6:succeeded", "e7:succeeded e8:succeeded"}
	if got := d.taken(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if known, err := d.Register(context.Background(), []store.Registration{{Name: "h"}}, nil); err != nil || known[0].LowWater != 8 {
		t.Errorf("mark: %v, %v", known, err)
	}
}

// A statement that is known to be slow does not begin in a transaction that another write waits for.
func TestASlowStatementHasATurnOfItsOwn(t *testing.T) {
	d := openTimed(t)
	d.start()
	slow, fast := parse(t, `INSERT INTO t VALUES (1)`), parse(t, `INSERT INTO t VALUES (2)`)
	for s, took := range map[*store.Statement]time.Duration{slow: 40 * time.Millisecond, fast: time.Millisecond} {
		if _, err := d.Settle(context.Background(), d.effects(s, nil, took)); err != nil {
			t.Fatal(err)
		}
	}
	a, b := d.effects(slow, nil, repeat(3, 40*time.Millisecond)...), d.effects(fast, nil, repeat(3, time.Millisecond)...)
	d.taken()
	// All of these are waiting when the writer gathers again: it is busy with the first.
	var wg sync.WaitGroup
	queue := func(do func() error) {
		before := len(d.w.ops)
		wg.Go(func() {
			if err := do(); err != nil {
				t.Error(err)
			}
		})
		for len(d.w.ops) == before {
			runtime.Gosched()
		}
	}
	o := newOp(1, 0, func(*txn) error {
		queue(func() error { _, err := d.Settle(context.Background(), a); return err })
		queue(func() error { _, err := d.Settle(context.Background(), b); return err })
		queue(func() error {
			_, err := d.Append(context.Background(), []*events.Event{{ID: "stranger", Source: "/s", Type: "a"}})
			return err
		})
		return nil
	})
	if err := d.w.submit(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	want := []string{"stranger e6:succeeded e7:succeeded e8:succeeded", "e3:succeeded", "e4:succeeded", "e5:succeeded"}
	if got := d.taken(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// After a hold all other writes have the writer for as long.
func TestAHoldIsFollowedByAsMuchOfOthers(t *testing.T) {
	d := openTimed(t)
	s := parse(t, `INSERT INTO t VALUES (1)`)
	d.start()
	b := d.effects(s, nil, repeat(2, 2*time.Second)...)
	for i := range b.Settlements {
		b.Settlements[i].Hold = 3 * time.Second
	}
	d.taken()
	if settled, err := d.Settle(context.Background(), store.SettleBatch{Settlements: b.Settlements[:1]}); err != nil || settled[0].State != store.Succeeded {
		t.Fatal(settled, err)
	}
	var free time.Duration
	if err := d.w.submit(context.Background(), newOp(0, 0, func(*txn) error { free = d.w.turns.yieldUntil.Sub(d.w.clock()); return nil })); err != nil || free != 2*time.Second {
		t.Errorf("free for %v, %v", free, err)
	}
	second := make(chan error, 1)
	go func() {
		_, err := d.Settle(context.Background(), store.SettleBatch{Settlements: b.Settlements[1:]})
		second <- err
	}()
	for i := range 3 {
		if _, err := d.Append(context.Background(), []*events.Event{{ID: fmt.Sprint("stranger", i), Source: "/s", Type: "a"}}); err != nil {
			t.Fatal(err)
		}
	}
	d.pass(2 * time.Second) // until somebody wakes the writer, it sleeps by the real clock
	if _, err := d.Append(context.Background(), []*events.Event{{ID: "waker", Source: "/s", Type: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	got := slices.DeleteFunc(d.taken(), func(c string) bool { return c == "waker" })
	if want := []string{"e1:succeeded", "stranger0", "stranger1", "stranger2", "e2:succeeded"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A stop does not delay statements with a hold.
func TestAStopYieldsToNobody(t *testing.T) {
	q := turns{yieldUntil: time.Now().Add(time.Hour)}
	q.add(&op{turn: holding})
	if q.take(time.Now(), false) != nil || q.take(time.Now(), true) == nil {
		t.Error("the turn is not taken when it should be")
	}
}

// A statement that takes too long is tried a second time alone; then only the statement itself decides whether it succeeds.
func TestAStatementThatTakesTooLongIsTriedOnceMoreByItself(t *testing.T) {
	for name, slowAgain := range map[string]bool{"a slow machine": false, "a slow statement": true} {
		t.Run(name, func(t *testing.T) {
			d := openTimed(t)
			d.start()
			b := d.effects(parse(t, `INSERT INTO t VALUES (1)`), nil, 0, 0, 0)
			effect, tries := b.Settlements[1].Effect, 0
			b.Settlements[1].Effect = func(tx store.Tx) store.Outcome {
				if tries++; tries == 1 || slowAgain {
					txn := (*txn)(tx.(*effectTx))
					if txn.doom == nil { // as Exec does
						txn.failed = &endedError{fmt.Errorf("%w: more than 50ms", store.ErrTimeout)}
						return store.Outcome{}
					}
				}
				return effect(tx)
			}
			d.taken()
			settled, err := d.Settle(context.Background(), b)
			if err != nil || settled[0].State != store.Succeeded || (settled[1].State == store.Dead) != slowAgain || settled[2].State != store.Succeeded {
				t.Errorf("%v, %v", settled, err)
			}
			want := []string{"e1:succeeded", "e2:succeeded", "e3:succeeded"}
			if slowAgain {
				want = []string{"e1:succeeded", "e2:dead e3:succeeded"}
			}
			if got := d.taken(); !slices.Equal(got, want) || tries < 2 {
				t.Errorf("after %d tries: %q, want %q", tries, got, want)
			}
		})
	}
}

// Settlements that committed before the store failed are not repeated, and their answers are not lost.
func TestAnErrorLeavesTheAnswersOfWhatIsSettled(t *testing.T) {
	d := openTimed(t)
	d.start()
	b := d.effects(parse(t, `INSERT INTO t VALUES (1)`), nil, repeat(4, 40*time.Millisecond)...)
	effect := b.Settlements[2].Effect
	full := true
	b.Settlements[2].Effect = func(tx store.Tx) store.Outcome {
		if full {
			(*txn)(tx.(*effectTx)).failed = store.ErrFull
			return store.Outcome{}
		}
		return effect(tx)
	}
	settled, err := d.Settle(context.Background(), b)
	if !errors.Is(err, store.ErrFull) || len(settled) != 2 {
		t.Fatalf("%v, %v", settled, err)
	}
	full = false
	if settled, err = d.Settle(context.Background(), store.SettleBatch{Settlements: b.Settlements[2:]}); err != nil || len(settled) != 2 || settled[0].Fenced {
		t.Errorf("%v, %v", settled, err)
	}
}
