package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// closing is an outside action that counts how often it is closed and done, and may have migrations.
type closing struct {
	closed  atomic.Int32
	migrate []*store.Statement
	do      func(d *tasks.Delivery) error
}

func (c *closing) Migrations() []*store.Statement { return c.migrate }

func (c *closing) Close() error {
	c.closed.Add(1)
	return nil
}

func (c *closing) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	if c.closed.Load() != 0 {
		return nil, tasks.Permanent(errors.New("done after it was closed"))
	}
	return nil, c.do(d)
}

// tally counts deliveries by event.
type tally struct {
	mu    sync.Mutex
	times map[string]int
	keys  map[string]int64 // the last sequence of each key
	wrong []string
}

func newTally() *tally { return &tally{times: map[string]int{}, keys: map[string]int64{}} }

func (c *tally) count(d *tasks.Delivery) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[d.Event.ID]++
	key, _, _ := strings.Cut(d.Event.ID, "/")
	if last := c.keys[key]; last > d.Event.Sequence {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: sequence %d after %d", d.Event.ID, d.Event.Sequence, last))
	}
	c.keys[key] = d.Event.Sequence
	return nil
}

// emitKeys has four senders publish total events of ten keys, 10 at a time.
func (d *daemon) emitKeys(total int) *sync.WaitGroup {
	var senders sync.WaitGroup
	for s := range 4 {
		senders.Go(func() {
			for i := range total / 4 / 10 {
				evs := make([]*events.Event, 10)
				for j := range evs {
					id := fmt.Sprintf("k%d/%d-%d", j, s, i)
					evs[j] = &events.Event{Type: "load.x", ID: id, Source: "/test", Data: fmt.Appendf(nil, `{"key":"k%d"}`, j)}
				}
				if _, err := d.emitter.Emit(context.Background(), evs...); err != nil {
					d.t.Error(err)
				}
				wait(time.Millisecond)
			}
		})
	}
	return &senders
}

// caughtUp waits until the first n handlers have no work left.
func (d *daemon) caughtUp(n int) {
	d.t.Helper()
	deadline := time.Now().Add(hang)
	for {
		status, err := d.runner.HandlerStatuses(context.Background())
		if err != nil {
			d.t.Fatal(err)
		}
		left := 0
		for _, s := range status[:n] {
			left += int(s.Behind) + s.Running + s.Retrying
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("it never came to an end: %+v", status)
		}
		wait(10 * time.Millisecond)
	}
}

// 10,000 events come in while the wiring is replaced fifty times: each handler that is wired all the time runs each of them once, in the order of
// their keys where it has one; one that is removed and added again runs none of them twice; an unchanged one isn't touched.
func TestEventsWhileTheWiringIsReplaced(t *testing.T) {
	total, reloads := storetest.Size(t, "", 2000, 10_000), storetest.Size(t, "", 10, 50)
	key, err := expression.Compile("data.key", expression.HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	same, changing, ordered, guest := newTally(), newTally(), newTally(), newTally()
	untouched := &closing{do: same.count}
	var all []*closing
	action := func(do func(d *tasks.Delivery) error) *closing {
		o := &closing{do: do}
		all = append(all, o)
		return o
	}
	var failing atomic.Int64
	wiring := func(n int) []*tasks.Handler {
		version := strconv.Itoa(n)
		list := []*tasks.Handler{
			{Name: "same", Version: "1", On: on("load.>"), Retry: quick, Action: untouched, Concurrency: 8},
			{Name: "changing", Version: version, On: on("load.>"), Retry: tasks.Retry{Attempts: 5, Backoff: time.Millisecond, Max: 20 * time.Millisecond}, Concurrency: 1 + n%8,
				Action: action(func(d *tasks.Delivery) error {
					if failing.Add(1)%97 == 0 {
						return errors.New("now and then it fails")
					}
					return changing.count(d)
				})},
			{Name: "ordered", Version: version, On: on("load.>"), Retry: quick, OrderBy: key, Concurrency: 8, Action: action(ordered.count)},
			{Name: "inside", Version: version, On: on("load.>"), Retry: quick, Action: saveUser},
		}
		if n%2 == 1 {
			list = append(list, &tasks.Handler{Name: "guest", Version: "1", On: on("load.>"), Retry: quick, Action: action(guest.count)})
		}
		return list
	}
	d := start(t, path(t), wiring(0)...)
	senders := d.emitKeys(total)
	for n := range reloads {
		changes, err := d.runner.Replace(t.Context(), wiring(n+1), tasks.Along{})
		if err != nil {
			t.Fatal(err)
		}
		if want := "[changing ordered inside]"; fmt.Sprint(changes.Changed) != want {
			t.Fatalf("reload %d: %+v", n, changes)
		}
		wait(time.Duration(n%20) * time.Millisecond)
	}
	senders.Wait()
	if _, err := d.runner.Replace(t.Context(), wiring(0), tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	d.caughtUp(4) // the guest is not wired
	d.stop()
	for name, c := range map[string]*tally{"same": same, "changing": changing, "ordered": ordered} {
		if len(c.times) != total {
			t.Errorf("%s ran on %d of %d events", name, len(c.times), total)
		}
	}
	for name, c := range map[string]*tally{"same": same, "changing": changing, "ordered": ordered, "guest": guest} {
		for id, n := range c.times {
			if n != 1 {
				t.Errorf("%s ran %d times on %s", name, n, id)
			}
		}
	}
	if len(ordered.wrong) > 0 {
		t.Errorf("%d out of order, the first: %s", len(ordered.wrong), ordered.wrong[0])
	}
	for _, c := range append(all, untouched) {
		if c.closed.Load() != 1 {
			t.Errorf("closed %d times", c.closed.Load())
		}
	}
}

// A replacement that fails changes nothing: no other handler's table, no schedule's mark, no handler.
func TestARefusedReplacementChangesNothing(t *testing.T) {
	counted := newTally()
	old := &closing{do: counted.count}
	at := path(t)
	d := start(t, at, &tasks.Handler{Name: "a", Version: "1", On: on("a.b"), Retry: quick, Action: old})
	const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c`
	for name, test := range map[string]struct {
		migrate []string
		want    string
	}{
		"it fails": {[]string{`CREATE TABLE bad (x)`, `INSERT INTO nothing VALUES (1)`}, "handler b: migrate: statement 2: "},
		"it takes over a second, and there is no end to it": {[]string{`CREATE TABLE bad (x)`, `INSERT INTO bad ` + endless},
			"nothing has changed: restart evrun, which gives migrations as long as they need"},
	} {
		good, bad := &closing{do: counted.count, migrate: statements(t, `CREATE TABLE good (x)`)}, &closing{do: counted.count, migrate: statements(t, test.migrate...)}
		now := time.Now()
		_, err := d.runner.Replace(t.Context(), []*tasks.Handler{
			{Name: "a", Version: "2", On: on("a.b"), Retry: quick, Action: good},
			{Name: "b", Version: "1", On: on("a.b"), Retry: quick, Action: bad},
		}, tasks.Along{Marks: []store.ScheduleMark{{Name: "tick", Since: now, Slot: now}}, Done: func() { t.Errorf("%s: done", name) }})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Fatalf("%s: error %v", name, err)
		}
		if n := good.closed.Load() + bad.closed.Load() + old.closed.Load(); n != 0 {
			t.Errorf("%s: %d were closed", name, n)
		}
		if tables := rowsOf(t, reader(t, at), `SELECT name FROM sqlite_schema WHERE name IN ('good', 'bad')`); len(tables) > 0 {
			t.Errorf("%s: there are the tables %v", name, tables)
		}
		if marks, err := d.store.ScheduleMarks(t.Context()); err != nil || len(marks) > 0 {
			t.Errorf("%s: there are the marks %v, %v", name, marks, err)
		}
	}
	d.emit("a.b", "1")
	if runs := d.settled(1); len(runs) != 1 || runs[0].Handler != "a" || runs[0].State != store.Succeeded {
		t.Errorf("runs %+v", runs)
	}
}

func statements(t *testing.T, texts ...string) (list []*store.Statement) {
	t.Helper()
	for _, text := range texts {
		s, err := sqlite.ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// A removed handler finishes its running attempts; a returning one continues where it stopped.
func TestAHandlerGoesAndComesBack(t *testing.T) {
	release, begun := make(chan struct{}), make(chan struct{}, 2)
	first := &tasks.Handler{Name: "a", Version: "1", On: on("a.b"), Retry: quick, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		begun <- struct{}{}
		<-release
		return nil, nil
	})}
	d := start(t, path(t), first)
	d.emit("a.b", "1")
	<-begun
	if _, err := d.runner.Replace(t.Context(), nil, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	d.emit("a.b", "2") // it waits
	var after sync.Map
	second := &tasks.Handler{Name: "a", Version: "2", On: on("a.b"), Retry: quick, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		after.Store(d.Event.ID, true)
		return nil, nil
	})}
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{second}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	status, err := d.runner.HandlerStatuses(t.Context())
	if err != nil || len(status) != 1 || !status[0].Replacing {
		t.Errorf("status %+v %v", status, err)
	}
	d.emit("a.b", "3")
	wait(20 * time.Millisecond)
	if _, early := after.Load("3"); early {
		t.Error("the new wiring ran beside the old one")
	}
	close(release)
	for _, r := range d.settled(3) {
		if r.State != store.Succeeded {
			t.Errorf("run %+v", r)
		}
	}
	if _, ok := after.Load("1"); ok {
		t.Error("the event that the old wiring had begun ran twice")
	}
}

// No kind of error shows a secret.
func TestSecretsAreTakenOutOfErrors(t *testing.T) {
	const secret = "s3cret-t0ken"
	redact := func(text string) string { return strings.ReplaceAll(text, secret, "[secret]") }
	leak := fmt.Errorf("the server said %s", secret)
	outside := func(f func() error) tasks.Action {
		return outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, f() })
	}
	handlers := []*tasks.Handler{
		{Name: "outside", Action: outside(func() error { return leak })},
		{Name: "permanent", Action: outside(func() error { return tasks.Permanent(leak) })},
		{Name: "panic", Action: outside(func() error { panic(leak) })},
		{Name: "prepare", Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) { return tasks.Effect{}, leak })},
		{Name: "effect", Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
			return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, leak }}, nil
		})},
		{Name: "effect-panic", Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
			return tasks.Effect{Write: func(store.Tx) (any, error) { panic(secret) }}, nil
		})},
	}
	for _, h := range handlers {
		h.On, h.Redact = on("a.b"), redact
	}
	d := start(t, path(t), handlers...)
	d.emit("a.b", "1")
	for _, r := range d.settled(len(handlers)) {
		if r.State != store.Dead || strings.Contains(r.Error, secret) || !strings.Contains(r.Error, "[secret]") {
			t.Errorf("%s: %s %.200q", r.Handler, r.State, r.Error)
		}
		attempts, err := d.store.Attempts(t.Context(), store.AttemptQuery{Run: r.ID})
		if err != nil || len(attempts) == 0 {
			t.Errorf("%s: %d attempts, %v", r.Handler, len(attempts), err)
		}
		for _, a := range attempts {
			if strings.Contains(a.Error, secret) {
				t.Errorf("%s: attempt %d has it", r.Handler, a.Number)
			}
		}
	}
	evs, err := d.store.Events(t.Context(), store.EventQuery{})
	if err != nil || len(evs) != 1+len(handlers) {
		t.Fatalf("%d events, %v", len(evs), err)
	}
	for _, e := range evs {
		if strings.Contains(string(e.Data), secret) {
			t.Errorf("%s has it: %s", e.Type, e.Data)
		}
	}
}
