package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// counting is a handler on a.b that counts its deliveries.
func counting(name, version string, c *tally) *tasks.Handler {
	return &tasks.Handler{Name: name, Version: version, On: on("a.b"), Retry: quick, Concurrency: 1,
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) { return nil, c.count(d) })}
}

// stuck is a handler on a.b whose first attempt blocks until the test releases it.
func stuck(name, version string, c *tally) (h *tasks.Handler, begun, release chan struct{}) {
	begun, release = make(chan struct{}, 1000), make(chan struct{})
	return &tasks.Handler{Name: name, Version: version, On: on("a.b"), Retry: quick, Concurrency: 1,
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			begun <- struct{}{}
			<-release
			return nil, c.count(d)
		})}, begun, release
}

func (d *daemon) emitNumbered(from, to int) {
	d.t.Helper()
	for i := from; i <= to; i++ {
		d.emit("a.b", fmt.Sprint(i))
	}
}

func (d *daemon) replace(handlers ...*tasks.Handler) tasks.Replaced {
	d.t.Helper()
	done, err := d.runner.Replace(context.Background(), handlers, tasks.Along{})
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

// once fails the test unless each of the events 1 to n was delivered once.
func (c *tally) once(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i <= n; i++ {
		if c.times[fmt.Sprint(i)] != 1 {
			t.Errorf("event %d was delivered %d times", i, c.times[fmt.Sprint(i)])
		}
	}
}

// told returns the data of evrun's own events of a type.
func (d *daemon) told(typ string) (list []map[string]any) {
	d.t.Helper()
	evs, err := d.store.Events(context.Background(), store.EventQuery{Patterns: []events.Pattern{events.MustPattern(typ)}})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range evs {
		var data map[string]any
		if err := json.Unmarshal(e.Data, &data); err != nil {
			d.t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// Renaming a handler with a backlog lost 7 of 10 events.
func TestARenamedHandlerGoesOnWhereItStopped(t *testing.T) {
	c := newTally()
	old, begun, release := stuck("tell", "1", c)
	d := start(t, path(t), old)
	d.emitNumbered(1, 10)
	<-begun // the first one is under way
	renamed := counting("announce", "2", c)
	renamed.Was = "tell"
	if done := d.replace(renamed); len(done.Left) != 0 {
		t.Errorf("left %+v, though it was handed on", done.Left)
	}
	d.emitNumbered(11, 12)
	close(release)
	d.settled(12)
	c.once(t, 12)
	if told := d.told(events.TypeHandlerLeft); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

// Reading the file again before the old handler had ended its attempt killed the daemon.
func TestARenamedHandlerThatWaitsForTheOldOneMayBeReadAgain(t *testing.T) {
	c := newTally()
	old, begun, release := stuck("tell", "1", c)
	d := start(t, path(t), old)
	d.emitNumbered(1, 10)
	<-begun
	for range 2 {
		renamed := counting("announce", "2", c) // a new one each time, as a file that is read again has
		renamed.Was = "tell"
		d.replace(renamed)
	}
	close(release)
	d.settled(10)
	c.once(t, 10)
}

// A run keeps its id when another handler takes it over: it is the idempotency key.
func TestARenamedHandlerKeepsTheIdempotencyKeysOfItsRuns(t *testing.T) {
	failed, ids := make(chan string, 10), make(chan string, 10)
	slow := tasks.Retry{Attempts: 5, Backoff: 10 * time.Millisecond, Max: 10 * time.Millisecond}
	old := &tasks.Handler{Name: "tell", Version: "1", On: on("a.b"), Retry: slow, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
		failed <- d.RunID
		return nil, errors.New("not now")
	})}
	d := start(t, path(t), old)
	d.emit("a.b", "1")
	want := <-failed
	d.replace(&tasks.Handler{Name: "announce", Was: "tell", Version: "2", On: on("a.b"), Retry: slow,
		Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			ids <- d.RunID
			return nil, nil
		})})
	if got := <-ids; got != want {
		t.Errorf("the key was %s and is %s", want, got)
	}
	d.settled(1)
	run, err := d.store.FindRun(t.Context(), want)
	if err != nil || run.Handler != "announce" || run.State != store.Succeeded {
		t.Errorf("run %+v, %v", run, err)
	}
	d.emit("a.b", "2")
	if got := <-ids; got != store.RunID(2, "announce", d.store.ID()) {
		t.Errorf("the key of a new run is %s", got)
	}
	d.settled(2)
}

// Saving a file in two steps, of which the first lacks a handler, lost 91 of 100 events.
func TestAHandlerThatIsGoneForAMomentMissesNothing(t *testing.T) {
	c := newTally()
	old, begun, release := stuck("a", "1", c)
	other := counting("other", "1", newTally())
	d := start(t, path(t), old, other)
	d.emitNumbered(1, 50)
	<-begun
	done := d.replace(other)
	want := control.Unfinished{Name: "a", Waiting: 49, Running: 1}
	if len(done.Left) != 1 || done.Left[0] != want {
		t.Errorf("left %+v", done.Left)
	}
	told := d.told(events.TypeHandlerLeft)
	if len(told) != 1 || told[0]["handler"] != "a" || told[0]["waiting"] != 49.0 || told[0]["running"] != 1.0 {
		t.Errorf("told %v", told)
	}
	d.emitNumbered(51, 100)
	close(release)
	d.replace(other, counting("a", "1", c))
	d.settled(200)
	c.once(t, 100)
}

// A handler that was missing over one restart lost 40 of 50 events.
func TestAHandlerThatIsMissingOverOneRestartMissesNothing(t *testing.T) {
	c := newTally()
	file := path(t)
	old, begun, release := stuck("a", "1", c)
	d := start(t, file, old)
	d.emitNumbered(1, 10)
	<-begun
	close(release)
	d.stop()
	d = start(t, file)
	d.emitNumbered(11, 50)
	status, err := d.runner.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	waiting := int64(10 - len(c.times))
	c.mu.Unlock()
	if waiting > 0 && (len(status) != 1 || status[0].State != control.StateLeft || status[0].LeftWith != waiting) {
		t.Errorf("status %+v, and %d were waiting", status, waiting)
	}
	if told := d.told(events.TypeHandlerLeft); waiting > 0 && (len(told) != 1 || told[0]["waiting"] != float64(waiting)) {
		t.Errorf("told %v, and %d were waiting", told, waiting)
	}
	d.stop()
	d = start(t, file, counting("a", "1", c))
	d.settled(50)
	c.once(t, 50)
}

// Events that were emitted before the first start are for the handlers of that start.
func TestEventsWrittenWithoutADaemonAreForNewHandlersToo(t *testing.T) {
	c := newTally()
	file := path(t)
	alone, err := sqlite.Open(file, sqlite.Options{Options: store.Options{Unattended: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- alone.Run(ctx) }()
	em := emitter.New(alone, 0)
	for i := 1; i <= 5; i++ {
		if _, err := em.Emit(t.Context(), &events.Event{Type: "a.b", ID: fmt.Sprint(i), Source: "/test"}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := errors.Join(<-ended, alone.Close()); err != nil {
		t.Fatal(err)
	}
	d := start(t, file, counting("new", "1", c))
	d.emitNumbered(6, 7)
	d.settled(7)
	c.once(t, 7)
}

// moment is a clock that a test moves.
type moment struct{ at atomic.Pointer[time.Time] }

func now() *moment {
	m, start := &moment{}, time.Now()
	m.at.Store(&start)
	return m
}

func (m *moment) Now() time.Time { return *m.at.Load() }

func (m *moment) pass(d time.Duration) {
	later := m.Now().Add(d)
	m.at.Store(&later)
}

// A handler that returns late runs nothing until it is resumed, and loses nothing.
func TestAHandlerThatReturnsLateIsPausedUntilItIsResumed(t *testing.T) {
	c := newTally()
	clock := now()
	d := startWith(t, path(t), sqlite.Options{Options: store.Options{Now: clock.Now}}, counting("a", "1", c))
	d.emitNumbered(1, 3)
	d.settled(3)
	d.replace()
	d.emitNumbered(4, 6)
	clock.pass(2 * time.Hour)
	done := d.replace(counting("a", "1", c))
	if want := (control.Unfinished{Name: "a", Waiting: 3}); len(done.Paused) != 1 || done.Paused[0] != want {
		t.Errorf("paused %+v", done.Paused)
	}
	d.emitNumbered(7, 8)
	status, err := d.runner.Overview(t.Context())
	if err != nil || len(status) != 1 || status[0].State != control.StatePaused || *status[0].Waiting != 5 {
		t.Errorf("status %+v, %v", status, err)
	}
	if told := d.told(events.TypeHandlerPaused); len(told) != 1 || told[0]["handler"] != "a" || told[0]["waiting"] != 3.0 {
		t.Errorf("told %v", told)
	}
	d.replace(counting("a", "2", c)) // a change doesn't end the pause
	resumed, err := d.runner.Resume(t.Context(), "a", false)
	if err != nil || !resumed.Done || resumed.Events != 0 {
		t.Errorf("resumed %+v, %v", resumed, err)
	}
	d.settled(8)
	c.once(t, 8)
	if resumed, err = d.runner.Resume(t.Context(), "a", true); err != nil || resumed.Done {
		t.Errorf("resumed again: %+v, %v", resumed, err)
	}
	if _, err = d.runner.Resume(t.Context(), "b", false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("resumed an unknown handler: %v", err)
	}
}

// A pause survives restarts, and the events and runs that a resumption skips are counted and published.
func TestAResumptionFromNowSaysWhatItLeavesOut(t *testing.T) {
	c := newTally()
	clock := now()
	file := path(t)
	d := startWith(t, file, sqlite.Options{Options: store.Options{Now: clock.Now}}, counting("a", "1", c))
	d.replace()
	d.emitNumbered(1, 3)
	clock.pass(2 * time.Hour)
	d.stop()
	for range 2 {
		d = startWith(t, file, sqlite.Options{Options: store.Options{Now: clock.Now}}, counting("a", "1", c))
		if status, err := d.runner.Overview(t.Context()); err != nil || status[0].State != control.StatePaused {
			t.Errorf("status %+v, %v", status, err)
		}
		if told := d.told(events.TypeHandlerPaused); len(told) != 1 {
			t.Errorf("told %v", told)
		}
		if status, err := d.runner.HandlerStatuses(t.Context()); err != nil || status[0].Running != 0 {
			t.Errorf("status %+v", status)
		}
		d.stop()
	}
	d = startWith(t, file, sqlite.Options{Options: store.Options{Now: clock.Now}}, counting("a", "1", c))
	resumed, err := d.runner.Resume(t.Context(), "a", true)
	if err != nil || !resumed.Done || resumed.Events != 3 {
		t.Errorf("resumed %+v, %v", resumed, err)
	}
	told := d.told(events.TypeHandlerSkipped)
	if len(told) != 1 || told[0]["handler"] != "a" || told[0]["events"] != 3.0 || told[0]["runs"] != 0.0 {
		t.Errorf("told %v", told)
	}
	d.emit("a.b", "4")
	d.settled(1)
	if c.times["4"] != 1 || len(c.times) != 1 {
		t.Errorf("handled %v", c.times)
	}
}

func TestAForgottenHandlerSaysWhatItLeavesOut(t *testing.T) {
	c := newTally()
	old, begun, release := stuck("a", "1", c)
	d := start(t, path(t), old)
	d.emitNumbered(1, 3)
	<-begun
	if _, err := d.runner.Forget(t.Context(), "a"); !errors.Is(err, store.ErrActive) {
		t.Errorf("forgot a wired handler: %v", err)
	}
	d.replace()
	if _, err := d.runner.Forget(t.Context(), "a"); !errors.Is(err, control.ErrLeaving) {
		t.Errorf("forgot a handler that still works: %v", err)
	}
	close(release)
	d.settled(1)
	var done control.Skipped
	var err error
	for {
		if done, err = d.runner.Forget(t.Context(), "a"); !errors.Is(err, control.ErrLeaving) {
			break
		}
		wait(time.Millisecond)
	}
	if err != nil || done.Events != int64(3-len(c.times)) {
		t.Errorf("forgot %+v, %v", done, err)
	}
	if told := d.told(events.TypeHandlerSkipped); done.Events > 0 && (len(told) != 1 || told[0]["events"] != float64(done.Events)) {
		t.Errorf("told %v", told)
	}
	if status, err := d.runner.HandlerStatuses(t.Context()); err != nil || len(status) != 0 {
		t.Errorf("status %+v", status)
	}
}
