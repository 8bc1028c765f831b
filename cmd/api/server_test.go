package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"evrun/cmd/api"
	"evrun/cmd/api/apitest"
	"evrun/cmd/api/client"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is a store whose next write can be made to fail.
type faulty struct {
	store.Store
	fault atomic.Pointer[error] // of every write
}

func (f *faulty) err() error {
	if err := f.fault.Load(); err != nil {
		return fmt.Errorf("write: %w", *err)
	}
	return nil
}

func (f *faulty) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.Append(ctx, evs)
}

// Ping answers like a stuck writer, if the fault is a deadline that has passed.
func (f *faulty) Ping(ctx context.Context) error {
	if err := f.err(); err != nil {
		if _, bounded := ctx.Deadline(); !bounded {
			return nil
		}
		return err
	}
	return f.Store.Ping(ctx)
}

func (f *faulty) Retry(ctx context.Context, c store.Change) ([]store.Run, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.Retry(ctx, c)
}

func (f *faulty) Drop(ctx context.Context, c store.Change) ([]store.Run, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.Drop(ctx, c)
}

func (f *faulty) StartBatch(ctx context.Context, b store.Batch, evs []*events.Event) (store.Batch, error) {
	if err := f.err(); err != nil {
		return b, err
	}
	return f.Store.StartBatch(ctx, b, evs)
}

// daemon is a server on a unix socket, over a real store.
type daemon struct {
	*client.Client
	t      *testing.T
	store  *faulty
	runner *tasks.Runner
	server *api.Server
	socket string
	http   *http.Client
	close  func() // closes the server
}

// serve starts a daemon; it ends with the test.
func serve(t *testing.T, handlers ...*tasks.Handler) *daemon {
	t.Helper()
	return serveWith(t, func(*api.Options) {}, handlers...)
}

func serveWith(t *testing.T, options func(*api.Options), handlers ...*tasks.Handler) *daemon {
	t.Helper()
	d := &daemon{t: t}
	parts := taskstest.Start(t, taskstest.Options{
		Tasks: tasks.Options{Handlers: handlers, Variables: map[string]string{}},
		Tune: func(s store.Store, o *tasks.Options) {
			d.store = &faulty{Store: s}
			o.Store, o.Emitter = d.store, emitter.New(d.store, 1000)
		},
	})
	d.runner = parts.Runner
	o := api.Options{Store: d.store, Emitter: parts.Emitter, Handlers: parts.Runner, Log: slog.New(slog.DiscardHandler), MaxData: 1000,
		Wired: func() []*tasks.Handler { return handlers },
		Daemon: &api.Daemon{Runner: parts.Runner, Bus: parts.Bus, Commits: parts.Commits,
			Status: func(context.Context) (api.Status, error) { return api.Status{}, nil }}}
	options(&o)
	d.server = api.NewServer(o)
	d.socket, d.close = apitest.Serve(t, d.server)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", d.socket) }}
	d.Client, d.http = client.New(d.socket), &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		d.CloseIdleConnections()
		d.server.Drain()
		_ = parts.StopRunner()
		d.close()
		_ = parts.Stop()
	})
	return d
}

// call sends a request with headers (name, value, …), and returns the answer with its body.
func (d *daemon) call(method, path, contentType, body string, headers ...string) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://evrun"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res, string(text)
}

// dies is a handler that fails for good.
type dies struct{}

func (dies) Do(context.Context, *tasks.Delivery) (any, error) {
	return nil, tasks.Permanent(errors.New("broken"))
}

func dying(name string) *tasks.Handler {
	return &tasks.Handler{Name: name, On: []events.Pattern{events.MustPattern("a.b")}, Action: dies{}}
}

// dead waits until so many runs of a handler are dead with this number of attempts, and returns them.
func (d *daemon) dead(handler string, attempts, n int) []store.Run {
	d.t.Helper()
	for {
		var found []store.Run
		for q := (store.RunQuery{Handler: handler, State: store.Dead}); ; {
			page, err := d.store.Runs(d.t.Context(), q)
			if err != nil {
				d.t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				if r.Attempt == attempts {
					found = append(found, r)
				}
			}
			q.AfterID = page[len(page)-1].ID
		}
		if len(found) == n {
			return found
		}
		select {
		case <-d.t.Context().Done():
			d.t.Fatal("the test is over")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (d *daemon) emit(typ string, n int) {
	d.t.Helper()
	evs := make([]*events.Event, n)
	for i := range evs {
		evs[i] = &events.Event{Type: typ, ID: fmt.Sprint(typ, i), Source: "/test"}
	}
	if _, err := emitter.New(d.store, 0).Emit(d.t.Context(), evs...); err != nil {
		d.t.Fatal(err)
	}
}

func TestWhatHasNoRouteIsAProblemToo(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/v1/runs/x/y/z", 404, ""},
		{"PUT", "/v1/events", 405, "GET, HEAD, POST"},
		{"POST", "/v1/runs", 405, "GET, HEAD"},
		{"GET", "/v1/runs/42-h-aaaaaaaa", 404, ""},
		{"GET", "/v1/runs?state=gone", 400, ""},
		{"GET", "/v1/events?type=a..b", 400, ""},
	} {
		res, body := d.call(x.method, x.path, "", "")
		var p api.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != x.status || p.Title != http.StatusText(x.status) {
			t.Errorf("%s %s: %s (%v)", x.method, x.path, body, err)
		}
		if res.StatusCode != x.status || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Allow") != x.allow {
			t.Errorf("%s %s: %d %v", x.method, x.path, res.StatusCode, res.Header)
		}
	}
}

func TestStoreThatTakesNothingNowIsATemporaryProblem(t *testing.T) {
	d := serveWith(t, func(o *api.Options) { o.Hooks = []*hook.Hook{api.OpenHook(t, "shop", "x.y")} }, dying("h"))
	d.emit("a.b", 1)
	id := d.dead("h", 1, 1)[0].ID
	for _, fault := range []struct {
		err    error
		status int
		retry  string
	}{
		{store.ErrFull, 507, ""},
		{store.ErrBusy, 503, "1"},
		{store.ErrClosed, 503, "1"},
	} {
		d.store.fault.Store(&fault.err)
		for _, x := range []struct{ method, path, contentType, body string }{
			{"POST", "/v1/events", "application/cloudevents+json", `{"type":"x.y"}`},
			{"POST", "/v1/events", "application/cloudevents-batch+json", `[{"type":"x.y"}]`},
			{"POST", "/v1/events/x.y", "application/json", `{}`},
			{"POST", "/v1/events/x.y?wait=1m", "application/json", `{}`},
			{"POST", "/hooks/shop", "application/json", `{}`},
			{"POST", "/v1/runs/" + id + "/retry", "", ""},
			{"POST", "/v1/runs/" + id + "/drop", "", ""},
			{"POST", "/v1/batches", "application/json", `{"action":"retry","all":true}`},
		} {
			res, body := d.call(x.method, x.path, x.contentType, x.body)
			if res.StatusCode != fault.status || res.Header.Get("Retry-After") != fault.retry {
				t.Errorf("%v: %s %s: %d %v %s", fault.err, x.method, x.path, res.StatusCode, res.Header, body)
			}
		}
		_, body := d.call("POST", "/v1/events", "application/x-ndjson", "{\"type\":\"x.y\"}\n")
		if want := fmt.Sprintf(`{"status":%d,`, fault.status); !strings.HasPrefix(body, want) {
			t.Errorf("%v: NDJSON is answered with %s", fault.err, body)
		}
	}
	d.store.fault.Store(nil)
	if head, err := d.store.Head(t.Context()); head != 2 || err != nil { // the event, and evrun.run.dead
		t.Errorf("%d events are accepted, %v", head, err)
	}
	d.server.Drain()
	for path, contentType := range map[string]string{"/v1/events": "application/cloudevents+json", "/v1/events/x.y": "application/json", "/hooks/shop": "application/json"} {
		if res, _ := d.call("POST", path, contentType, `{"type":"x.y"}`); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s while it stops: %d %v", path, res.StatusCode, res.Header)
		}
	}
	if st, err := d.Hook(t.Context(), "shop"); err != nil || st.Accepted != 0 || st.Reasons[hook.Unavailable] != 4 {
		t.Errorf("%+v, %v", st, err)
	}
}
