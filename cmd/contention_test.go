package cmd_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store/storetest"
)

// twoDaemonsStartedAtOnce repeatedly starts two daemons on one store at the same moment. Each time exactly one serves; the other exits with 75 and
// names the first (or with 1, if it had the store but not the socket). Some of the winners are killed, so that the next two find an old socket and
// old locks.
//
// EVRUN_DAEMON_PAIRS is how often; 5, and 25 in .ci/run.
func twoDaemonsStartedAtOnce(t *testing.T) {
	proof(t)
	t.Parallel()
	dir := wired(t, "log: {level: error}\nhandlers: []\n")
	accepted := int64(0)
	for n := range storetest.Size(t, "EVRUN_DAEMON_PAIRS", 5, 25) {
		pair := []*daemon{serve(t, dir, nil), serve(t, dir, nil)}
		var winner, loser *daemon
		within(t, patience, "one of the two gives in", func() (bool, string) {
			for i, d := range pair {
				select {
				case <-d.ended:
					winner, loser = pair[1-i], d
					return true, ""
				default:
				}
			}
			return false, "both run"
		})
		code, said := loser.code(t), loser.log.String()
		switch {
		case code == exitTryAgain && strings.Contains(said, "in use by another evrun"):
		case code == exitFailed && strings.Contains(said, "belongs to a running daemon"):
		default:
			t.Fatalf("pair %d: the loser ended with %d and said\n%s", n, code, said)
		}
		winner.ready(t)
		rc, err := winner.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: fmt.Sprint(n), Source: "/pairs"})
		if accepted++; err != nil || rc.Sequence != accepted {
			t.Fatalf("pair %d: %+v, %v; want sequence %d", n, rc, err, accepted)
		}
		if n%3 == 0 {
			winner.kill(t)
		} else {
			winner.stop(t)
		}
	}
}

// manyProcessesEmit runs 50 series of emit processes at the same time: with a daemon, and without one, when all of them want the store's lock. Every
// emit is acknowledged, none reports a locked database, and every event is in the journal and handled once.
//
// EVRUN_EMITS is how many each of the 50 emits; 1, and 5 in .ci/run (200 takes minutes).
func manyProcessesEmit(t *testing.T) {
	proof(t)
	t.Parallel()
	const people = 50
	each := storetest.Size(t, "EVRUN_EMITS", 1, 5)
	for _, beside := range []bool{true, false} {
		t.Run(map[bool]string{true: "beside-a-daemon", false: "without-a-daemon"}[beside], func(t *testing.T) {
			dir := wired(t, `
log: {level: error}
handlers:
  - {name: save, on: a.b, do: user.insert, with: {name: x, email: "${ event.id }@example.com"}}
`)
			if beside {
				d := serve(t, dir, nil)
				d.ready(t)
				defer d.stop(t)
			}
			var mu sync.Mutex
			acknowledged := map[string]int64{}
			again := 0
			var wg sync.WaitGroup
			self(t, dir, "evrun")
			began := time.Now()
			for i := range people {
				wg.Go(func() {
					for j := range each {
						id := fmt.Sprintf("%d-%d", i, j)
						for {
							out, code := run(t, dir, "emit", "a.b", "--id", id, "--source", "/people", "-o", "json", "-q")
							if strings.Contains(out, "locked") {
								t.Errorf("emit %s: %s", id, out)
							}
							mu.Lock()
							if code == exitTryAgain { // it says so itself, after waiting 10 s for the lock
								again++
								mu.Unlock()
								continue
							}
							var line struct {
								Event struct {
									Sequence int64 `json:"seq,string"`
								}
							}
							if err := json.Unmarshal([]byte(out), &line); err != nil || code != 0 || line.Event.Sequence == 0 {
								t.Errorf("emit %s: exit %d, %v: %s", id, code, err, out)
							}
							acknowledged[id] = line.Event.Sequence
							mu.Unlock()
							break
						}
					}
				})
			}
			wg.Wait()
			t.Logf("%d emits in %v, %d were asked to try again", people*each, time.Since(began).Round(time.Millisecond), again)
			l := openLedger(t, dir)
			l.has(t, "/people", acknowledged)
			if n := l.number(t, `SELECT count(*) FROM events WHERE source = '/people'`); len(acknowledged) != people*each || n != people*int64(each) {
				t.Errorf("%d acknowledged, %d in the journal, %d emitted", len(acknowledged), n, people*each)
			}
			if !beside {
				d := serve(t, dir, nil)
				d.ready(t)
				defer d.stop(t)
			}
			if succeeded, dead := l.settled(t, "save", "a.b"); succeeded != people*int64(each) || dead > 0 {
				t.Errorf("%d runs succeeded, %d are dead", succeeded, dead)
			}
			l.whole(t)
		})
	}
}
