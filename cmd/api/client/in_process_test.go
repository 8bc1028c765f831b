package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/search"
)

// inProcess is a client whose requests are answered in process, by the daemon's store.
func (d *daemon) inProcess() *Client { return stored(d.store, nil, nil) }

// stored makes a client of a server over a store that no daemon has.
func stored(s store.Store, handlers []*tasks.Handler, entries []*schedule.Entry) *Client {
	em := emitter.New(s, 1000)
	return InProcess(api.NewServer(api.Options{Store: s, Emitter: em, MaxData: 1000, Log: slog.New(slog.DiscardHandler),
		Handlers: &tasks.Stored{Store: s, Emitter: em, Handlers: handlers}, Schedules: &schedule.Stored{Store: s, Emitter: em, Entries: entries}}).Handler())
}

// written opens a store for writing, and closes it at the end of the test.
func written(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestInProcessAnswersWhatAStoreCan(t *testing.T) {
	c := stored(written(t), []*tasks.Handler{dying("h")}, nil)
	for i, id := range []string{"1", "a/b?c#d", ".", "..", "%2E", "ü x"} {
		rc, err := c.Emit(t.Context(), &events.Event{Type: "a.b", ID: id, Source: "/test", Data: []byte(`{ "n": 9007199254740993 }`)})
		if err != nil || rc.Sequence != int64(i+1) {
			t.Fatalf("%q: %+v, %v", id, rc, err)
		}
		e, err := c.Event(t.Context(), id)
		if err != nil || e.ID != id || string(e.Data) != `{ "n": 9007199254740993 }` {
			t.Errorf("%q: %+v, %v", id, e, err)
		}
	}
	sel := search.Selection{Types: []string{"a.*"}, Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Where: "data.n > 1"}
	page, info, err := c.Events(t.Context(), sel, api.Paging{Limit: 2, After: "6"})
	if err != nil || len(page) != 2 || page[0].Sequence != 5 || page[1].Sequence != 4 || string(page[1].Data) != `{ "n": 9007199254740993 }` || info.Next == "" {
		t.Errorf("%v, %+v, %v", page, info, err)
	}
	list, err := c.Handlers(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "h" || list[0].State != control.StateNew {
		t.Errorf("%+v, %v", list, err)
	}
}

// A problem keeps the error that it was made of, so a command branches on it as without the API.
func TestAProblemInProcessKeepsItsCause(t *testing.T) {
	d := serve(t)
	c := d.inProcess()
	for _, cause := range []error{store.ErrFull, store.ErrBroken, store.ErrBusy, context.Canceled} {
		d.store.fault.Store(&cause)
		_, err := c.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test"})
		var p *api.Problem
		if !errors.Is(err, cause) || !errors.As(err, &p) || p.Detail != "write: "+cause.Error() {
			t.Errorf("%v became %v", cause, err)
		}
	}
	d.store.fault.Store(nil)
	var refused *emitter.RefusedError
	if _, err := c.Emit(t.Context(), &events.Event{Type: "evrun.mine", Source: "/test"}); !errors.As(err, &refused) {
		t.Errorf("a refused event: %v", err)
	}
	if _, err := c.Event(t.Context(), "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no event: %v", err)
	}
}

func TestInProcessRefusesWhatNeedsADaemon(t *testing.T) {
	c := stored(written(t), nil, nil)
	nothing := func(string, json.RawMessage) error { return nil }
	_, status := c.Status(t.Context())
	_, reload := c.Reload(t.Context())
	_, wait := c.EmitWait(t.Context(), &events.Event{Type: "a.b", Source: "/test"}, time.Minute, func(api.Receipt) error { return nil }, nothing)
	stream := c.Stream(t.Context(), StreamQuery{}, func() error { return nil }, func(string, []byte) error { return nil })
	for name, err := range map[string]error{"status": status, "reload": reload, "wait": wait, "stream": stream, "ping": c.Ping(t.Context())} {
		if !errors.Is(err, api.ErrNoDaemon) || err.Error() != api.ErrNoDaemon.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if page, _, err := c.Events(t.Context(), search.Selection{}, api.Paging{}); err != nil || len(page) != 0 {
		t.Errorf("%d events were accepted, %v", len(page), err)
	}
}

func TestInProcessSchedulesAreFiredAndPaused(t *testing.T) {
	timing, err := slots.New("hourly", slots.Spec{Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s := written(t)
	c := stored(s, nil, []*schedule.Entry{{Name: "hourly", Timing: timing, Type: "tick.due"}})
	rc, err := c.Fire(t.Context(), "hourly")
	if err != nil || rc.Sequence != 1 {
		t.Fatalf("%+v, %v", rc, err)
	}
	for _, want := range []api.Paused{
		{Name: "hourly", Paused: true, Changed: true}, {Name: "hourly", Paused: true},
		{Name: "hourly", Changed: true}, {Name: "hourly"},
	} {
		if p, err := c.SetPaused(t.Context(), "hourly", want.Paused); err != nil || p != want {
			t.Errorf("%+v, %v; want %+v", p, err, want)
		}
		if list, err := c.Schedules(t.Context(), 2); err != nil || len(list) != 1 || len(list[0].Upcoming) != 2 || (list[0].Paused == "hand") != want.Paused {
			t.Errorf("%+v, %v", list, err)
		}
	}
	if _, err := c.Schedule(t.Context(), "huorly", 0); err == nil || err.Error() != `there is no schedule "huorly"; did you mean "hourly"?` {
		t.Error(err)
	}
}

// Without a store the wiring alone answers.
func TestInProcessWithoutAStoreTheWiringAnswers(t *testing.T) {
	c := stored(nil, []*tasks.Handler{dying("slow")}, nil)
	list, err := c.Handlers(t.Context())
	if err != nil || len(list) != 1 || list[0].State != control.StateNew {
		t.Errorf("%+v, %v", list, err)
	}
	for name, want := range map[string]string{"slwo": `there is no handler "slwo"; did you mean "slow"?`, "x": `there is no handler "x"`} {
		if _, err := c.Handler(t.Context(), name); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.ForgetHandler(t.Context(), name); err == nil || err.Error() != want {
			t.Errorf("forget %s: %v", name, err)
		}
	}
	if _, err := c.ResumeHandler(t.Context(), "slow", false); err == nil || !strings.HasPrefix(err.Error(), `handler "slow" is in the wiring file, but no daemon has run it yet`) {
		t.Errorf("resume: %v", err)
	}
	if list, err := c.Schedules(t.Context(), 0); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.Fire(t.Context(), "none"); err == nil || err.Error() != `there is no schedule "none"` {
		t.Errorf("fire: %v", err)
	}
}

// slowly is a journal whose reads wait.
type slowly struct {
	store.Store
	reading chan struct{}
}

func (s slowly) ScanEvents(ctx context.Context, _ store.EventQuery, _ int) (store.Part[*events.Event], error) {
	close(s.reading)
	<-ctx.Done()
	return store.Part[*events.Event]{}, ctx.Err()
}

func TestInProcessTheEndOfTheContextEndsARequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := slowly{written(t), make(chan struct{})}
	go func() {
		<-s.reading
		cancel()
	}()
	if _, _, err := stored(s, nil, nil).Events(ctx, search.Selection{}, api.Paging{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Each line of an answer is read before the next one is written, and closing the answer ends its handler.
func TestInProcessAnswersStream(t *testing.T) {
	var written []int
	ended := make(chan error, 1)
	transport := inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || string(sent) != "question" {
			t.Errorf("the body is %q, %v", sent, err)
		}
		w.Header().Set("Content-Type", "text/plain")
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(w, "line %d\n", i); err != nil {
				ended <- r.Context().Err()
				return
			}
			written = append(written, i)
		}
	})}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://evrun/", strings.NewReader("question"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	part := make([]byte, len("line 0\nline 1\n"))
	if _, err := io.ReadFull(res.Body, part); err != nil || !bytes.Equal(part, []byte("line 0\nline 1\n")) {
		t.Errorf("%q, %v", part, err)
	}
	_ = res.Body.Close() // waits for the handler
	select {
	case <-ended:
	default:
		t.Error("the handler goes on")
	}
	if !slices.Equal(written, []int{0, 1}) {
		t.Errorf("%v were written, and two lines read", written)
	}
	if n, err := res.Body.Read(part); n != 0 || err == nil {
		t.Errorf("a closed answer gives %d bytes, %v", n, err)
	}
}

// A panic while a page asks the API must end one request, and not the daemon.
func TestInProcessAPanicIsThatOfWhoAsks(t *testing.T) {
	ask := func(handler http.HandlerFunc) (text string, p any, err error) {
		defer func() { p = recover() }()
		res, err := (&http.Client{Transport: inProcess{handler}}).Get("http://evrun/")
		if err != nil {
			return "", nil, err
		}
		defer res.Body.Close()
		read, err := io.ReadAll(res.Body)
		return string(read), nil, err
	}
	if text, p, err := ask(func(http.ResponseWriter, *http.Request) { panic("boom") }); !strings.HasPrefix(fmt.Sprint(p), "panic: boom\n") {
		t.Errorf("before the answer: %q, %v, and who asks goes on: %v", text, err, p)
	}
	text, p, err := ask(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("boom")
	})
	if text != "half" || err == nil || !strings.HasPrefix(err.Error(), "panic: boom\n") || p != nil {
		t.Errorf("within the answer: %q, %v, %v", text, err, p)
	}
}

// A name that is also a part of another route's path is that of nothing: the page of a user "export" must not begin an export.
func TestNamesOfOtherRoutes(t *testing.T) {
	c := stored(written(t), nil, nil)
	if u, err := c.User(t.Context(), "export"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v, %v", u, err)
	}
	if r, err := c.Run(t.Context(), "summary"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v, %v", r, err)
	}
}
