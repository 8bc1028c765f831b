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
	"slices"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/outgoing"
)

// httpRequest is the kind http. Its result is the answer: status, headers and body.
type httpRequest struct {
	URL          *expression.Template            `key:"url,required" example:"https://example.com" doc:"Where to. Values in its path and query are escaped; a value can't change the host. A url that is one expression is taken as it is."`
	Method       string                          `key:"method" enum:"GET,HEAD,POST,PUT,PATCH,DELETE" default:"POST" doc:"The method of the request."`
	Headers      map[string]*expression.Template `key:"headers" doc:"Further headers of the request."`
	Body         *expression.Value               `key:"body" doc:"What to send: a text as it is, anything else as JSON. Left out, POST, PUT and PATCH send the event: its data, and its attributes as ce- headers (CloudEvents binary mode)."`
	Expect       []*expression.Template          `key:"expect" default:"2xx" doc:"The statuses that mean success: 200, 2xx, 200-204, or a list of such."`
	AllowPrivate bool                            `key:"allow_private" doc:"Whether a host that isn't written out in url may have a private address, such as 127.0.0.1 or 10.0.0.7."`

	expect   []statusRange
	secrets  *expression.Secrets
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
	return &httpRequest{secrets: deps.Secrets, way: outgoing.NewWay(false)}
}

// Open implements [tasks.Opener]. Each attempt that can run at a time keeps a connection: with fewer, attempts would open new ones.
func (h *httpRequest) Open(s tasks.Surroundings) {
	h.noResult = s.ResultUnused
	h.way.Transport.MaxIdleConnsPerHost = max(h.way.Transport.MaxIdleConnsPerHost, s.Concurrency)
	h.way.Transport.MaxIdleConns = max(h.way.Transport.MaxIdleConns, s.Concurrency)
}

// check checks the constant parts of the inputs.
func (h *httpRequest) check() []*fault.Fault {
	var faults []*fault.Fault
	if err := outgoing.CheckURL(h.URL); err != nil {
		faults = append(faults, &fault.Fault{Path: []any{"url"}, Message: err.Error()})
	}
	_, literal := outgoing.LiteralHost(h.URL)
	h.way.Guard.Open = literal || h.AllowPrivate
	h.constant = nil
	if _, constant := h.URL.Constant(); constant && len(faults) == 0 {
		h.constant, _ = h.bare(nil) // an error of it is that of each attempt
	}
	if h.Body != nil && (h.Method == http.MethodGet || h.Method == http.MethodHead) {
		faults = append(faults, &fault.Fault{Path: []any{"body"}, Key: true, Message: h.Method + " has no body", Hint: "leave it out, or choose another method"})
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		msg, hint := checkHeaderName(name, canonical)
		if other, twice := seen[canonical]; twice && msg == "" {
			msg = fmt.Sprintf("the header is given twice: also as %s", other)
		}
		seen[canonical] = name
		if msg != "" {
			faults = append(faults, &fault.Fault{Path: []any{"headers", name}, Key: true, Message: msg, Hint: hint})
		} else if value, constant := h.Headers[name].Constant(); constant {
			if err := checkHeaderValue(value); err != nil {
				faults = append(faults, &fault.Fault{Path: []any{"headers", name}, Message: err.Error()})
			}
		}
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
	header["Idempotency-Key"] = []string{d.RunID}
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
		return nil, outgoing.StatusError(resp, body, h.secrets) // even if its body is incomplete
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
