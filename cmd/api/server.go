package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/explain"
	"evrun/tasks/schedule"
)

// Options are what a Server is made of.
type Options struct {
	Store     store.Store
	Emitter   *tasks.Emitter
	Runner    *tasks.Runner
	Scheduler *schedule.Scheduler
	Bus       *events.Bus
	Commits   *events.Feed[store.Commit]
	Log       *slog.Logger
	MaxData   int // largest data of an event, in bytes
	Status    func(context.Context) (Status, error)
	Reload    func(context.Context) (Reloaded, error) // reads the wiring file again
	Explain   func(*events.Event) explain.Report      // what the wiring would do about an event
	Metrics   http.Handler                            // answers GET /metrics

	// The rest may be left out.

	MaxConnections int // at the same time; those beyond are answered 503. Default 1,000
	MaxStreams     int // at the same time, with the answers that follow an event, and as many bodies of NDJSON; those beyond are answered 429. Default 200
}

// Server answers the HTTP API.
type Server struct {
	o        Options
	http     *http.Server
	draining atomic.Bool
	closing  chan struct{}

	connections atomic.Int64
	streams     places
	lines       places // bodies of NDJSON
	batches     places
	pages       *pages
	runs        *runFeed
}

// NewServer makes a server; Serve starts it.
func NewServer(o Options) *Server {
	o.MaxConnections, o.MaxStreams = cmp.Or(o.MaxConnections, defaultConnections), cmp.Or(o.MaxStreams, defaultStreams)
	s := &Server{
		o: o, closing: make(chan struct{}), pages: newPages(o.Store), runs: newRunFeed(o.Commits),
		streams: places{what: "streams", limit: o.MaxStreams}, lines: places{what: "bodies of NDJSON", limit: o.MaxStreams},
		batches: places{what: "large batches", limit: largeBatches},
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /v1/events":                  s.postEvents,
		"GET /v1/events":                   s.listEvents,
		"GET /v1/events/{id}":              s.getEvent,
		"POST /v1/explain":                 s.explain,
		"GET /v1/stream":                   s.stream,
		"GET /v1/runs":                     s.listRuns,
		"GET /v1/runs/{id}":                s.getRun,
		"POST /v1/runs/{id}/retry":         s.retryRun,
		"DELETE /v1/runs/{id}":             s.dropRun,
		"POST /v1/runs/retry":              s.retryRuns,
		"DELETE /v1/runs":                  s.dropRuns,
		"GET /v1/schedules":                s.listSchedules,
		"GET /v1/schedules/{name}":         s.getSchedule,
		"POST /v1/schedules/{name}/fire":   s.fireSchedule,
		"POST /v1/schedules/{name}/pause":  s.pauseSchedule,
		"POST /v1/schedules/{name}/resume": s.resumeSchedule,
		"GET /v1/handlers":                 s.listHandlers,
		"GET /v1/handlers/{name}":          s.getHandler,
		"POST /v1/handlers/{name}/resume":  s.resumeHandler,
		"POST /v1/handlers/{name}/forget":  s.forgetHandler,
		"GET /v1/users":                    s.listUsers,
		"GET /v1/users/{key}":              s.getUser,
		"GET /v1/status":                   s.status,
		"POST /v1/reload":                  s.reload,
		"GET /metrics":                     s.metrics,
		"GET /healthz":                     s.healthy,
		"GET /readyz":                      s.readiness,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.answer(w, r, err)
			}
		})
	}
	s.http = &http.Server{
		Handler:           s.patient(routed(mux)),
		ConnContext:       markBeyond,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers requests on l until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(&counted{Listener: l, server: s}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain refuses new events from now on; all else goes on.
func (s *Server) Drain() { s.draining.Store(true) }

// Close ends the streams, waits for the answers under way, and closes the server.
func (s *Server) Close(ctx context.Context) error {
	close(s.closing)
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.runs.pump.Wait()
	return err
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	stopping := p.Status == http.StatusServiceUnavailable && s.draining.Load()               // all commands that come meanwhile get this
	if p.Status >= http.StatusInternalServerError && !stopping && r.Context().Err() == nil { // else the client is gone
		s.o.Log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
	}
	p.write(w)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return events.WriteJSON(w, v)
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	s.o.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyWithin is how long the store's writer has to answer whoever asks whether the daemon is ready.
const readyWithin = 2 * time.Second

// readiness says whether events are accepted: it asks the writer, in whose queue an event would wait.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request) error {
	select {
	case <-s.o.Runner.Ready():
	default:
		return problem(http.StatusServiceUnavailable, "starting")
	}
	if s.draining.Load() {
		return errDraining
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := s.o.Store.Ping(ctx); errors.Is(err, context.DeadlineExceeded) {
		return problem(http.StatusServiceUnavailable, fmt.Sprintf("the store's writer has not answered for %v: a statement or the disk holds it", readyWithin))
	} else if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

var errDraining = problem(http.StatusServiceUnavailable, "evrun is stopping: try again when it is back")

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := eventQuery(r)
	if err != nil {
		return err
	}
	evs, err := s.o.Store.Events(r.Context(), q)
	if err != nil {
		return err
	}
	return writeList(w, "events", evs)
}

func writeList[T any](w http.ResponseWriter, name string, items []T) error {
	if items == nil {
		items = []T{}
	}
	return writeJSON(w, http.StatusOK, map[string]any{name: items})
}

// getEvent answers with the event that has an id, of ?source=, or else of the source that used the id last.
func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) error {
	e, err := s.findEvent(r.Context(), r.PathValue("id"), r.URL.Query().Get("source"))
	if err != nil {
		return err
	}
	text, err := e.AppendJSON(nil)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/cloudevents+json")
	_, err = w.Write(append(text, '\n'))
	return err
}

func (s *Server) findEvent(ctx context.Context, id, source string) (*events.Event, error) {
	if source == "" {
		return s.o.Store.Event(ctx, id)
	}
	found, err := s.o.Store.Events(ctx, store.EventQuery{ID: id, Source: source, Limit: 1})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("event %q of the source %q: %w", id, source, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (s *Server) listUsers(w http.ResponseWriter, r *http.Request) error {
	v := values{r.URL.Query()}
	after, err := v.number("after")
	if err != nil {
		return err
	}
	limit, err := v.limit()
	if err != nil {
		return err
	}
	users, err := s.o.Store.ListUsers(r.Context(), after, limit)
	if err != nil {
		return err
	}
	shaped := make([]User, len(users))
	for i, u := range users {
		shaped[i] = UserOf(u)
	}
	return writeList(w, "users", shaped)
}

func (s *Server) getUser(w http.ResponseWriter, r *http.Request) error {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, UserOf(u))
}

// values reads query parameters.
type values struct{ v map[string][]string }

func (v values) Get(name string) string {
	if len(v.v[name]) == 0 {
		return ""
	}
	return v.v[name][0]
}

func (v values) number(name string) (int64, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, problem(http.StatusBadRequest, name+": a whole number, not "+strconv.Quote(text))
	}
	return n, nil
}

// limit is the page's size: 1,000 at most, 100 where it isn't given.
func (v values) limit() (int, error) {
	n, err := v.number("limit")
	if n == 0 {
		n = 100
	}
	return int(min(n, 1000)), err
}

// eventQuery reads what list and stream have in common: type (patterns), after, before, chain (the seq of
// its first event), since (RFC 3339), last, limit.
func eventQuery(r *http.Request) (q store.EventQuery, err error) {
	v := values{r.URL.Query()}
	for _, text := range v.v["type"] {
		p, err := tasks.ParsePattern(text)
		if err != nil {
			return q, problem(http.StatusBadRequest, "type: "+err.Error())
		}
		q.Patterns = append(q.Patterns, p)
	}
	if q.After, err = v.number("after"); err != nil {
		return q, err
	}
	if q.Before, err = v.number("before"); err != nil {
		return q, err
	}
	if q.Limit, err = v.limit(); err != nil {
		return q, err
	}
	q.Last = v.Get("last") == "1" || v.Get("last") == "true"
	if q.Chain, err = v.number("chain"); err != nil {
		return q, err
	}
	if text := v.Get("since"); text != "" {
		var ok bool
		if q.Since, ok = events.ParseTime(text); !ok {
			return q, problem(http.StatusBadRequest, "since: an RFC 3339 time, not "+strconv.Quote(text))
		}
	}
	return q, nil
}
