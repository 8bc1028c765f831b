package cmd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/store/storetest"
)

// soak is a busy daemon over a week, whose days are short: see TestAWeekOfABusyDaemon.
type soak struct {
	dir       string // on a disk of its own, if that can be: see full
	elsewhere string // the effects of commands
	disk      bool   // dir's disk may be filled
	length    time.Duration
	day       time.Duration
	begun     time.Time
	d         *daemon
	ledger    *ledger
	load      *soakLoad
	followers []*follower
	wiring    soakWiring
	samples   []sample
	did       map[string]int // what was done, and how often

	effects  map[string]int // how often the effect of each event was found
	effectID int64          // of the last one
	erased   map[int]bool
}

// soakWiring is what edits change in the wiring file of a soak.
type soakWiring struct {
	effect, was string // the name of the handler effect, and the one before
	extra       bool   // one more handler
}

// TestAWeekOfABusyDaemon runs a daemon for a week whose days are short, with a retention of a day. Programs publish single events and lines, and repeat some;
// there are handlers of each kind, some of which fail, hang, or are answered by errors; others follow the journal. Meanwhile the daemon is killed, stopped, and
// its disk is full; the wiring file is edited (a handler added, removed, renamed, a mistake); runs are retried and dropped, people erased, the store pruned, backed
// up and looked after.
//
// At the end: every acknowledged event has had its effect; those inside the store once, whatever happened, and those outside at least once; followers have seen
// each event once, in order. Events that were pruned were still known as duplicates. Over the second half, the store's file and log, the daemon's memory,
// descriptors, goroutines and processes have not grown; a week of less than ten minutes only logs by how much they have. The last backup is equal to the store
// at its sequence.
//
// EVRUN_SOAK is the length of the week in seconds, 40; an hour is the real thing. EVRUN_SOAK_RATE is how many events there are in a second, 40.
func TestAWeekOfABusyDaemon(t *testing.T) {
	storetest.LongOnly(t)
	t.Parallel()
	s := newSoak(t, time.Duration(storetest.Size(t, "EVRUN_SOAK", 40, 40))*time.Second, storetest.Size(t, "EVRUN_SOAK_RATE", 40, 40))
	s.serve(t)
	s.load.begin(t.Context())
	defer s.load.end()
	s.follow(t)
	for time.Since(s.begun) < s.length {
		for _, do := range s.deeds() {
			s.wait(t, s.day/time.Duration(len(s.deeds())))
			if do.do(t); t.Failed() {
				t.Fatalf("after: %s", do.name)
			}
			s.did[do.name]++
			s.check(t)
		}
	}
	s.end(t)
}

// newSoak makes the folder of a soak, and its wiring file.
func newSoak(t *testing.T, length time.Duration, rate int) *soak {
	t.Helper()
	s := &soak{dir: t.TempDir(), elsewhere: t.TempDir(), length: length, day: length / 7, did: map[string]int{}, effects: map[string]int{}, erased: map[int]bool{}}
	if unmount, err := mountTmpfs(s.dir, "1g"); err == nil {
		s.disk = true
		t.Cleanup(unmount)
	} else {
		t.Logf("NOT PROVEN HERE: a full disk (a tmpfs can't be mounted: %v)", err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	self(t, s.dir, "evrun")
	s.load = newSoakLoad(filepath.Join(s.dir, "evrun.sock"), rate, s.day*9/5)
	t.Cleanup(s.load.hooks.Close)
	s.wiring = soakWiring{effect: "effect-1"}
	s.wire(t)
	s.begun = time.Now()
	return s
}

func (s *soak) long() bool { return s.length >= 10*time.Minute }

// serve starts the daemon.
func (s *soak) serve(t *testing.T) {
	t.Helper()
	s.d = serve(t, s.dir, nil)
	s.d.ready(t)
	if s.ledger == nil {
		s.ledger = openLedger(t, s.dir)
	}
}

// wait passes the time until the next deed: it takes samples, and notes effects.
func (s *soak) wait(t *testing.T, pause time.Duration) {
	t.Helper()
	for until := time.Now().Add(pause); ; {
		if m, ok := s.look(); ok {
			s.samples = append(s.samples, m)
		}
		s.harvest(t)
		left := time.Until(until)
		if left <= 0 {
			return
		}
		pauseFor(t.Context(), min(left, max(s.day/60, 200*time.Millisecond)))
	}
}

// check looks for what must not happen at any time.
func (s *soak) check(t *testing.T) {
	t.Helper()
	s.load.check(t)
	for _, f := range s.followers {
		f.check(t)
	}
	select {
	case <-s.d.ended:
		t.Fatalf("the daemon has ended: %v\n%s", s.d.cmd.ProcessState, s.d.log)
	default:
	}
	if s.long() && time.Since(s.begun) > s.day {
		last := s.samples[len(s.samples)-1]
		t.Logf("%v: %d events, file %.1f MB, log %.1f MB, memory %.1f MB, %.0f descriptors, %.0f goroutines, %.0f processes, %v", time.Since(s.begun).Round(time.Second),
			len(s.load.all()), last.file/1e6, last.wal/1e6, last.memory/1e6, last.fds, last.goroutines, last.children, s.did)
	}
}

// harvest notes the effects that are new, and has the daemon delete them: a program that uses a store like this keeps no list for ever.
func (s *soak) harvest(t *testing.T) {
	t.Helper()
	rows, err := s.ledger.db.Query(`SELECT id, event FROM effects WHERE id > ? ORDER BY id`, s.effectID)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var event string
		if err := rows.Scan(&s.effectID, &event); err != nil {
			t.Fatal(err)
		}
		s.effects[event]++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if rand.N(4) == 0 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = s.d.client.Emit(ctx, sweepUpTo(s.effectID)) // later, if not now
	}
}

// end waits until everything has settled, and compares what was acknowledged with what came of it.
func (s *soak) end(t *testing.T) {
	t.Helper()
	s.load.end()
	s.mend(t)
	within(t, patience, "everything has settled", func() (bool, string) {
		s.harvest(t)
		open := s.ledger.keeps(t, `h.name, r.sequence, r.state`, `runs r JOIN handlers h ON h.id = r.handler WHERE r.state IN (1, 2, 5)`)
		waiting := s.ledger.number(t, `SELECT count(*) FROM handlers h JOIN events e ON e.sequence > h.low_water WHERE h.active = 1 AND e.type LIKE 'soak.%' AND h.patterns LIKE '%"' || e.type || '"%'`)
		if waiting == 0 && len(open) == 0 {
			return true, ""
		}
		if strings.Contains(fmt.Sprint(open), ",5]") {
			s.mend(t)
		}
		return false, fmt.Sprintf("%d wait, %v", waiting, open[:min(5, len(open))])
	})
	s.harvest(t)
	s.account(t)
	s.ledger.orphans(t)
	for _, f := range s.followers {
		f.complete(t, s.load.all())
	}
	s.lastBackup(t)
	s.steady(t)
	s.ledger.whole(t)
	names := make([]string, 0, len(s.did))
	for name, n := range s.did {
		names = append(names, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(names)
	t.Logf("%v: %d events acknowledged, %d sent again; %s; refused: %v", time.Since(s.begun).Round(time.Second), len(s.load.all()), s.load.again, strings.Join(names, ", "), s.load.refused)
}

// account compares the acknowledged events with their effects.
func (s *soak) account(t *testing.T) {
	t.Helper()
	acted := map[string]bool{}
	text, err := os.ReadFile(filepath.Join(s.elsewhere, effectsFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		acted[strings.TrimSpace(line)] = true
	}
	users := map[string]int{}
	for _, id := range s.ledger.keeps(t, `event_id`, `users`) {
		users[strings.Trim(id, `["]`)]++
	}
	wrong, known, kinds := 0, map[string]bool{}, map[string]int{}
	for _, e := range s.load.all() {
		is, want := 1, 1
		known[e.id] = true
		kinds[e.typ]++
		switch e.typ {
		case "soak.effect":
			is = s.effects[e.id]
		case "soak.user":
			is = users[e.id]
			if s.erased[e.n] {
				want = 0
			}
		case "soak.exec":
			if !acted[e.id] && e.n%16 != 5 { // those were dropped
				is = 0
			}
		case "soak.http":
			is = min(s.load.received[e.id], 1)
		}
		if is != want {
			if wrong++; wrong <= 10 {
				t.Errorf("event %s (%s, #%d, acknowledged at %v) has %d effects, want %d", e.id, e.typ, e.seq, e.at.Sub(s.begun), is, want)
			}
		}
	}
	for id, n := range s.effects {
		if !known[id] {
			t.Errorf("event %s has %d effects, and was never acknowledged", id, n)
		}
	}
	t.Logf("%d of %d events have not had their effects: %v", wrong, len(known), kinds)
}

// transport reaches the daemon's socket.
func (s *soak) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "evrun.sock"))
	}}
}
