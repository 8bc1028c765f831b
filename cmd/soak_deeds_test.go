package cmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
)

// deed is something that is done to the daemon of a soak.
type deed struct {
	name string
	do   func(*testing.T)
}

// deeds are those of a day, in an order of their own each day.
func (s *soak) deeds() []deed {
	list := []deed{
		{"kill", s.kill}, {"kill", s.kill}, {"stop", s.stopAndStart}, {"rename", s.rename}, {"add or remove", s.addOrRemove}, {"mistake", s.mistake},
		{"retry and drop", s.mend}, {"full disk", s.full}, {"refuse", s.refuse}, {"list", s.list}, {"prune", s.prune}, {"erase", s.erase},
		{"restore", s.restore}, {"doctor", s.doctor},
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// wire writes the wiring file.
func (s *soak) wire(t *testing.T) {
	t.Helper()
	was, extra := "", ""
	if s.wiring.was != "" {
		was = "\n    was: " + s.wiring.was
	}
	if s.wiring.extra {
		extra = "\n  - {name: extra, on: soak.effect, do: log, with: {message: extra, level: debug}}"
	}
	wireAt(t, s.dir, fmt.Sprintf(`
log: {level: warn}
server: {grace: 2s}
retention: {events: %[7]v, dedupe: %[7]v}
schedules:
  - {name: backup, every: %[1]v, missed: last, emit: soak.backup, data: {n: "${ slot.unix }"}}
  - {name: tick, every: 1s, missed: skip, emit: soak.tick}
handlers:
  - name: %[2]s%[3]s
    on: soak.effect
    do: sql
    with:
      migrate: ["CREATE TABLE effects (id INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT"]
      statement: INSERT INTO effects (event) VALUES (:event)
      params: {event: "${ event.id }"}
    emit: {type: soak.done, data: {n: "${ data.n }"}}
  - {name: done, on: soak.done, do: log, with: {message: done, level: debug}}
  - {name: sweep, on: soak.sweep, do: sql, with: {statement: DELETE FROM effects WHERE id <= :upto AND id < (SELECT max(id) FROM effects), params: {upto: "${ data.upto }"}}}
  - {name: user, on: soak.user, do: user.insert, with: {name: "person ${ data.n }", email: "person-${ data.n }@example.com", attributes: {mark: "${ data.mark ?? '' }"}}}
  - {name: skip, on: soak.skip, when: data.n < -1, do: log, with: {message: never}}
  - {name: tick, on: soak.tick, do: log, with: {message: tick, level: debug}}
  - name: exec
    on: soak.exec
    do: exec
    with: {shell: 'echo "$EVRUN_EVENT_ID: $EVRUN_ATTEMPT"; [ $((N %% 8)) != 5 ] || [ "$EVRUN_ATTEMPT" -gt 2 ] || exit 3; echo "$EVRUN_EVENT_ID" >>%[4]s', env: {N: "${ data.n }"}}
    retry: {attempts: 2, backoff: 50ms, max: 50ms}
    timeout: 20s
  - {name: hang, on: soak.hang, do: exec, with: {shell: sleep 3600}, timeout: 300ms, retry: {attempts: 1}}
  - {name: http, on: soak.http, do: http, with: {url: "%[5]s/?event=${ event.id }"}, retry: {attempts: 20, backoff: 50ms, max: 500ms}, timeout: 20s}
  - {name: backup, on: soak.backup, do: exec, with: {command: [./evrun, backup, --keep, "3", backups]}, retry: {attempts: 3, backoff: 300ms, max: 1s}, timeout: 1m}
  - {name: alert, on: evrun.run.dead, do: notify, with: {message: "${ data.run } is dead"}}%[6]s
`, (s.day/4).Round(time.Millisecond), s.wiring.effect, was, filepath.Join(s.elsewhere, effectsFile), s.load.hooks.URL, extra, s.day.Round(time.Millisecond)))
}

// reload has the daemon read the file that was written.
func (s *soak) reload(t *testing.T) {
	t.Helper()
	s.wire(t)
	if out, code := run(t, s.dir, "reload"); code != 0 {
		t.Fatalf("reload: exit %d, %s", code, out)
	}
}

// kill kills the daemon and, before it starts again, emits without one.
func (s *soak) kill(t *testing.T) {
	s.d.kill(t)
	s.alone(t)
	s.serve(t)
}

// stopAndStart does the same with a stop in good order.
func (s *soak) stopAndStart(t *testing.T) {
	s.d.stop(t)
	s.alone(t)
	s.serve(t)
}

// alone emits without a daemon.
func (s *soak) alone(t *testing.T) {
	t.Helper()
	id := fmt.Sprintf("alone-%d", time.Now().UnixNano())
	out, code := run(t, s.dir, "emit", "soak.effect", "--id", id, "--source", soakSource, "-d", `{"n":-1}`, "-o", "json", "-q")
	var line struct {
		Event struct {
			Seq int64 `json:",string"`
		}
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || code != 0 {
		t.Fatalf("emit without a daemon: exit %d, %s (%v)", code, out, err)
	}
	s.load.acknowledged(sent{id, "soak.effect", -1, line.Event.Seq, time.Now()})
}

// rename gives the handler of the effects another name.
func (s *soak) rename(t *testing.T) {
	s.wiring.was = s.wiring.effect
	s.wiring.effect = fmt.Sprintf("effect-%d", s.did["rename"]+2)
	s.reload(t)
}

// addOrRemove adds a handler to the file or, the next time, removes it and forgets what it has not done.
func (s *soak) addOrRemove(t *testing.T) {
	s.wiring.extra = !s.wiring.extra
	if s.reload(t); !s.wiring.extra {
		eventuallyTrue(t, "the handler is forgotten", func() (bool, string) {
			out, code := run(t, s.dir, "handlers", "forget", "extra")
			return code == 0, out
		})
	}
}

// mistake writes a file that is wrong: the daemon goes on with the one before.
func (s *soak) mistake(t *testing.T) {
	wireAt(t, s.dir, "handlers: [{name: exec, on: soak.exec, do: exce}]\n")
	if out, code := run(t, s.dir, "reload"); code != 78 || !strings.Contains(out, "exce") {
		t.Errorf("reload of a file with a mistake: exit %d, %s", code, out)
	}
	s.reload(t)
	if out, code := run(t, s.dir, "status"); code != 0 || strings.Contains(out, "exce") {
		t.Errorf("the status once the mistake is mended: exit %d, %s", code, out)
	}
}

// mend retries the dead runs whose next attempt succeeds, and drops the others.
func (s *soak) mend(t *testing.T) {
	for _, args := range [][]string{
		{"runs", "drop", "--handler", "exec", "--where", "data.n % 16 == 5"},
		{"runs", "retry", "--handler", "exec", "--where", "data.n % 16 != 5"},
		{"runs", "drop", "--handler", "hang"},
		{"runs", "drop", "--handler", "backup"}, // on a full disk
		{"runs", "drop", "--handler", "http"},
	} {
		if out, code := run(t, s.dir, append(args, "--yes")...); code != 0 {
			t.Errorf("%v: exit %d, %s", args, code, out)
		}
	}
}

// full fills the disk for a while.
func (s *soak) full(t *testing.T) {
	if !s.disk {
		return
	}
	empty := fill(t, s.dir)
	var p *api.Problem
	eventuallyTrue(t, "a sender is told that the disk is full", func() (bool, string) {
		_, err := s.d.client.Emit(t.Context(), &events.Event{Type: "soak.other", Source: soakSource, Data: fmt.Appendf(nil, "%q", strings.Repeat("x", 4096))})
		return errors.As(err, &p) && p.Status == http.StatusInsufficientStorage, fmt.Sprint(err)
	})
	pauseFor(t.Context(), s.day/50)
	empty()
	eventuallyTrue(t, "events are accepted again", func() (bool, string) {
		_, err := s.d.client.Emit(t.Context(), &events.Event{Type: "soak.other", Source: soakSource})
		return err == nil, fmt.Sprint(err)
	})
}

// refuse sends what can't be accepted.
func (s *soak) refuse(t *testing.T) {
	for _, args := range [][]string{{"emit", "soak..x"}, {"emit", "evrun.run.dead"}, {"emit", "soak.x", "-d", "{"}} {
		if out, code := run(t, s.dir, args...); code == 0 {
			t.Errorf("%v: exit 0, %s", args, out)
		}
	}
}

// list asks for what there is.
func (s *soak) list(t *testing.T) {
	for _, args := range [][]string{
		{"status"}, {"events", "list", "-n", "200"}, {"runs", "list", "-n", "200"}, {"runs", "list", "--state", "dead", "-n", "0"}, {"users", "list"},
		{"handlers", "list"}, {"schedules", "list"}, {"events", "list", "--where", "data.n == 7", "-n", "5"},
	} {
		if out, code := run(t, s.dir, append(args, "-o", "json")...); code != 0 {
			t.Errorf("%v: exit %d, %s", args, code, out)
		}
	}
}

// sweepUpTo has the effects deleted up to one, and that one left: ids are not used again.
func sweepUpTo(id int64) *events.Event {
	return &events.Event{Type: "soak.sweep", Source: soakSource, Data: fmt.Appendf(nil, `{"upto":%d}`, id)}
}
