package api

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/access"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

// doorTo serves the API of a store by TCP, for tokens whose names are their secrets. post sends a request with one of them.
func doorTo(t *testing.T, s *sqlite.Store, tokens ...access.Token) (post func(token, path, contentType, body string, headers ...string) (int, http.Header, string)) {
	t.Helper()
	for i := range tokens {
		tokens[i].Hash = access.HashOf(tokens[i].Name)
	}
	valid := access.NewTokens()
	valid.Set(access.File, tokens)
	api := NewServer(Options{Store: s, Emitter: emitter.New(s, 0), Log: quiet(), MaxData: emitter.DefaultMaxEvent, Tokens: valid})
	server := httptest.NewServer(api.gated)
	t.Cleanup(server.Close)
	send := poster(t, server.URL)
	return func(token, path, contentType, body string, headers ...string) (int, http.Header, string) {
		t.Helper()
		return send(path, contentType, body, append([]string{"Authorization", "Bearer " + token}, headers...)...)
	}
}

func rights(t *testing.T, texts ...string) access.Rights {
	t.Helper()
	r, f := access.ParseRights(texts)
	if f != nil {
		t.Fatal(f)
	}
	return r
}

const (
	structured = "application/cloudevents+json"
	batch      = "application/cloudevents-batch+json"
	lines      = "application/x-ndjson"
)

// A token publishes events of its types alone, in every mode: a batch as a whole, and of lines each by itself.
func TestATokenPublishesEventsOfItsTypesOnly(t *testing.T) {
	s, _ := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	post := doorTo(t, s, access.Token{Name: "shop", Rights: rights(t, "emit shop.>")}, access.Token{Name: "reader", Rights: rights(t, "emit", "read")})
	const good, bad = `{"type":"shop.order"}`, `{"type":"bank.paid"}`
	for _, x := range []struct {
		path, contentType, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"/v1/events", structured, bad, nil, 403, `the token shop may not publish events of the type \"bank.paid\"`},
		{"/v1/events", "application/json", "1", []string{"Ce-Type", "bank.paid"}, 403, "may not publish"},
		{"/v1/events/bank.paid", "application/json", "1", nil, 403, "may not publish"},
		{"/v1/events", batch, "[" + good + "," + bad + "]", nil, 403, `"event":2`},
		{"/v1/events/shop.order?wait=1m", "application/json", "1", nil, 403, "right read"},
		{"/v1/events/shop.order?matches=true", "application/json", "1", nil, 403, "right read"},
		{"/v1/events?wait=1m", structured, good, nil, 403, "right read"},
		{"/v1/events", structured, good, nil, 202, `"seq":"1"`},
		{"/v1/events/shop.order", "application/json", "1", nil, 202, `"seq":"2"`},
	} {
		if status, _, answer := post("shop", x.path, x.contentType, x.body, x.headers...); status != x.status || !strings.Contains(answer, x.want) {
			t.Errorf("%s %s %s: %d %s", x.path, x.contentType, x.body, status, answer)
		}
	}
	_, _, answer := post("shop", "/v1/events", lines, bad+"\n"+good+"\n"+bad)
	if got := strings.Split(answer, "\n"); len(got) != 3 || !strings.Contains(got[0], `"status":403`) || !strings.Contains(got[1], `"seq":"3"`) || !strings.Contains(got[2], `"line":3`) {
		t.Errorf("lines: %s", answer)
	}
	if status, _, answer := post("reader", "/v1/events/bank.paid?matches=true", "application/json", "1"); status != 202 {
		t.Errorf("with the right to read: %d %s", status, answer)
	}
}

// The events of a token have its rate, in every mode.
func TestATokenPublishesAtItsRate(t *testing.T) {
	s, _ := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	for name, x := range map[string]struct {
		path, contentType, body string
	}{
		"plain":      {"/v1/events/a.b", "application/json", "1"},
		"structured": {"/v1/events", structured, `{"type":"a.b"}`},
		"a batch":    {"/v1/events", batch, `[{"type":"a.b"},{"type":"a.b"}]`},
	} {
		post := doorTo(t, s, access.Token{Name: "slow", Rights: rights(t, "emit"), Rate: tasks.Rate{Count: 1, Per: time.Hour}})
		if status, _, answer := post("slow", x.path, x.contentType, x.body); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		status, header, answer := post("slow", x.path, x.contentType, x.body)
		if retry := header.Get("Retry-After"); status != http.StatusTooManyRequests || retry == "" || retry == "1" || !strings.Contains(answer, `"retry_after":`+retry) {
			t.Errorf("%s, again: %d %v %s", name, status, header, answer)
		}
	}
	post := doorTo(t, s, access.Token{Name: "slow", Rights: rights(t, "emit"), Rate: tasks.Rate{Count: 1, Per: time.Hour}})
	_, _, answer := post("slow", "/v1/events", lines, `{"type":"a.b"}`+"\n"+`{"type":"a.b"}`+"\n")
	if got := strings.Split(answer, "\n"); len(got) != 2 || !strings.Contains(got[0], `"seq"`) || !strings.Contains(got[1], `"status":429`) || !strings.Contains(got[1], `"retry_after":`) {
		t.Errorf("lines: %s", answer)
	}
}
