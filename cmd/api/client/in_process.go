package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"evrun/cmd/api"
)

// InProcess returns a client whose requests a server ([api.Server.Handler]) answers in this process, without a connection. An answer is read
// while it is written, so a long one needs no memory. When a method of the client has returned, the server is done with its request.
func InProcess(server http.Handler) *Client {
	return &Client{http: &http.Client{Transport: inProcess{server}}}
}

// inProcess is a transport that calls a handler. It starts a goroutine for each request; closing the answer's body waits for its end.
// Deadlines in the future are ignored, since no network can be slow.
type inProcess struct{ handler http.Handler }

// RoundTrip returns when the answer begins. It never fails.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	r = r.WithContext(ctx)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	from, to := io.Pipe()
	w := &answer{header: http.Header{}, request: r.Body, to: to, began: make(chan struct{}), ended: make(chan struct{})}
	broken := context.AfterFunc(ctx, func() { _ = from.Close() })
	go func() {
		defer close(w.ended)
		w.serve(t.handler, r)
		w.WriteHeader(http.StatusOK) // unless the handler has written a status
		_ = r.Body.Close()
		broken()
		_ = to.Close()
		cancel()
	}()
	<-w.began
	if w.panicked != nil {
		panic(w.panicked)
	}
	length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{Status: http.StatusText(w.status), StatusCode: w.status, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: w.sent, ContentLength: length, Request: r, Body: &answerBody{from: from, w: w, cancel: cancel, err: ctx.Err}}, nil
}

// answer is the [http.ResponseWriter] of the handler.
type answer struct {
	header  http.Header
	request io.Closer // the request's body
	to      *io.PipeWriter
	began   chan struct{} // closed when the fields below are set
	ended   chan struct{} // closed when the handler has returned
	begin   sync.Once
	status  int
	sent    http.Header
	problem *api.Problem // the answer is this problem; nil: it isn't one

	panicked any // what the handler panicked with before it began an answer
}

// serve calls the handler. A panic of it would end the process: before the answer has begun, it becomes one of who asks, as if that had called the handler, and
// a server ends one request with it; later, the answer breaks off.
func (w *answer) serve(handler http.Handler, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			text := fmt.Sprintf("panic: %v\n%s", p, debug.Stack())
			w.begin.Do(func() {
				w.panicked = text
				close(w.began)
			})
			_ = w.to.CloseWithError(errors.New(text))
		}
	}()
	handler.ServeHTTP(w, r)
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) { w.start(status, nil) }

// WriteProblem makes it [api.ProblemWriter].
func (w *answer) WriteProblem(p *api.Problem) { w.start(p.Status, p) }

// start begins the answer, once. p is its problem, if it is one.
func (w *answer) start(status int, p *api.Problem) {
	w.begin.Do(func() {
		w.status, w.sent, w.problem = status, w.header.Clone(), p
		close(w.began)
	})
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// The other methods are for [http.ResponseController].

func (w *answer) Flush()                             {}
func (w *answer) EnableFullDuplex() error            { return nil }
func (w *answer) SetWriteDeadline(_ time.Time) error { return nil }

// SetReadDeadline closes the request's body if the time has passed.
func (w *answer) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(time.Now()) {
		return nil
	}
	return w.request.Close()
}

// answerBody is the client's side of an answer.
type answerBody struct {
	from   *io.PipeReader
	w      *answer
	cancel context.CancelFunc
	err    func() error // of the request's context
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if errors.Is(err, io.ErrClosedPipe) && b.err() != nil {
		err = b.err()
	}
	return n, err
}

// Close cancels the request, and waits until the handler has returned.
func (b *answerBody) Close() error {
	_ = b.from.Close()
	_ = b.w.request.Close()
	b.cancel()
	<-b.w.ended
	return nil
}
