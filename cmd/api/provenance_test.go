package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
)

// In every way to publish, an event keeps its own attributes, and those with evrun's names are replaced: an event that another evrun has
// printed can be sent as it is.
func TestWhatASenderSaysUnderOurNamesIsReplaced(t *testing.T) {
	d := serve(t)
	const claims = `"seq":"4711","chain":"1","hops":32,"correlationid":"theirs","causationid":"parent"`
	e := func(id, sequence string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/there","type":"a.b",%s,"sequence":%s}`, id, claims, sequence)
	}
	for _, send := range []struct{ contentType, body string }{
		{"application/cloudevents+json", e("one", `"0007"`)},
		{"application/cloudevents-batch+json", "[" + e("two", "7") + "]"},
		{"application/x-ndjson", e("three", `"x"`)},
	} {
		if res, body := d.call(http.MethodPost, "/v1/events", send.contentType, send.body); res.StatusCode >= 300 {
			t.Fatalf("%s: %s %s", send.contentType, res.Status, body)
		}
	}
	res, body := d.call(http.MethodPost, "/v1/events", "application/json", `{}`, "Ce-Specversion", "1.0", "Ce-Id", "four", "Ce-Source", "/there", "Ce-Type", "a.b",
		"Ce-Seq", "4711", "Ce-Chain", "1", "Ce-Hops", "32", "Ce-Sequence", "0007", "Ce-Correlationid", "theirs", "Ce-Causationid", "parent")
	if res.StatusCode >= 300 {
		t.Fatalf("binary: %s %s", res.Status, body)
	}
	page, err := d.store.Events(t.Context(), store.EventQuery{})
	if err != nil || len(page) != 4 {
		t.Fatalf("%d events, %v", len(page), err)
	}
	for i, want := range []any{"0007", int64(7), "x", "0007"} {
		e := page[i]
		if e.Sequence != int64(i+1) || e.Chain != e.Sequence || e.Hops != 0 || e.Extensions["sequence"] != want || e.CorrelationID != "theirs" || e.CausationID != "parent" {
			t.Errorf("stored %+v", e)
		}
	}
	forwarded(t, page[3])
}

// forwarded sends an event that was printed to another evrun, where it belongs to another chain.
func forwarded(t *testing.T, e *events.Event) {
	t.Helper()
	text, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	there := serve(t)
	if _, err := there.store.Append(t.Context(), []*events.Event{{ID: "x", Source: "/x", Type: "x"}}); err != nil {
		t.Fatal(err)
	}
	if res, body := there.call(http.MethodPost, "/v1/events", "application/cloudevents+json", string(text)); res.StatusCode >= 300 {
		t.Fatalf("forwarded: %s %s", res.Status, body)
	}
	got, err := there.store.Event(t.Context(), "four")
	if err != nil || got.Sequence != 2 || got.Chain != 2 || got.Extensions["sequence"] != "0007" {
		t.Errorf("forwarded %+v, %v", got, err)
	}
	_, body := there.call(http.MethodGet, "/v1/events/four", "", "")
	var shape struct {
		Seq      string `json:"seq"`
		Chain    string `json:"chain"`
		Sequence string `json:"sequence"`
	}
	if err := json.Unmarshal([]byte(body), &shape); err != nil || shape.Seq != "2" || shape.Chain != "2" || shape.Sequence != "0007" {
		t.Errorf("shape %s, %v", body, err)
	}
}

// A source of this evrun's own is refused in every way to publish, with the reason.
func TestOwnSourcesAreRefusedOnEveryWay(t *testing.T) {
	d := serve(t)
	own := "/evrun/" + d.store.ID() + "/schedules/nightly"
	e := fmt.Sprintf(`{"specversion":"1.0","id":"2026-12-24T18:00:00Z","source":%q,"type":"a.b"}`, own)
	good := `{"specversion":"1.0","id":"good","source":"/evrun/aaaaaaaa/schedules/nightly","type":"a.b"}`
	for _, send := range []struct{ contentType, query, body string }{ // query: what follows /v1/events
		{"application/cloudevents+json", "", e},
		{"application/cloudevents-batch+json", "", "[" + good + "," + e + "]"},
		{"application/x-ndjson", "", e + "\n" + good},
		{"application/x-ndjson", "?source=" + own, `{"type":"a.b"}`},
		{"application/json", "", "{}"},
		{"application/json", "/a.b?source=" + own, "{}"},
	} {
		var headers []string
		if send.contentType == "application/json" && send.query == "" { // binary mode
			headers = []string{"Ce-Specversion", "1.0", "Ce-Id", "2026-12-24T18:00:00Z", "Ce-Source", own, "Ce-Type", "a.b"}
		}
		_, body := d.call(http.MethodPost, "/v1/events"+send.query, send.contentType, send.body, headers...)
		if !strings.Contains(body, `"status":422`) && !strings.Contains(body, `"status":400`) || !strings.Contains(body, "are this evrun's own") {
			t.Errorf("%s%s: %s", send.contentType, send.query, body)
		}
	}
	page, err := d.store.Events(t.Context(), store.EventQuery{})
	if err != nil || len(page) != 1 || page[0].ID != "good" {
		t.Errorf("accepted %v, %v", page, err)
	}
}
