package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/search"
)

// follow waits for the end of an event's chain, and returns how many runs ended.
func (d *daemon) follow(e *events.Event) (followed *chain.Chain, runs int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	followed, err := d.runner.Follow(ctx, e, d.commits, func(l chain.Link) error {
		if l.Run != nil {
			runs++
		}
		return nil
	})
	if err != nil {
		d.t.Fatalf("the chain never ended: %v", err)
	}
	return followed, runs
}

func doNothing(name, version string) *tasks.Handler {
	return &tasks.Handler{Name: name, Version: version, On: on("a"), Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })}
}

// A handler that is wired, or wired to more types, after an event has no run on that event: nobody waits for one.
func TestChainEndsWithoutHandlersThatCameLater(t *testing.T) {
	p := path(t)
	other := doNothing("other", "1")
	other.On = on("b")
	d := start(t, p, doNothing("h", "1"), other)
	e := d.emit("a", "1")
	d.settled(1)
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{doNothing("h", "1"), doNothing("other", "2"), doNothing("new", "1")}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	if chain, n := d.follow(e); n != 1 || !chain.Matched || chain.Dead {
		t.Errorf("%d runs, %+v", n, chain)
	}
	d.stop()
	d = start(t, p, doNothing("h", "1"), doNothing("newer", "1")) // over a restart
	if _, n := d.follow(e); n != 1 {
		t.Errorf("%d runs after a restart", n)
	}
	e = d.emit("a", "2")
	if _, n := d.follow(e); n != 2 {
		t.Errorf("%d runs of an event that came after both", n)
	}
}

// A run is awaited while its handler has yet to start it: the mark is before the event.
func TestChainWaitsForAHandlerThatIsBehind(t *testing.T) {
	begun, release := make(chan struct{}, 2), make(chan struct{})
	slow := &tasks.Handler{Name: "slow", On: on("a"), Concurrency: 1, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
		begun <- struct{}{}
		<-release
		return nil, nil
	})}
	d := start(t, path(t), doNothing("h", "1"), slow)
	d.emit("a", "1")
	<-begun
	e := d.emit("a", "2") // not begun: it has no run
	d.settled(2)
	ended := make(chan int, 1)
	go func() {
		_, n := d.follow(e)
		ended <- n
	}()
	wait(1200 * time.Millisecond) // beyond the time after which marks are read
	select {
	case n := <-ended:
		t.Errorf("it ended with %d runs", n)
		ended <- n
	default:
	}
	close(release)
	if n := <-ended; n != 2 {
		t.Errorf("%d runs", n)
	}
}

// Nobody waits for a dead run that is dropped, even while it is followed, or for a removed handler.
func TestChainEndsWithDroppedRuns(t *testing.T) {
	fails := func(name string, err error) *tasks.Handler {
		return &tasks.Handler{Name: name, Version: "1", On: on("a"), Retry: tasks.Retry{Attempts: 9, Backoff: time.Hour, Max: time.Hour},
			Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, err })}
	}
	d := start(t, path(t), fails("dead", tasks.Permanent(errors.New("no"))), fails("waits", tasks.RetryAfter(time.Hour, errors.New("not yet"))))
	e := d.emit("a", "1")
	d.settled(1)
	ended := make(chan int, 1)
	go func() {
		_, n := d.follow(e)
		ended <- n
	}()
	if n, err := d.batch("drop", search.Selection{Handler: "dead"}); n != 1 || err != nil {
		t.Fatalf("%d dropped, %v", n, err)
	}
	if _, err := d.runner.Replace(t.Context(), []*tasks.Handler{fails("dead", nil)}, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	if n := <-ended; n == 0 {
		t.Error("no run ended")
	}
	if _, n := d.follow(e); n != 1 {
		t.Errorf("%d runs ended", n)
	}
}

// More handlers than one page of runs has.
func TestChainWithMoreThanAThousandHandlersEnds(t *testing.T) {
	storetest.LongOnly(t) // 1,100 handlers
	const n = 1100
	var handlers []*tasks.Handler
	for i := range n {
		handlers = append(handlers, doNothing(fmt.Sprint("h", i), "1"))
	}
	d := start(t, path(t), handlers...)
	if _, got := d.follow(d.emit("a", "1")); got != n {
		t.Errorf("%d runs of %d handlers", got, n)
	}
}
