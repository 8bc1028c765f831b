package daemontest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/cmd/daemon"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/store/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// sharing starts a daemon on a database, as a node with a name.
func sharing(t *testing.T, dsn, name, labels string) *daemontest.Daemon {
	t.Helper()
	return daemontest.Start(t, fmt.Sprintf(`
store: "%s"
node: {name: %s, labels: [%s]}
server: {listen: "127.0.0.1:0", grace: 2s}
handlers:
  - {name: note, on: a.b, do: log, with: {message: x}}
  - {name: mail, on: a.b, do: log, with: {message: x}, nodes: [mail]}
schedules:
  - {name: tick, every: 1h, emit: a.tick}
`, dsn, name, labels), func(o *daemon.Options) { o.Version = "1.2.3" })
}

// until asks for the status until it is as wanted.
func until(t *testing.T, d *daemontest.Daemon, what string, wanted func(s api.Status) bool) (s api.Status) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond)) }()
	for deadline := time.Now().Add(40 * time.Second); ; {
		var err error
		if s, err = d.Status(t.Context()); err == nil && wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v, %v", what, s, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func wiringOf(s api.Status, node string) string {
	i := slices.IndexFunc(s.Nodes, func(n shape.Node) bool { return n.Name == node })
	if i < 0 {
		return ""
	}
	return s.Nodes[i].Wiring
}

func slotsOf(s api.Status, node, handler string) (n int) {
	for _, x := range s.Nodes {
		for _, h := range x.Holds {
			if x.Name == node && h.Handler == handler {
				n += h.Slots
			}
		}
	}
	return n
}

func TestDaemonsShareAStore(t *testing.T) {
	dsn := postgrestest.Database(t)
	first := sharing(t, dsn, "web", "")
	s := until(t, first, "one daemon has all slots, and none of mail", func(s api.Status) bool { return slotsOf(s, "web", "note") == 64 && len(s.Problems) > 0 })
	if len(s.Nodes) != 1 || !s.Nodes[0].Self || s.Nodes[0].Version != "1.2.3" || s.Nodes[0].Wiring == "" || slotsOf(s, "web", "mail") != 0 || s.Problems[0].What != shape.TroubleNodes || s.Problems[0].Name != "mail" {
		t.Errorf("%+v, problems %+v", s.Nodes, s.Problems)
	}
	second := sharing(t, dsn, "mail-1", "mail")
	s = until(t, first, "slots are shared, but for those of mail", func(s api.Status) bool {
		return slotsOf(s, "web", "note") == 32 && slotsOf(s, "mail-1", "note") == 32 && slotsOf(s, "mail-1", "mail") == 64
	})
	if len(s.Problems) != 0 {
		t.Errorf("problems: %+v", s.Problems)
	}
	for i := range 20 {
		if _, err := first.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test", ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, second, "all events have been handled", func(s api.Status) bool {
		return len(s.Handlers) == 2 && *s.Handlers[0].Waiting == 0 && *s.Handlers[1].Waiting == 0
	})
	text, err := second.Metrics(t.Context())
	for _, want := range []string{"evrun_nodes 2", `evrun_handler_slots_held{handler="mail"} 64`, `evrun_handler_slots_held{handler="note"} 32`, `evrun_leases_lost_total{handler="note"} 0`, "evrun_ready 1"} {
		if err != nil || !strings.Contains(string(text), "\n"+want+"\n") {
			t.Errorf("%s is not in the metrics, %v", want, err)
		}
	}

	of := func(d *daemontest.Daemon) string {
		text, err := d.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`evrun_store_info\{.*`).FindString(string(text))
	}
	if id := of(first); id == "" || of(second) != id {
		t.Errorf("they share a store, and say %q and %q", id, of(second))
	}

	// A token of one of them is known to the other.
	made, err := first.CreateToken(t.Context(), shape.TokenRequest{Name: "ci", Rights: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	url := s.TCP.URL
	if s, err = second.Status(t.Context()); err == nil {
		url = s.TCP.URL
	}
	page := ""
	for deadline := time.Now().Add(10 * time.Second); page == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		page = get(t, url+"/settings", made.Secret)
	}
	for _, want := range []string{"Daemons of this store", "mail-1", "this one"} {
		if !strings.Contains(page, want) {
			t.Errorf("the settings don't show %q", want)
		}
	}

	before := wiringOf(s, "mail-1")
	text, err = os.ReadFile(second.Config)
	if err != nil {
		t.Fatal(err)
	}
	second.Write(t, strings.Replace(string(text), "every: 1h", "every: 2h", 1))
	until(t, first, "the wiring of the other has changed", func(s api.Status) bool {
		return len(s.Nodes) == 2 && s.Nodes[0].Wiring != s.Nodes[1].Wiring && wiringOf(s, "mail-1") != before
	})
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	until(t, first, "the slots of a stopped daemon are with the other", func(s api.Status) bool { return len(s.Nodes) == 1 && slotsOf(s, "web", "note") == 64 })
}

// get is the body of an answer that is 200.
func get(t *testing.T, url, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// While the database is away nothing is accepted, and the daemon says why, without the password. It goes on by itself.
func TestTheDatabaseIsAway(t *testing.T) {
	postgrestest.Bin(t)
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	server.Exec(t, "postgres", "CREATE DATABASE away")
	d := sharing(t, strings.Replace(server.TCP("away"), "postgres@", "postgres:very-secret@", 1), "web", "")
	url := until(t, d, "it has its slots", func(s api.Status) bool { return slotsOf(s, "web", "note") == 64 }).TCP.URL
	back := make(chan error, 1)
	server.Exec(t, "postgres", "ALTER DATABASE away ALLOW_CONNECTIONS false")
	server.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'away'")
	s := until(t, d, "the status says that the database is away", func(s api.Status) bool { return len(s.Problems) > 0 && s.Problems[0].What == api.TroubleStore })
	if text := fmt.Sprintf("%+v", s); strings.Contains(text, "very-secret") {
		t.Errorf("the password is shown: %s", text)
	}
	if get(t, url+"/readyz", "") != "" {
		t.Error("it is ready")
	}
	if text, err := d.Metrics(t.Context()); err != nil || !strings.Contains(string(text), "\nevrun_ready 0\n") {
		t.Errorf("the metrics: %v", err)
	}
	go func() {
		_, err := d.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test", ID: "while it is away"})
		back <- err
	}()
	server.Exec(t, "postgres", "ALTER DATABASE away ALLOW_CONNECTIONS true")
	<-back // refused, or accepted as it is back already
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := d.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test", ID: "now"})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	until(t, d, "it goes on", func(s api.Status) bool { return slotsOf(s, "web", "note") == 64 })
}
