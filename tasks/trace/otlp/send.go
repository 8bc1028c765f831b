package otlp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"evrun/events"
	"evrun/tasks/fault"
	"evrun/tasks/outgoing"
)

// The bounds of a request. Retries are those of the OTLP specification, "OTLP/HTTP Response" and "Failures"; the times are those of OpenTelemetry's
// exporters.
const (
	maxAnswer  = 64 << 10 // bytes that are read
	maxMessage = 300      // bytes that are kept of what a collector says
	maxBackoff = 30 * time.Second
	tryFor     = time.Minute
)

// newClient makes the client. The collector is the operator's, whose environment names it: so the address may be private, and a proxy is that of the
// environment. A redirect is not followed: spans, and the headers with them, go nowhere else.
func newClient(s *Settings) *http.Client {
	return &http.Client{
		Timeout:       s.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.TLS, DialContext: (&net.Dialer{Timeout: s.Timeout}).DialContext,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: maxAnswer, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}
}

// answer is what a collector says of a request that it took.
type answer struct {
	rejected int64
	message  string
}

// refusal is an answer that is not 2xx.
type refusal struct {
	status  string
	message string
	again   bool          // another try may succeed
	after   time.Duration // not before; 0: as the client likes
}

func (r *refusal) Error() string {
	if r.message == "" {
		return r.status
	}
	return r.status + ": " + r.message
}

// deliver sends a request until it is taken, refused for good, or too old. Once ctx has ended, it waits for no more than the next try, until hard ends.
func (x *Exporter) deliver(ctx, hard context.Context, body []byte) (a answer, err error) {
	if x.s.Gzip {
		body = compressed(body)
	}
	since := time.Now()
	for backoff := x.o.Backoff; ; backoff = min(2*backoff, maxBackoff) {
		if !pause(ctx, hard, time.Until(x.notBefore)) {
			return a, cmp.Or(err, errStopping)
		}
		a, err = x.post(hard, body)
		var r *refusal
		if err == nil || errors.As(err, &r) && !r.again || hard.Err() != nil {
			return a, err
		}
		x.failed(err.Error())
		wait := backoff/2 + rand.N(backoff/2+1)
		if r != nil && r.after > 0 {
			wait = r.after
		}
		x.notBefore = time.Now().Add(wait)
		if x.notBefore.Sub(since) > tryFor {
			return a, err
		}
		x.say(false)
	}
}

var errStopping = errors.New("evrun is stopping")

// pause waits; once ctx has ended, not for longer than a moment. It returns false if hard has ended.
func pause(ctx, hard context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	}
	t.Reset(min(wait, 100*time.Millisecond))
	select {
	case <-t.C:
		return true
	case <-hard.Done():
		return false
	}
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a write to a buffer can't fail
	_ = w.Close()
	return b.Bytes()
}

// post sends a request once.
func (x *Exporter) post(ctx context.Context, body []byte) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.s.URL, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	for name, values := range x.s.Headers {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "evrun/"+x.o.Version)
	}
	if x.s.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return a, unwrapped(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		return answerOf(resp, text), nil // whatever it says: it has the spans
	}
	r := &refusal{status: fault.Clip(resp.Status, maxMessage)}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r.again, r.after = true, outgoing.RetryAfter(resp.Header)
	}
	if err == nil {
		r.message = messageOf(resp, text)
	}
	return a, r
}

// unwrapped is an error of a client without the url, which may have a password.
func unwrapped(err error) error {
	var wrapped interface{ Unwrap() error }
	if errors.As(err, &wrapped) {
		return fmt.Errorf("no answer: %w", wrapped.Unwrap())
	}
	return err
}

func isJSON(resp *http.Response) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// answerOf reads an ExportTraceServiceResponse.
func answerOf(resp *http.Response, text []byte) (a answer) {
	var body struct {
		PartialSuccess struct {
			RejectedSpans json.RawMessage `json:"rejectedSpans"` // a string, or a number
			ErrorMessage  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if isJSON(resp) && json.Unmarshal(text, &body) == nil {
		a.rejected, _ = strconv.ParseInt(strings.Trim(string(body.PartialSuccess.RejectedSpans), `"`), 10, 64)
		a.message = plain(body.PartialSuccess.ErrorMessage)
	}
	return a
}

// messageOf reads why a request was refused: a google.rpc.Status, or text.
func messageOf(resp *http.Response, text []byte) string {
	var body struct{ Message string }
	if isJSON(resp) && json.Unmarshal(text, &body) == nil {
		return plain(body.Message)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		return plain(string(text))
	}
	return ""
}

// plain shortens a stranger's text.
func plain(text string) string {
	return events.EscapeControl(fault.Clip(strings.ToValidUTF8(strings.TrimSpace(text), "?"), maxMessage))
}

// probe sends a request without spans, so that a wrong endpoint is reported at the start and not with the first span.
func (x *Exporter) probe(ctx context.Context) {
	if err := x.Probe(ctx); err != nil && ctx.Err() == nil {
		x.failed(err.Error())
		x.o.Log.Warn("spans can't be sent", "to", x.s.Place(), "error", err.Error())
	}
}

// Probe sends a request without spans. An answer that a collector may give to it is not an error.
func (x *Exporter) Probe(ctx context.Context) error {
	body := []byte(`{"resourceSpans":[]}`)
	if x.s.Gzip {
		body = compressed(body)
	}
	_, err := x.post(ctx, body)
	var r *refusal
	if errors.As(err, &r) && (r.again || strings.HasPrefix(r.status, "400")) {
		return nil
	}
	return err
}
