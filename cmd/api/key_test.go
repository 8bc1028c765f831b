package api_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	structuredType = "application/cloudevents+json"
	batchType      = "application/cloudevents-batch+json"
	linesType      = "application/x-ndjson"
)

// A request with an Idempotency-Key can be sent again, in every mode.
func TestAnIdempotencyKeyIsTheIDOfAnEventWithoutOne(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		name, path, contentType, body string
		key                           string
		ids                           []string
		headers                       []string
	}{
		{"plain", "/v1/events/a.b", "application/json", `{}`, "k1", []string{"k1"}, nil},
		{"plain, quoted", "/v1/events/a.b", "application/json", `{}`, `"k \"2\" \\"`, []string{`k "2" \`}, nil},
		{"binary", "/v1/events", "application/json", `{}`, "k3", []string{"k3"}, []string{"Ce-Type", "a.b"}},
		{"structured", "/v1/events", structuredType, `{"type":"a.b"}`, `"k4"`, []string{"k4"}, nil},
		{"a batch", "/v1/events", batchType, `[{"type":"a.b"},{"type":"a.b","id":"own"},{"type":"a.b"}]`, "k5", []string{"k5-1", "own", "k5-3"}, nil},
		{"lines", "/v1/events", linesType, `{"type":"a.b"}` + "\n\n" + `{"type":"a.b"}`, "k6", []string{"k6-1", "k6-3"}, nil},
		{"lines with an id", "/v1/events?id=mine", linesType, `{"type":"a.b"}`, "k7", []string{"mine-1"}, nil},
		{"the event's own id", "/v1/events", structuredType, `{"type":"a.b","id":"e8"}`, "k8", []string{"e8"}, nil},
		{"the parameter", "/v1/events/a.b?id=p9", "application/json", ``, "k9", []string{"p9"}, nil},
		{"the header", "/v1/events", "application/json", `{}`, "k10", []string{"h10"}, []string{"Ce-Type", "a.b", "Ce-Id", "h10"}},
	} {
		for range 2 {
			res, body := d.call(http.MethodPost, x.path, x.contentType, x.body, append(x.headers, "Idempotency-Key", x.key)...)
			if res.StatusCode >= 300 {
				t.Errorf("%s: %d %s", x.name, res.StatusCode, body)
			}
		}
		for _, id := range x.ids {
			if _, err := d.store.Event(t.Context(), id); err != nil {
				t.Errorf("%s: %v", x.name, err)
			}
		}
	}
	if head, err := d.store.Head(t.Context()); head != 13 || err != nil {
		t.Errorf("%d events are accepted, %v", head, err)
	}
	for key, detail := range map[string]string{
		`"a`: "does not end", `"a"b`: "does not end", `"a\b"`: "does not end", `""`: "is empty", " ": "is empty", strings.Repeat("x", 300): "id is 300 bytes long",
	} {
		for contentType, body := range map[string]string{structuredType: `{"type":"a.b"}`, batchType: `[{"type":"a.b"}]`, linesType: `{"type":"a.b"}`} {
			res, answer := d.call(http.MethodPost, "/v1/events", contentType, body, "Idempotency-Key", key)
			if res.StatusCode != http.StatusBadRequest || !strings.Contains(answer, detail) && !strings.Contains(answer, "id is 302 bytes long") {
				t.Errorf("%s %q: %d %s", contentType, key, res.StatusCode, answer)
			}
		}
	}
}
