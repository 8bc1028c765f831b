// Package otlptest is a collector for tests. It takes OTLP/HTTP in JSON, and refuses what the specification does not allow: unknown members, ids that are
// not hexadecimal, numbers of 64 bits that are not strings, enumerations that are not numbers.
package otlptest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Collector is a collector that keeps the spans it gets.
type Collector struct {
	*httptest.Server
	// Answer, when not nil, may answer a request in place of the collector. It is called before the spans are kept, and returns whether they are kept
	// too, and whether it has answered. Set it before the first request.
	Answer func(w http.ResponseWriter, r *http.Request) (keep, answered bool)

	t        testing.TB
	mu       sync.Mutex
	spans    []Span
	bodies   [][]byte
	headers  http.Header
	requests int
	changed  chan struct{}
}

// Start starts a collector. It fails the test for a request that is not valid OTLP.
func Start(t testing.TB) *Collector {
	c := &Collector{t: t, changed: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	var spans []Span
	if err == nil {
		spans, err = Parse(body)
	}
	if err != nil {
		c.t.Errorf("not OTLP: %v: %s", err, body)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	keep, answered := true, false
	if c.Answer != nil {
		keep, answered = c.Answer(w, r)
	}
	c.mu.Lock()
	c.requests++
	c.headers = r.Header.Clone()
	if keep {
		c.spans, c.bodies = append(c.spans, spans...), append(c.bodies, body)
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	if !answered {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
	}
}

func read(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
		return nil, fmt.Errorf("%s %s with %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	switch r.Header.Get("Content-Encoding") {
	case "":
		return io.ReadAll(r.Body)
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	return nil, errors.New("an unknown Content-Encoding")
}

// Spans are the spans so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Bodies are the requests that brought the spans.
func (c *Collector) Bodies() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([][]byte(nil), c.bodies...)
}

// Requests is how many requests came, and the headers of the last one.
func (c *Collector) Requests() (int, http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.headers
}

// Wait waits until the spans are as the test wants them.
func (c *Collector) Wait(want string, ok func([]Span) bool) []Span {
	c.t.Helper()
	late := time.After(time.Minute)
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		spans := c.Spans()
		if ok(spans) {
			return spans
		}
		select {
		case <-changed:
		case <-late:
			for _, s := range spans {
				c.t.Logf("%s %s in %s, parent %s: %v", s.Name, s.SpanID, s.TraceID, s.ParentSpanID, s.Attributes)
			}
			c.t.Fatalf("%s: not with these %d spans", want, len(spans))
		}
	}
}

// Named waits for a span with this name, of the attempt with this number; 0: any.
func (c *Collector) Named(name string, attempt int) (found Span) {
	c.t.Helper()
	c.Wait("a span "+name, func(spans []Span) bool {
		for _, s := range spans {
			if s.Name == name && (attempt == 0 || s.Attributes["evrun.attempt"] == int64(attempt)) {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

// Span is a span with the attributes of its resource.
type Span struct {
	TraceID, SpanID, ParentSpanID, State, Name string
	Kind                                       int
	Flags                                      uint32
	Began, Ended                               time.Time
	Attributes, Resource                       map[string]any
	Links                                      []Link
	Code                                       int
	Message                                    string
}

// Link is a link of a span.
type Link struct {
	TraceID, SpanID string
	Attributes      map[string]any
}

type (
	traceID  string
	spanID   string
	int64s   int64
	anyValue struct{ value any }
	keyValue struct {
		Key   *string   `json:"key"`
		Value *anyValue `json:"value"`
	}
)

func (id *traceID) UnmarshalJSON(text []byte) error { return hexadecimal((*string)(id), text, 32) }
func (id *spanID) UnmarshalJSON(text []byte) error  { return hexadecimal((*string)(id), text, 16) }

func hexadecimal(id *string, text []byte, n int) error {
	if err := json.Unmarshal(text, id); err != nil {
		return err
	}
	if len(*id) != n || !regexp.MustCompile(`^[0-9a-fA-F]*[1-9a-fA-F][0-9a-fA-F]*$`).MatchString(*id) {
		return fmt.Errorf("%s is not an id", text)
	}
	return nil
}

func (n *int64s) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: a number of 64 bits is a string", text)
	}
	v, err := strconv.ParseInt(s, 10, 64)
	*n = int64s(v)
	return err
}

func (a *anyValue) UnmarshalJSON(text []byte) error {
	var v struct {
		String *string  `json:"stringValue"`
		Int    *int64s  `json:"intValue"`
		Bool   *bool    `json:"boolValue"`
		Double *float64 `json:"doubleValue"`
	}
	if err := strict(text, &v); err != nil {
		return err
	}
	n := 0
	if v.String != nil {
		a.value, n = *v.String, n+1
	}
	if v.Int != nil {
		a.value, n = int64(*v.Int), n+1
	}
	if v.Bool != nil {
		a.value, n = *v.Bool, n+1
	}
	if v.Double != nil {
		a.value, n = *v.Double, n+1
	}
	if n != 1 {
		return fmt.Errorf("%s has not one value", text)
	}
	return nil
}

func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

func attributes(list []keyValue) (map[string]any, error) {
	m := map[string]any{}
	for _, a := range list {
		if a.Key == nil || a.Value == nil || *a.Key == "" {
			return nil, errors.New("an attribute without a key or a value")
		}
		if _, twice := m[*a.Key]; twice {
			return nil, fmt.Errorf("the attribute %s comes twice", *a.Key)
		}
		m[*a.Key] = a.Value.value
	}
	return m, nil
}

type wireSpan struct {
	TraceID      traceID    `json:"traceId"`
	SpanID       spanID     `json:"spanId"`
	TraceState   string     `json:"traceState"`
	ParentSpanID *spanID    `json:"parentSpanId"`
	Flags        uint32     `json:"flags"`
	Name         string     `json:"name"`
	Kind         int        `json:"kind"`
	Start        int64s     `json:"startTimeUnixNano"`
	End          int64s     `json:"endTimeUnixNano"`
	Attributes   []keyValue `json:"attributes"`
	Links        []struct {
		TraceID    traceID    `json:"traceId"`
		SpanID     spanID     `json:"spanId"`
		Attributes []keyValue `json:"attributes"`
	} `json:"links"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
}

// Parse reads an ExportTraceServiceRequest.
func Parse(body []byte) (spans []Span, err error) {
	var request struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []keyValue `json:"attributes"`
			} `json:"resource"`
			ScopeSpans []struct {
				Scope struct {
					Name    string `json:"name"`
					Version string `json:"version"`
				} `json:"scope"`
				Spans []wireSpan `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := strict(body, &request); err != nil {
		return nil, err
	}
	for _, rs := range request.ResourceSpans {
		resource, err := attributes(rs.Resource.Attributes)
		if err != nil {
			return nil, err
		}
		for _, ss := range rs.ScopeSpans {
			for i := range ss.Spans {
				s, err := ss.Spans[i].span()
				if err != nil {
					return nil, fmt.Errorf("span %d: %w", i, err)
				}
				s.Resource = resource
				spans = append(spans, s)
			}
		}
	}
	return spans, nil
}

func (w *wireSpan) span() (s Span, err error) {
	s = Span{TraceID: string(w.TraceID), SpanID: string(w.SpanID), State: w.TraceState, Name: w.Name, Kind: w.Kind, Flags: w.Flags,
		Began: time.Unix(0, int64(w.Start)), Ended: time.Unix(0, int64(w.End)), Code: w.Status.Code, Message: w.Status.Message}
	if w.ParentSpanID != nil {
		s.ParentSpanID = string(*w.ParentSpanID)
	}
	if s.Attributes, err = attributes(w.Attributes); err != nil {
		return s, err
	}
	for _, l := range w.Links {
		link := Link{TraceID: string(l.TraceID), SpanID: string(l.SpanID)}
		if link.Attributes, err = attributes(l.Attributes); err != nil {
			return s, err
		}
		s.Links = append(s.Links, link)
	}
	switch {
	case s.TraceID == "" || s.SpanID == "" || s.Name == "":
		err = errors.New("an id or the name is missing")
	case s.Kind < 1 || s.Kind > 5 || s.Code < 0 || s.Code > 2:
		err = errors.New("an unknown kind or code")
	case s.Began.UnixNano() <= 0 || s.Ended.Before(s.Began):
		err = fmt.Errorf("it is from %v to %v", s.Began, s.Ended)
	case s.ParentSpanID == s.SpanID:
		err = errors.New("it is its own parent")
	case s.Code != 2 && s.Message != "":
		err = errors.New("a message without an error")
	}
	return s, err
}
