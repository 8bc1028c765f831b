package cmd_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
)

// A fault is a point and a number, as text "point*number": the process dies when it reaches the point for the nth time.
var (
	faultPoint string
	faultLeft  atomic.Int64
)

func armFault(opt *sqlite.Options, text string) {
	point, number, _ := strings.Cut(text, "*")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic(err)
	}
	faultPoint = point
	faultLeft.Store(n)
	opt.At = func(p sqlite.Point) { faultAt(string(p)) }
}

// faultAt ends the process like a crash: nothing is flushed, no deferred call runs, and other goroutines stop almost at once.
func faultAt(point string) {
	if point == faultPoint && faultLeft.Add(-1) == 0 {
		killProcess(os.Getpid())
		select {}
	}
}

func init() {
	wirings["fault"] = func(dir string) []*tasks.Handler {
		list := wirings["load"](dir)
		for _, h := range list {
			switch a := h.Action.(type) {
			case *act:
				a.around = func(_ *tasks.Delivery, point string) { faultAt(point) }
			case tally:
				h.Action = tally{fails: func(d *tasks.Delivery) error {
					faultAt("in the effect")
					if a.fails != nil {
						return a.fails(d)
					}
					return nil
				}}
			}
		}
		return list
	}
}

// crashAtEveryPoint lets the daemon die at each point on an event's way between its acceptance, its effects, its settlements and their
// acknowledgements, at the 1st, 2nd, … time that it gets there under load, and checks after each crash, and at the end, what killedDaemonLosesNothing
// does. Random kills seldom hit the short ones of these points.
//
// EVRUN_FAULTS is how often at each point; 1, and 2 in .ci/run.
func crashAtEveryPoint(t *testing.T) {
	proof(t)
	t.Parallel()
	times := storetest.Size(t, "EVRUN_FAULTS", 1, 2)
	for _, point := range []string{
		string(sqlite.BeforeBegin), "in the effect", string(sqlite.BeforeCommit), string(sqlite.AfterCommit), string(sqlite.BeforeAnswers),
		"attempt recorded", "action done",
	} {
		t.Run(strings.ReplaceAll(point, " ", "-"), func(t *testing.T) {
			dir := wired(t, loadWiring)
			env := []string{proofHandlers + "=fault"}
			d := serve(t, dir, env)
			d.ready(t)
			d.stop(t)
			indexUsers(t, dir)
			l := openLedger(t, dir)
			load := emit(t.Context(), dir+"/evrun.sock", 4)
			defer load.done.Wait()
			defer load.stop()
			check := func() {
				t.Helper()
				l.loadRecorded(t, load.take(t), 0)
				l.whole(t)
			}
			for n := 1; n <= times; n++ {
				// The first times are during the start, later ones in larger and larger batches.
				d := serve(t, dir, append(env, fmt.Sprintf("%s=%s*%d", proofFault, point, n*n*n)))
				if code := d.code(t); code != -1 {
					t.Fatalf("the daemon ended with %d, not by its fault\n%s", code, d.log)
				}
				if check(); t.Failed() {
					t.Fatalf("after crash %d", n)
				}
			}
			d = serve(t, dir, env)
			d.ready(t)
			eventuallyTrue(t, "an outside handler has succeeded", func() (bool, string) {
				return l.number(t, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = 'act' AND r.state = 3`) > 0, "none"
			})
			load.stop()
			load.done.Wait()
			l.loadSettled(t)
			d.stop(t)
			check()
			l.has(t, loadSource, load.acknowledged)
			l.acted(t, "act")
			l.none(t, "runs that are not over", `SELECT sequence, handler, state FROM runs WHERE state <= 2`)
			t.Logf("%d crashes, %d events acknowledged, %d runs, %d outside effects", times, len(load.acknowledged),
				l.number(t, `SELECT count(*) FROM runs`), len(l.seen))
		})
	}
}
