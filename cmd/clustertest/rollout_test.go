package clustertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/store/storetest"
)

// rewire changes the wiring file of a daemon, which reads it at its next start.
func (n *node) rewire(old, with string) {
	n.w.t.Helper()
	path := filepath.Join(n.dir, "evrun.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		n.w.t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), old, with)
	if changed == string(text) {
		n.w.t.Fatalf("%q is not in the wiring file", old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		n.w.t.Fatal(err)
	}
}

// A new version of the wiring file is rolled out, one daemon after the other, while events come in. It changes how events are divided among the daemons,
// and renames a handler. Each event has one effect all the same.
func TestARolloutUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	w := cluster(t)
	l := &load{w: w, senders: 8, total: storetest.Size(t, "EVRUN_EVENTS", 8000, 8000), request: 25, over: 20 * time.Second}
	rolled := make(chan struct{})
	go func() {
		defer close(rolled)
		for i, n := range w.nodes {
			w.until("some events have come", func() (bool, string) { return l.progress() >= l.total*(i+1)/5, "" })
			if code := n.stop(); code != 0 {
				t.Errorf("%s ended with %d\n%s", n.name, code, n.tail())
			}
			n.rewire("order_by: data.key", `order_by: data.key + "!"`)
			n.rewire("name: record-ticks", "name: note-ticks\n    was: record-ticks")
			n.start()
			n.ready()
		}
	}()
	l.send(t.Context())
	<-rolled
	l.settled().report(t)
}
