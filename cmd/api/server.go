// Package api is evrun's HTTP API: the server, and what its client (package client) knows of it.
//
// A [Server] answers requests on the daemon's socket, and by TCP for those who pass the gate (doors.go). Without a daemon, a command makes one over the opened store and asks it in its own
// process ([Server.Handler]), so each action is written once. [Handlers] and [Schedules] have an implementation for each of the two;
// some routes need the parts of a running [Daemon]. A resource (runs.go, users.go, …) has its routes in one file, its JSON shapes in the file with the
// same name in package shape, and the methods that ask for it in that of package client. An error is answered as a [Problem].
//
// Parts with a job of their own: package ingest reads what events are sent as and accepts lines, package runlog sends what a run printed, package stream sends the journal to many readers, package ndjson reads lines,
// package cloudevents decodes binary mode and batches, package coding decompresses bodies, and package limits bounds connections and times.
//
// Limits: connections (package limits), streams (package stream) and bodies of NDJSON at the same time, and the time of each body and write, are
// bounded, so that no client keeps others waiting. In process there are no deadlines.
//
// Goroutines: one for each connection (net/http). A body of NDJSON has one more (package ingest); package stream has some of its own. All
// of the server's have ended when [Server.Close] returns.
package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/credentials"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/shape"
	"evrun/cmd/api/stream"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/batches"
	"evrun/tasks/emitter"
	"evrun/tasks/erase"
	"evrun/tasks/explain"
	"evrun/tasks/retention"
)

// Options are the parts of a Server.
type Options struct {
	Store     store.Store // nil: only routes that need no store work
	Emitter   *emitter.Emitter
	Handlers  Handlers
	Schedules Schedules
	Explain   func(*events.Event) explain.Report // what the wiring would do about an event
	Matches   func(*events.Event) (bool, string) // see [explain.Matches]
	Wired     func() []*tasks.Handler            // by the wiring
	Redact    func(string) string                // removes secrets from a text; nil: there are none
	Log       *slog.Logger
	Retention func() retention.Policy // what is kept
	Hooks     []*hook.Hook            // see [hook.Receiver.Replace] for other ones later
	MaxData   int                     // largest data of an event, in bytes
	Daemon    *Daemon                 // nil: the server answers in process, see [Server.Handler]

	// The rest may be left out.

	Following *Following // of a server in process; nil: only a daemon can follow, with its own

	// Pages makes the pages of the dashboard. server answers the API in this process, as who the context of a request says: see [access.From]. nil: there are none.
	Pages func(server http.Handler) []shape.Page

	Version        string         // of evrun, for the description of the API
	Tokens         *access.Tokens // that are valid by TCP; nil: nobody gets in there
	Hosts          []string       // names of this server, for requests by TCP: see [access.Hosts]
	TrustedProxies []netip.Prefix // whose X-Forwarded-For says who sent a request; they may have all connections of TCP
	MaxConnections int            // at the same time, on the socket and by TCP each; more are answered with 503. Default 3,000
	MaxStreams     int            // at the same time, with the answers that follow an event, and as many bodies of NDJSON, of which there are 200 at most; more are answered with 429. Default 1,500
}

// Server answers the HTTP API.
type Server struct {
	o        Options
	handler  http.Handler
	gated    http.Handler // for requests by TCP: they pass the gate first
	door     *access.Gate
	http     *http.Server // of the socket
	tcp      *http.Server // beside it: strangers take none of its connections
	draining atomic.Bool
	closing  context.Context // ends when the server closes
	close    context.CancelFunc

	connections limits.Connections // of the socket
	strangers   limits.Connections // of TCP
	silent      limits.Silent      // of TCP
	following   places             // streams, and answers that follow an event
	lines       places             // bodies of NDJSON
	bodies      [2]limits.Bodies   // of events: of those who may do everything, and of TCP
	backups     places
	examined    places
	summaries   places
	whatIfs     places
	credentials *credentials.Credentials
	actions     *batches.Batches
	streams     *stream.Streams // of a daemon
	reasons     *Reasons
	description func() map[string]any // see describe
	hooks       *hook.Receiver
}

// route answers requests; its error becomes a [Problem].
type route func(http.ResponseWriter, *http.Request) error

// NewServer makes a server; Serve starts it.
func NewServer(o Options) *Server {
	o.MaxConnections, o.MaxStreams = cmp.Or(o.MaxConnections, defaultConnections), cmp.Or(o.MaxStreams, defaultStreams)
	if o.Tokens == nil {
		o.Tokens = access.NewTokens()
	}
	s := &Server{
		o: o, connections: limits.Connections{Most: o.MaxConnections},
		strangers: limits.Connections{Most: o.MaxConnections, Share: max(o.MaxConnections/4, 10), Exempt: o.TrustedProxies},
		following: places{what: "streams", limit: o.MaxStreams}, lines: places{what: "bodies of NDJSON", limit: min(o.MaxStreams, mostLines)},
		bodies:   [2]limits.Bodies{{Most: mostBodies}, {Most: mostBodies}},
		examined: places{what: "examinations", limit: examinationsAtOnce},
		backups:  places{what: "backups", limit: backupsAtOnce}, summaries: places{what: "summaries", limit: summariesAtOnce},
		whatIfs: places{what: "comparisons of wirings", limit: whatIfAtOnce},
		reasons: shape.NewReasons(o.Store, o.Redact),
	}
	s.actions = batches.New(batches.Options{Store: o.Store, Emitter: o.Emitter, Redact: o.Redact, Actions: append(batches.OfRuns(o.Handlers), batches.OfEdits(s.changes()), s.replayer().Action(), s.replayer().RunsAgain(), erase.Action(o.Store))})
	s.description = description(o.Version)
	s.hooks = s.newHooks()
	s.credentials = &credentials.Credentials{Store: o.Store, Emitter: o.Emitter, Tokens: o.Tokens, Log: o.Log}
	s.closing, s.close = context.WithCancel(context.Background())
	if d := o.Daemon; d != nil {
		s.o.Following = &Following{Bus: d.Bus, Commits: d.Commits, Follow: d.Runner.Follow}
	}
	if f := s.o.Following; f != nil {
		s.streams = stream.New(stream.Options{Journal: o.Store, Bus: f.Bus, Commits: f.Commits, Runs: s.reasons.Any, WriteTimeout: limits.WriteTimeout})
	}
	mux := http.NewServeMux()
	for _, r := range Routes {
		h := r.of(s)
		if r.Daemon && o.Daemon == nil && (!r.follows || s.o.Following == nil) {
			h = func(http.ResponseWriter, *http.Request) error { return errNeedsDaemon }
		}
		h = r.allowed(h)
		mux.Handle(r.Pattern, limits.Guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.answer(w, r, err)
			}
		}), o.Log, shape.Broken))
	}
	s.handler = shape.Routed(mux)
	var pages []shape.Page
	if o.Pages != nil {
		pages = o.Pages(s.handler)
	}
	for _, p := range pages {
		mux.Handle(p.Pattern, limits.Guarded(p.Handler, o.Log, shape.Broken))
	}
	s.gated = s.gate(mux, pages)
	s.http, s.tcp = s.serverOf(s.handler, ofSocket), s.serverOf(s.gated, ofTCP)
	s.tcp.ConnState = s.silent.Note
	return s
}

// Handler answers requests without the limits of connections and times: those of a client in this process.
func (s *Server) Handler() http.Handler { return s.handler }

// Drain refuses new events from now on, but for those of running attempts. All other routes go on.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether it was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// untilClose returns a context that ends with ctx, or when the server closes. The caller must call cancel.
func (s *Server) untilClose(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, end)
	return ctx, func() {
		stop()
		end()
	}
}

// Close ends the streams, waits for the answers that are being written, and closes the server.
func (s *Server) Close(ctx context.Context) error {
	s.close()
	err := s.shut(ctx)
	if s.streams != nil {
		s.streams.Wait()
	}
	return err
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	p := shape.ProblemOf(err)
	stopping := p.Status == http.StatusServiceUnavailable && s.draining.Load()               // expected
	if p.Status >= http.StatusInternalServerError && !stopping && r.Context().Err() == nil { // else the client is gone
		s.o.Log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
	}
	p.Write(w)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	var body bytes.Buffer
	if err := events.WriteJSON(&body, v); err != nil { // before the status is sent
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, _ none) error {
	s.o.Daemon.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *Server) healthy(*http.Request, none) (shape.Health, error) {
	return shape.Health{Status: "ok"}, nil
}

func (s *Server) status(r *http.Request, _ none) (Status, error) {
	status, err := s.o.Daemon.Status(r.Context())
	if err == nil && s.draining.Load() {
		status.Stopping()
	}
	return status, err
}

// readyWithin is how long the store's writer has to answer a question about readiness.
const readyWithin = 2 * time.Second

// readiness reports whether events are accepted. It asks the store's writer, in whose queue an event would wait.
func (s *Server) readiness(r *http.Request, _ none) (ready shape.Health, err error) {
	select {
	case <-s.o.Daemon.Runner.Ready():
	default:
		return ready, problem(http.StatusServiceUnavailable, "starting")
	}
	if s.draining.Load() {
		return ready, errDraining
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	err = s.o.Store.Ping(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = problem(http.StatusServiceUnavailable, fmt.Sprintf("the store's writer has not answered for %v: a statement, the disk or a lost database holds it", readyWithin))
	}
	return shape.Health{Status: "ready"}, err
}

var errDraining = shape.ErrDraining
