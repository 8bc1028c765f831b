package api_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	callersTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ownTrace     = "00-11111111111111111111111111111111-2222222222222222-01"
)

// The headers of a request are the trace of each of its events that has none, however they come. No value is a reason to refuse an event.
func TestEventsTakeTheTraceOfTheirRequest(t *testing.T) {
	d := serve(t)
	longer := "cc" + callersTrace[2:] + "-more"
	for name, c := range map[string]struct {
		path, contentType, body string
		headers                 http.Header
		want                    map[string][2]string // traceparent and tracestate by the id
	}{
		"structured": {"/v1/events", "application/cloudevents+json", `{"type":"a.b","id":"s1","source":"/t"}`, nil, map[string][2]string{"s1": {callersTrace, "x=1,y=2"}}},
		"its own":    {"/v1/events", "application/cloudevents+json", `{"type":"a.b","id":"s2","source":"/t","traceparent":"` + ownTrace + `"}`, nil, map[string][2]string{"s2": {ownTrace, ""}}},
		"not valid":  {"/v1/events", "application/cloudevents+json", `{"type":"a.b","id":"s3","source":"/t","traceparent":"x\u0000` + strings.Repeat("y", 5000) + `","tracestate":7}`, nil, map[string][2]string{"s3": {callersTrace, "x=1,y=2"}}},
		"not text":   {"/v1/events", "application/cloudevents+json", `{"type":"a.b","id":"s4","source":"/t","traceparent":{"a":[1.5]},"tracestate":"\ud800"}`, nil, map[string][2]string{"s4": {callersTrace, "x=1,y=2"}}},
		"batch": {"/v1/events", "application/cloudevents-batch+json", `[{"type":"a.b","id":"b1","source":"/t"},{"type":"a.b","id":"b2","source":"/t","traceparent":"` + ownTrace + `"}]`, nil,
			map[string][2]string{"b1": {callersTrace, "x=1,y=2"}, "b2": {ownTrace, ""}}},
		"lines": {"/v1/events", "application/x-ndjson", `{"type":"a.b","id":"l1","source":"/t"}` + "\n" + `{"type":"a.b","id":"l2","source":"/t","traceparent":"` + ownTrace + `","tracestate":"z=1"}` + "\n", nil,
			map[string][2]string{"l1": {callersTrace, "x=1,y=2"}, "l2": {ownTrace, "z=1"}}},
		"plain":         {"/v1/events/a.b?id=p1", "application/json", `{}`, nil, map[string][2]string{"p1": {callersTrace, "x=1,y=2"}}},
		"binary":        {"/v1/events", "application/json", `{}`, http.Header{"Ce-Id": {"c1"}}, map[string][2]string{"c1": {callersTrace, "x=1,y=2"}}},
		"binary, own":   {"/v1/events", "application/json", `{}`, http.Header{"Ce-Id": {"c2"}, "Ce-Traceparent": {ownTrace}}, map[string][2]string{"c2": {ownTrace, ""}}},
		"binary, twice": {"/v1/events", "application/json", `{}`, http.Header{"Ce-Id": {"c3"}, "Ce-Traceparent": {ownTrace, ownTrace}}, map[string][2]string{"c3": {callersTrace, "x=1,y=2"}}},
		"binary, bytes": {"/v1/events", "application/json", `{}`, http.Header{"Ce-Id": {"c4"}, "Ce-Traceparent": {"%FF"}, "Ce-Tracestate": {"%00"}}, map[string][2]string{"c4": {callersTrace, "x=1,y=2"}}},
		"a later version": {"/v1/events/a.b?id=h1", "application/json", `{}`, http.Header{"Traceparent": {longer}, "Tracestate": {"="}},
			map[string][2]string{"h1": {callersTrace, ""}}},
		"a header that is not valid": {"/v1/events/a.b?id=h2", "application/json", `{}`, http.Header{"Traceparent": {"ff" + callersTrace[2:]}}, map[string][2]string{"h2": {"", ""}}},
		"two headers":                {"/v1/events/a.b?id=h3", "application/json", `{}`, http.Header{"Traceparent": {callersTrace, ownTrace}}, map[string][2]string{"h3": {"", ""}}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://evrun"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {c.contentType}, "Traceparent": {callersTrace}, "Tracestate": {"x=1", "y=2"}}
		for name, values := range c.headers {
			req.Header[name] = values
		}
		if c.headers["Ce-Id"] != nil {
			req.Header["Ce-Specversion"], req.Header["Ce-Type"], req.Header["Ce-Source"] = []string{"1.0"}, []string{"a.b"}, []string{"/t"}
		}
		res, err := d.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		for id, want := range c.want {
			e, err := d.store.Event(t.Context(), id)
			if err != nil {
				t.Errorf("%s: %s: %v", name, res.Status, err)
				continue
			}
			parent, _ := e.Extensions["traceparent"].(string)
			state, _ := e.Extensions["tracestate"].(string)
			if parent != want[0] || state != want[1] {
				t.Errorf("%s: %s has %q and %q, want %q", name, id, parent, state, want)
			}
		}
	}
}
