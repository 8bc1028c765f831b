package sqlite

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// together blocks the writer, queues the writes in order, and releases the writer, which takes them into one transaction. It returns the errors of
// the writes.
func (d *timed) together(writes ...func() error) []error {
	d.t.Helper()
	errs := make([]error, len(writes))
	busy, release := make(chan struct{}), make(chan struct{})
	if err := d.w.enqueue(d.t.Context(), newOp(1, 0, func(*txn) error {
		close(busy)
		<-release
		return nil
	})); err != nil {
		d.t.Fatal(err)
	}
	<-busy
	var wg sync.WaitGroup
	for i, write := range writes {
		before := len(d.w.ops)
		wg.Go(func() { errs[i] = write() })
		for len(d.w.ops) == before {
			runtime.Gosched()
		}
	}
	close(release)
	wg.Wait()
	return errs
}

// A group commit takes the writes of many callers. Only a write that fails is refused; the others commit, in one transaction.
func TestABadWriteFailsNobodyElses(t *testing.T) {
	d := openTimed(t)
	d.start()
	taken := []*events.Event{{ID: "taken", Source: "/t", Type: "a"}}
	if _, err := d.Append(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	appending := func(id string, size int) func() error { // its subject doesn't count among the bytes that fill a transaction
		return func() error {
			_, err := d.Append(t.Context(), []*events.Event{{ID: id, Source: "/t", Type: "a", Subject: strings.Repeat("x", size)}})
			return err
		}
	}
	clashing := func() error {
		_, err := d.Settle(t.Context(), store.SettleBatch{Settlements: []store.Settlement{{Event: taken[0], Handler: d.h, Attempt: 1,
			Outcome: store.Outcome{State: store.Succeeded, Emit: []*events.Event{{ID: "half", Source: "/t", Type: "a"}, {ID: "taken", Source: "/t", Type: "a"}}}}}})
		return err
	}
	tooLarge := appending("large", 8<<20)
	unknown := func() error { _, err := d.Resume(t.Context(), "nobody", 0, nil); return err }
	for name, bad := range map[string]func() error{"a clash": clashing, "a value that is too large": tooLarge, "an unknown handler": unknown} {
		t.Run(name, func(t *testing.T) {
			for place := range 3 { // the bad one comes first, in the middle, last
				d.taken()
				writes := []func() error{appending(fmt.Sprint(name, place, "one"), 1), appending(fmt.Sprint(name, place, "two"), 1)}
				errs := d.together(slices.Insert(writes, place, bad)...)
				for i, err := range errs {
					if (err != nil) != (i == place) {
						t.Errorf("the bad write is number %d; number %d: %v", place, i, err)
					}
				}
				want := []string{fmt.Sprint(name, place, "one ", name, place, "two")}
				if got := d.taken(); !slices.Equal(got, want) {
					t.Errorf("the bad write is number %d: committed %q, want %q", place, got, want)
				}
			}
		})
	}
	t.Run("all of them", func(t *testing.T) {
		errs := d.together(clashing, appending("between", 1), tooLarge, unknown, appending("last", 1))
		if !errors.Is(errs[0], store.ErrClash) || errs[1] != nil || errs[2] == nil || !errors.Is(errs[3], store.ErrNotFound) || errs[4] != nil {
			t.Errorf("%v", errs)
		}
	})
	for id, stored := range map[string]bool{"half": false, "large": false, "between": true, "last": true} {
		if _, err := d.Event(t.Context(), id); errors.Is(err, store.ErrNotFound) == stored {
			t.Errorf("event %s: %v", id, err)
		}
	}
	if runs, err := d.Runs(t.Context(), store.RunQuery{}); err != nil || len(runs) != 0 {
		t.Errorf("%v, %v", runs, err)
	}
}

// A transaction takes a limited number of events and bytes; the write that reaches the limit is still in it. The rest waits for the next.
func TestATransactionIsBounded(t *testing.T) {
	d := openTimed(t)
	d.start()
	appending := func(id string, count, size int) func() error {
		var evs []*events.Event
		for i := range count {
			evs = append(evs, &events.Event{ID: fmt.Sprint(id, i), Source: "/t", Type: "a", Data: []byte(`"` + strings.Repeat("x", size) + `"`)})
		}
		return func() error {
			_, err := d.Append(t.Context(), evs)
			return err
		}
	}
	for name, c := range map[string]struct{ events, size int }{"events": {maxBatchWeight/2 + 1, 1}, "bytes": {1, maxBatchBytes/2 + 1}} {
		d.taken()
		if err := errors.Join(d.together(appending(name+"a", c.events, c.size), appending(name+"b", c.events, c.size), appending(name+"c", c.events, c.size))...); err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, commit := range d.taken() {
			got = append(got, len(strings.Fields(commit)))
		}
		if want := []int{2 * c.events, c.events}; !slices.Equal(got, want) {
			t.Errorf("%s: transactions of %d, want %d", name, got, want)
		}
	}
}

// If no other write waits, user statements have a transaction's whole time, even statements of several callers.
func TestStatementsOfSeveralCallersShareATransaction(t *testing.T) {
	d := openTimed(t)
	d.start()
	s := parse(t, `INSERT INTO t VALUES (1)`)
	settling := func() func() error {
		b := d.effects(s, nil, 15*time.Millisecond)
		return func() error { _, err := d.Settle(t.Context(), b); return err }
	}
	if err := settling()(); err != nil { // now its time is known
		t.Fatal(err)
	}
	writes := []func() error{settling(), settling(), settling()}
	d.taken()
	if err := errors.Join(d.together(writes...)...); err != nil {
		t.Fatal(err)
	}
	if got, want := d.taken(), []string{"e2:succeeded e3:succeeded e4:succeeded"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
