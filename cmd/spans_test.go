package cmd_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"evrun/tasks/trace/otlp/otlptest"
)

const traceOfTest, spanOfTest = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// withSpans runs evrun with a collector, and with a trace context as that of the caller.
func withSpans(t *testing.T, c *otlptest.Collector, dir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(link(t, dir), args...)}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_SCHEDULE_DELAY=20",
		"TRACEPARENT=00-"+traceOfTest+"-"+spanOfTest+"-01", "TRACESTATE=shop=a1")
	p.start(t)
	return p
}

// TestAChainIsATreeOfSpans follows an event through http with a retry, sql, and a command that is killed with its daemon, to a dead run: each span has the
// right parent, and the other sides were given the same ids, before and after the kill.
func TestAChainIsATreeOfSpans(t *testing.T) {
	t.Parallel()
	c := otlptest.Start(t)
	var mu sync.Mutex
	var requests []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if requests = append(requests, r.Header); len(requests) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	if err := mkfifo(filepath.Join(dir, "lifeline")); err != nil {
		t.Fatal(err)
	}
	wireAt(t, dir, fmt.Sprintf(`
defaults: {retry: {backoff: 1ms, max: 1ms}}
handlers:
  - {name: charge, on: order.placed, do: http, with: {url: %q}, emit: payment.settled}
  - {name: note, on: order.placed, do: sql, with: {statement: "INSERT INTO notes (id) VALUES (:id)", migrate: ["CREATE TABLE notes (id TEXT) STRICT"], params: {id: "${ event.id }"}}, emit: order.noted}
  - name: ship
    on: payment.settled
    do: exec
    with:
      shell: |
        [ "$EVRUN_ATTEMPT" = 1 ] || exit 0
        %s emit parcel.packed || exit 5
        echo "$TRACEPARENT $TRACESTATE" >lifeline
        exec sleep 600
  - {name: dies, on: parcel.packed, do: exec, with: {shell: exit 3}, retry: {attempts: 2, backoff: 1ms}, on_dead: parcel.lost}
events:
  order.noted: {final: true}
  parcel.lost: {final: true}
`, server.URL, link(t, dir)))
	daemon := withSpans(t, c, dir, "serve")
	daemon.line(t, "evrun")
	withSpans(t, c, dir, "emit", "order.placed", "--id", "o1").wait(t)
	given := strings.Fields(readLine(t, openLifeline(t, dir)))
	c.Named("publish parcel.packed", 0)
	c.Named("publish evrun.run.dead", 0)
	if err := daemon.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = daemon.cmd.Wait()
	daemon = withSpans(t, c, dir, "serve")
	daemon.line(t, "evrun")
	c.Named("process ship", 2)
	daemon.interrupt(t)

	for _, s := range c.Spans() {
		if s.TraceID != traceOfTest || s.State != "shop=a1" {
			t.Errorf("%s is in the trace %s with %q", s.Name, s.TraceID, s.State)
		}
	}
	order, settled, packed := c.Named("publish order.placed", 0), c.Named("publish payment.settled", 0), c.Named("publish parcel.packed", 0)
	charge1, charge2 := c.Named("process charge", 1), c.Named("process charge", 2)
	ship1, ship2 := c.Named("process ship", 1), c.Named("process ship", 2)
	dies1, dies2 := c.Named("process dies", 1), c.Named("process dies", 2)
	note := c.Named("process note", 1)
	for _, want := range []struct {
		child  otlptest.Span
		parent string
	}{
		{order, spanOfTest}, {charge1, order.SpanID}, {charge2, order.SpanID}, {note, order.SpanID}, {c.Named("publish order.noted", 0), note.SpanID},
		{settled, charge2.SpanID}, {ship1, settled.SpanID}, {ship2, settled.SpanID}, {packed, ship1.SpanID}, {dies1, packed.SpanID}, {dies2, packed.SpanID},
		{c.Named("publish parcel.lost", 0), dies2.SpanID}, {c.Named("publish evrun.run.dead", 0), dies2.SpanID},
	} {
		if want.child.ParentSpanID != want.parent {
			t.Errorf("%s (attempt %v) has the parent %s, want %s", want.child.Name, want.child.Attributes["evrun.attempt"], want.child.ParentSpanID, want.parent)
		}
	}
	for _, link := range []struct{ from, to otlptest.Span }{{charge2, charge1}, {ship2, ship1}, {dies2, dies1}} {
		if l := link.from.Links; len(l) != 1 || l[0].SpanID != link.to.SpanID || l[0].TraceID != traceOfTest {
			t.Errorf("%s links to %+v", link.from.Name, l)
		}
	}
	for _, s := range []otlptest.Span{charge1, ship1, dies1, dies2} {
		if s.Code != 2 || s.Message == "" || s.Attributes["error.type"] == nil {
			t.Errorf("%s has no error: %+v", s.Name, s)
		}
	}
	for _, s := range []otlptest.Span{order, charge2, ship2, note} {
		if s.Code != 0 {
			t.Errorf("%s has an error: %+v", s.Name, s)
		}
	}
	if dies2.Attributes["evrun.run.state"] != "dead" || charge1.Attributes["evrun.run.state"] != "retrying" || note.Attributes["evrun.kind"] != "sql" {
		t.Errorf("%v, %v, %v", dies2.Attributes, charge1.Attributes, note.Attributes)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, s := range []otlptest.Span{charge1, charge2} {
		if h := requests[i]; h.Get("traceparent") != "00-"+traceOfTest+"-"+s.SpanID+"-01" || h.Get("tracestate") != "shop=a1" {
			t.Errorf("request %d has %v", i, h)
		}
	}
	if len(given) != 2 || given[0] != "00-"+traceOfTest+"-"+ship1.SpanID+"-01" || given[1] != "shop=a1" {
		t.Errorf("the command was given %q", given)
	}
	seen := map[string]bool{}
	for _, s := range c.Spans() {
		if seen[s.SpanID] {
			t.Errorf("%s came twice", s.Name)
		}
		seen[s.SpanID] = true
	}
	t.Run("as the OpenTelemetry collector reads them", func(t *testing.T) {
		decoder, got := goClient(t, "otlp", "otlp"), ""
		for _, body := range c.Bodies() {
			read := exec.Command(decoder)
			read.Stdin, read.Stderr = bytes.NewReader(body), os.Stderr
			text, err := read.Output()
			if err != nil {
				t.Errorf("%v: %s", err, body)
			}
			got += string(text)
		}
		codes := map[int]string{0: "Unset", 2: "Error"}
		kinds := map[int]string{4: "Producer", 5: "Consumer"}
		for _, s := range c.Spans() {
			want := fmt.Sprintf("evrun %s %s %s %q %q %s %d %d %d %x %s %q\n", s.TraceID, s.SpanID, s.ParentSpanID, s.State, s.Name, kinds[s.Kind], s.Attributes["evrun.seq"],
				s.Ended.Sub(s.Began).Nanoseconds(), len(s.Links), s.Flags, codes[s.Code], s.Message)
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in %s", want, got)
			}
		}
		if strings.Count(got, "\n") != len(c.Spans()) {
			t.Errorf("it reads %s", got)
		}
	})
}

// TestAWrongEndpointOfSpans: it is reported by the start, by status and by doctor, and stops nothing.
func TestAWrongEndpointOfSpans(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wireAt(t, dir, "handlers: [{name: note, on: a.b, do: log, with: {message: x}}]\n")
	wrong := "OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318"
	d := &process{cmd: exec.Command(link(t, dir), "serve", "--log-format", "json")}
	d.cmd.Dir, d.cmd.Env = dir, append(os.Environ(), wrong)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd.Stderr = log
	d.start(t)
	d.line(t, "evrun")
	const says = `OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" is not the URL of a collector`
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Error(out)
	}
	for _, command := range []string{"status", "doctor"} {
		if out, _ := run(t, dir, command); !strings.Contains(strings.Join(strings.Fields(out), " "), says) {
			t.Errorf("%s: %s", command, out)
		}
	}
	doctor := exec.Command(link(t, dir), "doctor")
	doctor.Dir, doctor.Env = dir, append(os.Environ(), wrong)
	if out, _ := doctor.CombinedOutput(); strings.Count(strings.Join(strings.Fields(string(out)), " "), says) != 1 {
		t.Errorf("with the variable: %s", out)
	}
	d.interrupt(t)
	text, err := os.ReadFile(log.Name())
	if err != nil || !strings.Contains(string(text), "is not the URL of a collector") || !strings.Contains(string(text), "http://localhost:4318") {
		t.Errorf("%s, %v", text, err)
	}
}
