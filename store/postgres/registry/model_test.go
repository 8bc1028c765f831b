package registry_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// TestDaemonsThatRegisterAtRandom has daemons come, register, hold and give slots, die and leave at random, and looks after each step whether what must
// always hold does.
func TestDaemonsThatRegisterAtRandom(t *testing.T) {
	for seed := range int64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{cluster: newCluster(t), r: rand.New(rand.NewSource(seed)), wired: map[int64][]string{}, dead: map[int64]bool{}}
			for range 200 {
				w.step()
				w.look()
				if t.Failed() {
					t.Fatal(strings.Join(w.history, "\n"))
				}
			}
		})
	}
}

var names = []string{"one", "two", "three", "four"}

// world is a database with daemons, and what they have done.
type world struct {
	*cluster
	r       *rand.Rand
	wired   map[int64][]string // the daemons that are not ended, and what each has registered; nil: nothing yet
	dead    map[int64]bool     // their leases have ended
	runs    int
	history []string
}

func (w *world) did(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

// daemon picks one of the daemons that live; 0: there is none.
func (w *world) daemon() int64 {
	var list []int64
	for node := range w.wired {
		if !w.dead[node] {
			list = append(list, node)
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[w.r.Intn(len(list))]
}

func (w *world) step() {
	node := w.daemon()
	name := names[w.r.Intn(len(names))]
	switch n := w.r.Intn(20); {
	case node == 0 || n == 0 && len(w.wired) < 3:
		node = w.start("1 h")
		w.wired[node] = nil
		w.did("daemon %d starts", node)
	case n < 8:
		w.registers(node)
	case n < 13:
		w.exec(`UPDATE evrun.shares SET node = $1 WHERE node IS NULL AND handler IN
			(SELECT id FROM evrun.handlers h JOIN evrun.wired w ON w.handler = h.id AND w.node = $1 WHERE h.name = $2 AND h.active)`, node, name)
		w.did("daemon %d takes %s", node, name)
	case n < 14:
		w.exec(`UPDATE evrun.shares SET node = NULL WHERE node = $1 AND handler = (SELECT id FROM evrun.handlers WHERE name = $2)`, node, name)
		w.did("daemon %d gives %s", node, name)
	case n < 16:
		w.events(1)
		w.runs += w.run(name)
		w.did("an event, and a run of %s", name)
	case n < 18:
		w.expire(node)
		w.dead[node] = true
		w.did("daemon %d dies", node)
	default:
		for dead := range w.dead {
			node = dead
		}
		w.end(node)
		delete(w.wired, node)
		delete(w.dead, node)
		w.did("daemon %d is ended", node)
	}
}

// run adds a run of a handler that is active, on the last event.
func (w *world) run(name string) int {
	w.Helper()
	var n int
	err := w.pool.QueryRow(w.Context(), `WITH r AS (INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at)
		SELECT head, id, $2, 1, 0 FROM evrun.journal, evrun.handlers WHERE name = $1 AND active RETURNING 1) SELECT count(*) FROM r`, name, 1+w.r.Intn(7)).Scan(&n)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// registers registers some handlers in the name of a daemon, which gives up what it no longer has.
func (w *world) registers(node int64) {
	var texts, mine []string
	was := map[string]string{}
	for _, name := range names {
		if w.r.Intn(5) < 3 {
			continue
		}
		text := name
		if w.r.Intn(2) == 0 {
			was[name] = names[w.r.Intn(len(names))]
			text += " was " + was[name]
		}
		texts, mine = append(texts, text), append(mine, name)
	}
	w.exec(`UPDATE evrun.shares SET node = NULL WHERE node = $1`, node) // none of them runs meanwhile
	before := map[string]string{}
	for _, name := range names {
		before[name] = w.value(`SELECT string_agg(w.node::text, ' ') FROM evrun.wired w JOIN evrun.beats b ON b.node = w.node
			WHERE w.node <> $1 AND b.expires_at > clock_timestamp() AND w.handler = (SELECT id FROM evrun.handlers WHERE name = $2)`, node, name)
		before["held "+name] = w.value(`SELECT string_agg(node::text, ' ') FROM evrun.shares WHERE handler = (SELECT id FROM evrun.handlers WHERE name = $1)`, name)
	}
	w.did("daemon %d registers %v", node, texts)
	for name, c := range w.register(node, texts...) {
		if c.Took && (before["held "+name] != "<nil>" || before["held "+was[name]] != "<nil>" && was[name] != "") && before["held "+name] != "" {
			w.Errorf("%s took over while slots were held: %v", name, before)
		}
		if c.Took && was[name] != "" && before[was[name]] != "<nil>" && w.state(was[name]) == "forgotten" {
			w.Errorf("%s took over from %s, which another daemon has", name, was[name])
		}
	}
	w.wired[node] = mine
}

// look checks what must always hold.
func (w *world) look() {
	w.Helper()
	equal(w, "handlers whose slots are not all there once", w.value(`SELECT count(*) FROM (SELECT FROM evrun.shares GROUP BY handler HAVING bit_or(slots) <> -1 OR sum(bit_count(slots::bit(64))) <> 64) x`), "0")
	equal(w, "handlers without slots", w.value(`SELECT count(*) FROM evrun.handlers WHERE id NOT IN (SELECT handler FROM evrun.shares)`), "0")
	equal(w, "runs", w.value(`SELECT count(*) FROM evrun.runs`), fmt.Sprint(w.runs))
	equal(w, "handlers that are wired and not active", w.value(`SELECT count(*) FROM evrun.wired w JOIN evrun.handlers h ON h.id = w.handler
		JOIN evrun.beats b ON b.node = w.node WHERE NOT h.active AND b.expires_at > clock_timestamp()`), "0")
	equal(w, "marks behind the head", w.value(`SELECT count(*) FROM evrun.shares, evrun.journal WHERE low_water > head`), "0")
	// Where the heir had a run on the same event, each keeps its own.
	equal(w, "runs that have not ended and nobody has", w.value(`SELECT count(*) FROM evrun.runs r JOIN evrun.handlers h ON h.id = r.handler
		WHERE r.state <= 2 AND NOT h.active AND h.left_at IS NULL AND NOT EXISTS (SELECT FROM evrun.runs o WHERE o.sequence = r.sequence AND o.handler <> r.handler)`), "0")
}
