package handlers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/outgoing"
	"evrun/tasks/signature"
)

// httpRequest is the kind http. Its result is the answer: status, headers and body.
type httpRequest struct {
	URL          *expression.Template            `key:"url,required,short" example:"https://example.com" doc:"Where to. Values in its path and query are escaped; a value can't change the host. A url that is one expression is taken as it is."`
	Method       string                          `key:"method" enum:"GET,HEAD,POST,PUT,PATCH,DELETE" default:"POST" doc:"The method of the request."`
	Headers      map[string]*expression.Template `key:"headers" doc:"Further headers of the request. A traceparent here replaces that of the run."`
	Body         *expression.Value               `key:"body" doc:"What to send: a text as it is, anything else as JSON. Left out, POST, PUT and PATCH send the event: its data, and its attributes as ce- headers (CloudEvents binary mode)."`
	Expect       []*expression.Template          `key:"expect" default:"2xx" doc:"The statuses that mean success: 200, 2xx, 200-204, or a list of such."`
	AllowPrivate bool                            `key:"allow_private" doc:"Whether a host that isn't written out in url may have a private address, such as 127.0.0.1 or 10.0.0.7."`
	Follow       bool                            `key:"follow" doc:"Follow redirects to other hosts, too, ten at most, and those after which a POST becomes a GET. Another host gets none of the handler's own headers but Accept and Content ones, nor its client certificate, and must have a public address unless allow_private is true. By default only redirects on the same host that keep the method are followed."`
	Socket       string                          `key:"socket" doc:"A unix socket that requests go to, relative to the wiring file, such as /run/docker.sock. The url's host is only what the server is told."`
	Sign         *signature.Sign                 `key:"sign" doc:"Signs the request, so that its receiver can see that it is evrun's. The id of standard-webhooks is the run's, and so the same at each attempt; its time is that of the attempt. A redirect to another host, or that drops the body, has no signature."`
	outgoing.Route

	dir      string // the wiring file's directory
	expect   []statusRange
	secrets  *expression.Secrets
	note     func(text string) // see [Deps.Note]
	way      *outgoing.Way
	constant *http.Request // without headers and body, if url is constant
	noResult bool          // nobody reads it
}

// Limits of what is kept of an answer.
const (
	maxStatus  = 200     // of a status line
	maxHeaders = 8 << 10 // of the headers
)

func newHTTPRequest(deps Deps) *httpRequest {
	return &httpRequest{dir: deps.BaseDir, secrets: deps.Secrets, note: deps.Note, way: outgoing.NewWay(false)}
}

// Open implements [tasks.Opener]. Each attempt that can run at a time keeps a connection: with fewer, attempts would open new ones.
func (h *httpRequest) Open(s tasks.Surroundings) {
	h.noResult = s.ResultUnused
	h.way.Log = s.Log
	h.way.Keep(s.Concurrency)
}

// Close closes the connections that are kept.
func (h *httpRequest) Close() error {
	h.way.Close()
	return nil
}

// check checks the constant parts of the inputs.
func (h *httpRequest) check() []*fault.Fault {
	var faults []*fault.Fault
	if err := outgoing.CheckURL(h.URL); err != nil {
		faults = append(faults, &fault.Fault{Path: []any{"url"}, Message: err.Error()})
	}
	faults = append(faults, h.checkWay()...)
	faults = append(faults, h.checkHeaders()...)
	h.constant = nil
	if _, constant := h.URL.Constant(); constant && len(faults) == 0 {
		h.constant, _ = h.bare(nil) // an error of it is that of each attempt
	}
	if h.Body != nil && (h.Method == http.MethodGet || h.Method == http.MethodHead) {
		faults = append(faults, &fault.Fault{Path: []any{"body"}, Key: true, Message: h.Method + " has no body", Hint: "leave it out, or choose another method"})
	}
	h.expect = nil
	for i, t := range h.Expect {
		path := []any{"expect"}
		if len(h.Expect) > 1 {
			path = append(path, i)
		}
		r, ok := parseStatuses(t)
		if !ok {
			faults = append(faults, &fault.Fault{Path: path, Message: fmt.Sprintf("%s is not a valid status", fault.Quote(t.String())), Hint: "such as 200, 2xx or 200-204"})
		}
		h.expect = append(h.expect, r)
	}
	if len(h.Expect) == 0 {
		faults = append(faults, &fault.Fault{Path: []any{"expect"}, Message: "the list is empty", Hint: "leave it out for 2xx"})
	}
	return faults
}

// checkWay checks how requests reach their server.
func (h *httpRequest) checkWay() []*fault.Fault {
	_, literal := outgoing.LiteralHost(h.URL)
	h.way.Guard.Open = literal || h.AllowPrivate
	h.way.Follow, h.way.AllowPrivate = h.Follow, h.AllowPrivate
	faults := h.Load(h.dir, h.secrets, h.note)
	socket, wrong := outgoing.Path("socket", h.Socket, h.dir)
	switch {
	case wrong != nil:
		faults = append(faults, wrong)
	case socket == "":
	case h.Proxied():
		faults = append(faults, &fault.Fault{Path: []any{"socket"}, Key: true, Message: "a socket is reached without a proxy", Hint: "keep one of them"})
	case len(socket) > maxSocketPath:
		faults = append(faults, &fault.Fault{Path: []any{"socket"}, Message: fmt.Sprintf("the path has %d bytes, and a socket's can have %d", len(socket), maxSocketPath), Hint: "move it, or link to it from a shorter path"})
	}
	if h.Proxied() && !h.way.Guard.Open {
		faults = append(faults, &fault.Fault{Path: []any{"proxy"}, Key: true, Message: "behind a proxy, evrun can't see whether the host of an event has a public address",
			Hint: "write the host out in url, or say allow_private: true if any may be asked"})
	}
	if len(faults) == 0 {
		h.Through(socket)
		h.way.Use(&h.Route)
	}
	return faults
}

// maxSocketPath is how long the path of a unix socket can be on Linux.
const maxSocketPath = 107

// Do sends the request and reads the response. Temporary statuses (408, 425, 429, 5xx) and network errors lead to another attempt;
// errors of the request itself are permanent.
func (h *httpRequest) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	ctx, cancel := outgoing.WithTimeout(ctx)
	defer cancel()
	req, err := h.request(ctx, d)
	if err != nil {
		return nil, h.explain(req, err)
	}
	result, err := h.exchange(req, cmp.Or(d.MaxData, emitter.DefaultMaxEvent), d.Capture(h.secrets))
	if err != nil {
		return nil, h.explain(req, outgoing.TimedOut(ctx, err))
	}
	return result, nil
}

// request makes the request of one attempt.
func (h *httpRequest) request(ctx context.Context, d *tasks.Delivery) (req *http.Request, err error) {
	if req = h.constant; req == nil {
		if req, err = h.bare(d.Env); err != nil {
			return nil, err
		}
	}
	req = req.WithContext(ctx) // a copy
	header := make(http.Header, 16+len(h.Headers))
	header["User-Agent"] = ownAgent
	body, err := h.body(d, header)
	if err != nil {
		return nil, err
	}
	for name, t := range h.Headers {
		value, err := t.Text(d.Env)
		if err == nil {
			err = checkHeaderValue(value)
		}
		if err != nil {
			return nil, tasks.Permanent(fmt.Errorf("headers.%s: %w", name, err))
		}
		header.Set(name, value)
	}
	d.Trace().SetIn(header)
	header["Idempotency-Key"] = []string{d.RunID}
	if h.Sign != nil {
		signed, err := h.Sign.Headers(d.RunID, body, time.Now())
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		maps.Copy(header, signed)
	}
	req.Header = header
	if req.Body = http.NoBody; len(body) > 0 {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req, nil
}

var ownAgent = []string{"evrun"}

// bare makes a request without headers and body.
func (h *httpRequest) bare(env *expression.Env) (*http.Request, error) {
	u, err := outgoing.BuildURL(h.URL, env)
	if err != nil {
		return nil, tasks.Permanent(fmt.Errorf("url: %w", err))
	}
	req, err := http.NewRequest(h.Method, u.String(), nil)
	if err != nil {
		return nil, tasks.Permanent(errors.New("url: it can't be asked by HTTP"))
	}
	return req, nil
}

func (h *httpRequest) template() *expression.Template { return h.URL }

// address implements addressed.
func (h *httpRequest) address(env *expression.Env) (string, error) {
	u, err := outgoing.BuildURL(h.URL, env)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// body returns the body to send, and sets the headers that describe it.
func (h *httpRequest) body(d *tasks.Delivery, header http.Header) ([]byte, error) {
	if h.Body == nil {
		switch h.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
			setEventHeaders(header, d.Event)
			return d.Event.Data, nil
		}
		return nil, nil
	}
	v, err := h.Body.Eval(d.Env)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		header.Set("Content-Type", "text/plain; charset=utf-8")
		return []byte(v), nil
	}
	text, err := events.MarshalJSON(v)
	if err != nil {
		return nil, tasks.Permanent(fmt.Errorf("body: %w", err))
	}
	header.Set("Content-Type", "application/json")
	return text, nil
}

// Prints implements [tasks.Printer].
func (h *httpRequest) Prints() string { return "what the server answers" }

// exchange sends a request and reads the response, which output keeps. The result has at most room bytes.
func (h *httpRequest) exchange(req *http.Request, room int, output *capture.Capture) (any, error) {
	resp, err := h.way.Send(req, h.expected)
	if err != nil {
		return nil, outgoing.RequestError(err)
	}
	defer resp.Body.Close()
	kept := io.Discard
	if output.Keeps() {
		output.SetStatus(fault.Clip(resp.Status, maxStatus))
		output.SetHeaders(headerLines(resp.Header))
		kept = output.Stream("body")
	}
	if h.noResult && h.expected(resp.StatusCode) {
		n, err := io.Copy(kept, io.LimitReader(resp.Body, outgoing.MaxAnswer+1))
		return nil, brokenOff(resp, n, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, outgoing.MaxAnswer+1))
	_, _ = kept.Write(body) // never fails
	if !h.expected(resp.StatusCode) {
		return nil, h.way.StatusError(resp, body, h.secrets) // even if its body is incomplete
	}
	if err != nil {
		return nil, brokenOff(resp, int64(len(body)), err)
	}
	return fit(answer(resp, body, h.secrets), room)
}

// brokenOff explains an error at reading the body of a response.
func brokenOff(resp *http.Response, read int64, err error) error {
	if err != nil {
		err = fmt.Errorf("%s, but its body broke off after %d bytes: %w", resp.Status, read, err)
	}
	return err
}

// explain adds which request failed, without path and query, which may contain tokens.
func (h *httpRequest) explain(req *http.Request, err error) error {
	if req != nil {
		err = fmt.Errorf("%s %s://%s: %w", req.Method, req.URL.Scheme, req.URL.Host, err)
	}
	return outgoing.Redacted(h.secrets, err)
}
