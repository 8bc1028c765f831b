package cmd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store/storetest"
	"evrun/tasks"
)

func init() {
	wirings["load"] = func(dir string) []*tasks.Handler {
		outside, flaky := newAct(dir), newAct(dir)
		flaky.fails = sometimes
		return []*tasks.Handler{
			{Name: "tally", On: only("load.inside"), Kind: "tally", Action: tally{}, Retry: soon(3)},
			{Name: "tally-flaky", On: only("load.inside"), Kind: "tally", Action: tally{fails: sometimes}, Retry: soon(3)},
			{Name: "tally-child", On: only("load.child"), Kind: "tally", Action: tally{}, Retry: soon(3)},
			{Name: "act", On: only("load.outside"), Kind: "act", Action: outside, Retry: soon(20), Concurrency: 16},
			{Name: "act-flaky", On: only("load.outside"), Kind: "act", Action: flaky, Retry: soon(3), Concurrency: 16},
		}
	}
}

// loadWiring has handlers of the usual kinds, in addition to those of wirings["load"].
const loadWiring = `
log: {level: error}
server: {grace: 5s}
handlers:
  - name: save
    on: load.inside
    do: user.insert
    with: {name: saved, email: "${ event.id }@example.com"}
    emit: load.saved
  - name: relay
    on: load.saved
    do: emit
    with: {events: [{type: load.child, data: {from: "${ event.id }"}}]}
  - {name: tell, on: load.child, do: notify, with: {message: hello}}
`

// loadHandlers are all handlers under load, with the type of event that each is wired to.
var loadHandlers = map[string]string{
	"tally": "load.inside", "tally-flaky": "load.inside", "tally-child": "load.child", "act": "load.outside", "act-flaky": "load.outside",
	"save": "load.inside", "relay": "load.saved", "tell": "load.child",
}

// loadSettled waits until all handlers under load have ended their runs: those first whose runs emit the events of others.
func (l *ledger) loadSettled(t *testing.T) (dead int64) {
	t.Helper()
	for _, typ := range []string{"load.inside", "load.outside", "load.saved", "load.child"} {
		for name, on := range loadHandlers {
			if on == typ {
				_, n := l.settled(t, name, typ)
				dead += n
			}
		}
	}
	return dead
}

// loadRecorded checks what must be in the store at any moment under load: the acknowledged events, and what the handlers did about
// the events after a sequence.
func (l *ledger) loadRecorded(t *testing.T, acknowledged map[string]int64, after int64) {
	t.Helper()
	l.has(t, loadSource, acknowledged)
	for name, typ := range loadHandlers {
		l.inOrder(t, name, typ, after)
	}
	for _, name := range []string{"tally", "tally-flaky", "tally-child"} {
		l.tallied(t, name, after)
	}
	l.recorded(t)
}

const loadSource = "/load"

// emitters keep a daemon, which is killed and started again, under load. The test checks the answers that they got.
type emitters struct {
	mu           sync.Mutex
	acknowledged map[string]int64 // the sequence that each event was acknowledged with
	fresh        map[string]int64 // those since the last take
	wrong        []string
	repeats      int
	stop         context.CancelFunc
	done         sync.WaitGroup
}

// emit starts n emitters, each with its own connections. An event whose answer is lost is sent again until it is acknowledged; some acknowledged
// events are sent again, too.
func emit(ctx context.Context, socket string, n int) *emitters {
	ctx, stop := context.WithCancel(ctx)
	e := &emitters{acknowledged: map[string]int64{}, fresh: map[string]int64{}, stop: stop}
	for i := range n {
		e.done.Go(func() { e.run(ctx, client.New(socket), i) })
	}
	return e
}

func (e *emitters) run(ctx context.Context, c *client.Client, number int) {
	for i := 0; ctx.Err() == nil; i++ {
		typ := "load.inside"
		if i%4 == 0 {
			typ = "load.outside"
		}
		id := durableID(number*100_000 + i)
		for ctx.Err() == nil {
			// Without ctx: a request that is given up may be accepted all the same, after the test has counted what was.
			rc, err := c.Emit(context.WithoutCancel(ctx), &events.Event{Type: typ, ID: id, Source: loadSource, Data: []byte(`{"n":1}`)})
			if err != nil {
				pauseFor(ctx, 2*time.Millisecond) // it is dead, or not yet back
				continue
			}
			if e.told(id, rc); rand.N(20) > 0 {
				break
			}
		}
	}
}

func (e *emitters) told(id string, rc api.Receipt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	first, known := e.acknowledged[id]
	switch {
	case known && (rc.Sequence != first || !rc.Duplicate):
		e.wrong = append(e.wrong, fmt.Sprintf("event %s was acknowledged as %d, and again as %d (duplicate: %v)", id, first, rc.Sequence, rc.Duplicate))
	case known:
		e.repeats++
	default:
		e.acknowledged[id], e.fresh[id] = rc.Sequence, rc.Sequence
	}
}

// take returns the events that were acknowledged since the last call.
func (e *emitters) take(t *testing.T) map[string]int64 {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range e.wrong {
		t.Error(text)
	}
	fresh := e.fresh
	e.fresh, e.wrong = map[string]int64{}, nil
	return fresh
}

// killedDaemonLosesNothing kills a daemon under load with SIGKILL at random moments, its start
// included, again and again on one store. After each kill, on the file as the crash left it: every acknowledged event is in
// the journal with its sequence, none was acknowledged with two, no event below a handler's mark is without a run, each
// succeeded run's inside effect is there exactly once (in a table where no unique key would hide a second), and each
// outside effect's attempt was recorded before. At the end: accepted = succeeded + dead for each handler, every outside
// handler has acted at least once for each success, and SQLite finds the file whole.
//
// EVRUN_KILLS is how many kills; 5, and 40 in .ci/run.
func killedDaemonLosesNothing(t *testing.T) {
	proof(t)
	t.Parallel()
	kills := storetest.Size(t, "EVRUN_KILLS", 5, 40)
	dir := wired(t, loadWiring)
	env := []string{proofHandlers + "=load"}
	d := serve(t, dir, env)
	d.ready(t)
	d.stop(t)
	indexUsers(t, dir)
	l := openLedger(t, dir)
	load := emit(t.Context(), dir+"/evrun.sock", 8)
	defer load.done.Wait()
	defer load.stop()

	checked := int64(0)
	check := func() {
		t.Helper()
		// Runs of old events may still be open, but their rows were checked before; a mark moves over new events only.
		l.loadRecorded(t, load.take(t), max(0, checked-5000))
		checked = l.number(t, `SELECT min(low_water) FROM handlers WHERE active = 1`)
	}
	for kill := range kills {
		d := serve(t, dir, env)
		if kill%5 > 0 { // else perhaps while it starts
			d.ready(t)
		}
		pauseFor(t.Context(), rand.N(250*time.Millisecond))
		d.kill(t)
		check()
		if kill%25 == 24 {
			l.whole(t)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}

	d = serve(t, dir, env)
	d.ready(t)
	load.stop()
	load.done.Wait()
	dead := l.loadSettled(t)
	d.stop(t)
	checked = 0
	check()
	l.has(t, loadSource, load.acknowledged)
	l.acted(t, "act")
	l.acted(t, "act-flaky")
	l.whole(t)
	l.none(t, "runs that are not over", `SELECT sequence, handler, state FROM runs WHERE state <= 2`)
	if dead == 0 || load.repeats == 0 {
		t.Errorf("%d dead runs, %d repeated events: the proof should have had both", dead, load.repeats)
	}
	t.Logf("%d kills: %d events acknowledged, %d sent again, %d runs, %d of them dead, %d outside effects", kills, len(load.acknowledged),
		load.repeats, l.number(t, `SELECT count(*) FROM runs`), dead, len(l.seen))
}
