package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// keyed counts what an ordered handler did, by key.
type keyed struct {
	mu      sync.Mutex
	numbers map[string][]int64
	blocked atomic.Bool // attempts for the key "hot" fail
	failed  atomic.Int64
}

func (k *keyed) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	key := d.Event.Subject
	if key == "hot" && k.blocked.Load() {
		k.failed.Add(1)
		return nil, errors.New("not yet")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.numbers == nil {
		k.numbers = map[string][]int64{}
	}
	k.numbers[key] = append(k.numbers[key], d.Event.Sequence)
	return nil, nil
}

func (k *keyed) handler(t *testing.T) *tasks.Handler {
	t.Helper()
	by, err := expression.Compile("event.subject", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	return &tasks.Handler{Name: "h", On: on(">"), Action: k, OrderBy: by, Concurrency: 8,
		Retry: tasks.Retry{Attempts: 1 << 30, Backoff: time.Millisecond, Max: 5 * time.Millisecond}}
}

// emitKeyed sends n rounds: one event of each key, and two of the hot one.
func emitKeyed(t *testing.T, d *daemon, n int, keys ...string) {
	t.Helper()
	var batch []*events.Event
	for i := range n {
		for _, key := range append(keys, "hot", "hot") {
			batch = append(batch, &events.Event{Type: "a", Source: "/test", Subject: key})
		}
		if i == n-1 || len(batch) >= 500 {
			if _, err := d.emitter.Emit(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
}

func (k *keyed) check(t *testing.T, key string, n int) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	got := k.numbers[key]
	if len(got) != n {
		t.Errorf("%s: %d of %d events were handled", key, len(got), n)
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("%s: out of order, or twice", key)
	}
}

// A key that waits for a retry has far more events behind it than fit in memory, so that other keys have no room either.
func TestKeysBeyondMemoryAreReadOnFromTheJournal(t *testing.T) {
	const n = 700
	k := &keyed{}
	k.blocked.Store(true)
	d := start(t, path(t), k.handler(t))
	var keys []string
	for i := range 3 {
		keys = append(keys, fmt.Sprint("key-", i))
	}
	emitKeyed(t, d, n, keys...)
	d.settled(3 * n) // the others go on
	k.check(t, "hot", 0)
	k.blocked.Store(false)
	d.settled(5 * n)
	for _, key := range keys {
		k.check(t, key, n)
	}
	k.check(t, "hot", 2*n)
}

// The events behind a held key are still there when evrun is stopped and started meanwhile.
func TestHeldKeysSurviveARestart(t *testing.T) {
	const n = 400
	k := &keyed{}
	k.blocked.Store(true)
	p := path(t)
	d := start(t, p, k.handler(t))
	emitKeyed(t, d, n, "x")
	d.settled(n)
	d.stop()

	d = start(t, p, k.handler(t))
	before := k.failed.Load()
	emitKeyed(t, d, n, "x")
	d.settled(2 * n)
	for k.failed.Load() < before+3 { // retried, and still first of its key
		wait(time.Millisecond)
	}
	k.check(t, "hot", 0)
	k.blocked.Store(false)
	d.settled(6 * n)
	k.check(t, "x", 2*n)
	k.check(t, "hot", 4*n)
}

// With many keys at once every event gets its turn, although the keys compete for room in memory.
func TestManyKeysFindTheirTurn(t *testing.T) {
	const keys, n = 1000, 6
	k := &keyed{}
	d := start(t, path(t), k.handler(t))
	var names []string
	for i := range keys {
		names = append(names, fmt.Sprint("key-", i))
	}
	emitKeyed(t, d, n, names...)
	d.settled(n * (keys + 2))
	for _, key := range names {
		k.check(t, key, n)
	}
	k.check(t, "hot", 2*n)
}

func TestOneAtATimeKeepsTheOrder(t *testing.T) {
	var mu sync.Mutex
	var order []int64
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Concurrency: 1, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, d.Event.Sequence)
		return nil, nil
	})})
	for i := range 100 {
		d.emit("a", fmt.Sprint(i))
	}
	d.settled(100)
	if !slices.IsSorted(order) || len(order) != 100 {
		t.Errorf("order: %v", order)
	}
}

func TestEventsWithOneKeyRunInOrderAndRetriesHoldTheirKeyOnly(t *testing.T) {
	orderBy, err := expression.Compile("data.key", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	done := map[string][]string{}
	blocked := make(chan struct{})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on(">"), Concurrency: 8, OrderBy: orderBy, Retry: tasks.Retry{Attempts: 1000, Backoff: time.Millisecond, Max: time.Millisecond},
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			key, id, _ := strings.Cut(d.Event.ID, "/")
			if key == "bad" && id == "000" {
				select {
				case <-blocked:
				default:
					return nil, errors.New("not yet")
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done[key] = append(done[key], id)
			return nil, nil
		})})
	for i := range 50 {
		for _, key := range []string{"bad", "x", "y"} {
			d.emit("a", fmt.Sprintf("%s/%03d", key, i))
		}
	}
	d.settled(100) // x and y go on
	mu.Lock()
	if len(done["bad"]) != 0 {
		t.Errorf("bad: %v ran before the first", done["bad"])
	}
	mu.Unlock()
	close(blocked)
	d.settled(150)
	for key, ids := range done {
		if len(ids) != 50 || !slices.IsSorted(ids) {
			t.Errorf("%s: %v", key, ids)
		}
	}
}
