package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// InProcess gives a client whose requests this server answers in the caller's process, without a connection. An answer is
// read while it is written, so long ones need no memory. The caller has seen the end of every request once it has closed the
// request's answer, which all methods of [Client] do.
func (s *Server) InProcess() *Client {
	return &Client{http: &http.Client{Transport: inProcess{s.handler}}}
}

// inProcess is a transport that has a handler answer. Each request has a goroutine, which has ended when the answer's body
// is closed. Deadlines don't count: there is no network that could be slow.
type inProcess struct{ handler http.Handler }

// RoundTrip returns when the answer begins. It never fails: what the handler reports is a [Problem].
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
		t.handler.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK) // unless it has written one
		_ = r.Body.Close()
		broken()
		_ = to.Close()
		cancel()
	}()
	<-w.began
	return &http.Response{Status: http.StatusText(w.status), StatusCode: w.status, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: w.sent, ContentLength: -1, Request: r, Body: &answerBody{from: from, w: w, cancel: cancel, err: ctx.Err}}, nil
}

// answer is an answer that is being written.
type answer struct {
	header  http.Header
	request io.Closer // the request's body
	to      *io.PipeWriter
	began   chan struct{} // closed when the rest is set
	ended   chan struct{} // closed when the handler has returned
	begin   sync.Once
	status  int
	sent    http.Header
	problem *Problem // that it consists of
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) { w.start(status, nil) }

// start lets the reader begin, once. p is the problem that the answer consists of, if it does.
func (w *answer) start(status int, p *Problem) {
	w.begin.Do(func() {
		w.status, w.sent, w.problem = status, w.header.Clone(), p
		close(w.began)
	})
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// The rest is for [http.ResponseController].

func (w *answer) Flush()                             {}
func (w *answer) EnableFullDuplex() error            { return nil }
func (w *answer) SetWriteDeadline(_ time.Time) error { return nil }

// SetReadDeadline with a time that has passed ends the reading of the request's body.
func (w *answer) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(time.Now()) {
		return nil
	}
	return w.request.Close()
}

// answerBody is an answer that is being read.
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

// Close ends the handler, and waits for it.
func (b *answerBody) Close() error {
	_ = b.from.Close()
	_ = b.w.request.Close()
	b.cancel()
	<-b.w.ended
	return nil
}
