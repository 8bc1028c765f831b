package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store/storetest"
	"evrun/tasks/control"
)

// includedFilesChangeUnderLoad has the files of conf.d appear, change, move, be renamed and removed, be half written and wrong, while events come in.
// Some of it is read at a request, some by the daemon's own look at the files. In the end each handler has done its work exactly once for each
// event since it began.
func includedFilesChangeUnderLoad(t *testing.T) {
	t.Parallel()
	dir := wired(t, "include: [conf.d/*.yaml, 'teams/*/evrun.yaml']\nhandlers:\n"+insert("main", "", ""))
	f := includedFiles{dir: dir}
	f.write(t, "conf.d/10-moves.yaml", "handlers:\n"+insert("moves", "", ""))
	f.write(t, "conf.d/20-changes.yaml", "handlers:\n"+insert("changes", "", "0"))
	f.write(t, "conf.d/30-renamed.yaml", "handlers:\n"+insert("renamed-0", "", ""))
	f.write(t, "conf.d/40-goes.yaml", "handlers:\n"+insert("goes", "", "")+insert("goes-too", "", ""))
	f.daemon = serve(t, dir, nil)
	f.daemon.ready(t)

	load := f.load(t)
	rounds := 3
	if storetest.Long() {
		rounds = 20
	}
	for i := range rounds {
		f.round(t, i)
	}
	accepted := load()
	if accepted < 100 {
		t.Errorf("there was no load: %d events", accepted)
	}

	l := openLedger(t, dir)
	l.has(t, "/load", f.acknowledged)
	for _, handler := range []string{"main", "moves", "changes", "renamed", "goes", "goes-too", "comes", "team"} {
		// A handler that appears later begins with the events after it: what it has seen once, it sees from then on.
		l.eventually(t, 0, `SELECT count(*) FROM events WHERE type = 'a.b' AND id NOT IN (SELECT event_id FROM users WHERE name = ?1)
			AND sequence > (SELECT min(sequence) FROM events WHERE id IN (SELECT event_id FROM users WHERE name = ?1))`, handler)
		l.none(t, handler+": events whose effect is there twice", `SELECT event_id, count(*) FROM users WHERE name = ? GROUP BY event_id HAVING count(*) > 1`, handler)
		if n := l.number(t, `SELECT count(*) FROM users WHERE name = ?`, handler); n == 0 || n < int64(accepted) && handler != "comes" && handler != "team" {
			t.Errorf("%s has worked on %d of %d events", handler, n, accepted)
		}
	}
	if n := l.number(t, `SELECT count(*) FROM users WHERE name = 'changes' AND attributes LIKE ?`, fmt.Sprintf(`%%"mark":"%d"%%`, rounds)); n == 0 {
		t.Error("the last text of changes has not worked")
	}
	l.none(t, "handlers that are left or paused with events pending", `SELECT name FROM handlers WHERE left_at > 0 AND name NOT LIKE 'renamed-%'`)
	f.daemon.stop(t)
	l.whole(t)
	l.orphans(t)
}

// insert is a handler of a.b that stores a user for each event, in the name of the first part of its own.
func insert(name, was, mark string) string {
	family := name
	if strings.HasPrefix(name, "renamed-") {
		family = "renamed"
	}
	if was != "" {
		was = ", was: " + was
	}
	return fmt.Sprintf("- {name: %s%s, on: a.b, do: user.insert, with: {name: %s, email: '${ event.id }@%[3]s.example.com', attributes: {mark: '%[4]s'}}}\n", name, was, family, mark)
}

// includedFiles are the files of a wiring that is being changed.
type includedFiles struct {
	dir    string
	daemon *daemon

	mu           sync.Mutex
	acknowledged map[string]int64
}

func (f *includedFiles) path(name string) string { return filepath.Join(f.dir, name) }

// write writes a file in place, as cp and many editors do.
func (f *includedFiles) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *includedFiles) rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(f.path(from), f.path(to)); err != nil {
		t.Fatal(err)
	}
}

func (f *includedFiles) remove(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(f.path(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// load publishes events until the returned function is called, which gives the number of the accepted ones.
func (f *includedFiles) load(t *testing.T) (end func() int) {
	t.Helper()
	f.acknowledged = map[string]int64{}
	ctx, cancel := context.WithCancel(t.Context())
	var producers sync.WaitGroup
	for p := range 2 {
		producers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", p, i)
				rc, err := f.daemon.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: id, Source: "/load", Data: []byte("{}")})
				if err != nil {
					t.Errorf("emit %s: %v", id, err)
					return
				}
				f.mu.Lock()
				f.acknowledged[id] = rc.Sequence
				f.mu.Unlock()
				pauseFor(ctx, 10*time.Millisecond)
			}
		})
	}
	return func() int {
		cancel()
		producers.Wait()
		return len(f.acknowledged)
	}
}

// reload has the daemon read the files, and checks which handlers it has then, or a part of the refusal. The daemon may have read them before.
func (f *includedFiles) reload(t *testing.T, refused string, has ...string) {
	t.Helper()
	_, err := f.daemon.client.Reload(t.Context())
	var p *api.Problem
	switch {
	case refused != "":
		if !errors.As(err, &p) || !strings.Contains(p.Detail, refused) {
			t.Errorf("a reload of files that are wrong: %v, want %q", err, refused)
		}
	case err != nil:
		t.Errorf("reload: %v", err)
	}
	for _, name := range has {
		name, not := strings.CutPrefix(name, "!")
		if f.has(t, name) == not {
			t.Errorf("the daemon has %s: %v", name, not)
		}
	}
}

// has reports whether the daemon's wiring has a handler.
func (f *includedFiles) has(t *testing.T, name string) bool {
	t.Helper()
	list, err := f.daemon.client.Handlers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(h control.HandlerStatus) bool { return h.Name == name && h.State != control.StateLeft })
}

// notices waits until the daemon itself has read the files again, and has a handler or not.
func (f *includedFiles) notices(t *testing.T, name string, want bool) {
	t.Helper()
	eventuallyTrue(t, fmt.Sprintf("the daemon has %s: %v", name, want), func() (bool, string) { return f.has(t, name) == want, "" })
}

// round changes each file in its way.
func (f *includedFiles) round(t *testing.T, i int) {
	t.Helper()
	// A handler that moves to another file unchanged is the same one.
	moves := []string{"conf.d/10-moves.yaml", "conf.d/90-moves.yaml"}
	f.rename(t, moves[i%2], moves[(i+1)%2])
	f.reload(t, "", "moves")

	// A file that is replaced as editors do, with what they leave behind.
	next := "handlers:\n" + insert("changes", "", fmt.Sprint(i+1))
	f.write(t, "conf.d/.20-changes.yaml.swp", next)
	f.write(t, "conf.d/20-changes.yaml~", "{")
	f.rename(t, "conf.d/.20-changes.yaml.swp", "conf.d/20-changes.yaml")
	f.reload(t, "", "changes")

	name, was := fmt.Sprintf("renamed-%d", i+1), fmt.Sprintf("renamed-%d", i)
	f.write(t, "conf.d/30-renamed.yaml", "handlers:\n"+insert(name, was, ""))
	f.reload(t, "", name, "!"+was)

	// Half a file may be right: one of its handlers is gone. Half a handler is wrong. Both come back before anything is lost.
	whole := "handlers:\n" + insert("goes", "", "") + insert("goes-too", "", "")
	f.write(t, "conf.d/40-goes.yaml", whole[:strings.Index(whole, "- {name: goes-too")])
	f.reload(t, "", "goes", "!goes-too")
	f.write(t, "conf.d/40-goes.yaml", whole[:len(whole)-10])
	f.reload(t, "conf.d/40-goes.yaml:3:", "goes", "!goes-too")
	f.write(t, "conf.d/50-wrong.yaml", "handlers: [{name: main, on: a.b, do: lgo}]\nstore: b.db\n")
	f.reload(t, "conf.d/50-wrong.yaml:2:1", "goes", "main")
	f.remove(t, "conf.d/40-goes.yaml")
	f.remove(t, "conf.d/50-wrong.yaml")
	f.reload(t, "", "!goes", "!goes-too")
	f.write(t, "conf.d/40-goes.yaml", whole)
	f.reload(t, "", "goes", "goes-too")

	// The daemon looks for itself: files and directories that appear and go, and a mistake that is mended in another file than the wiring file.
	f.write(t, "conf.d/60-comes.yaml", "handlers:\n"+insert("comes", "", ""))
	f.write(t, "teams/red/evrun.yaml", "handlers:\n"+insert("team", "", "")+insert("main", "", ""))
	eventuallyTrue(t, "the daemon sees the mistake", func() (bool, string) {
		status, err := f.daemon.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.Reload == nil {
			return false, "no reload"
		}
		return strings.Contains(status.Reload.Error, `two handlers are named "main"`), status.Reload.Error
	})
	f.write(t, "teams/red/evrun.yaml", "handlers:\n"+insert("team", "", ""))
	f.notices(t, "comes", true)
	f.notices(t, "team", true)
	f.remove(t, "conf.d/60-comes.yaml", "teams")
	f.notices(t, "comes", false)
	f.notices(t, "team", false)
	f.write(t, "conf.d/60-comes.yaml", "handlers:\n"+insert("comes", "", ""))
	f.write(t, "teams/red/evrun.yaml", "handlers:\n"+insert("team", "", ""))
	f.notices(t, "comes", true)
	f.notices(t, "team", true)
}
