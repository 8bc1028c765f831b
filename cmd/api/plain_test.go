package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks"
)

func TestPlainJSONIsTheDataOfAnEvent(t *testing.T) {
	d := serve(t)
	for id, x := range map[string]struct {
		contentType, body string
		data              string // of the event
		stored            string // its content type
	}{
		"object":      {"application/json", `{"a": [1, 9007199254740993]}`, `{"a": [1, 9007199254740993]}`, ""},
		"list":        {"application/json; charset=UTF-8", `[]`, `[]`, ""},
		"null":        {"application/json", `null`, `null`, ""},
		"text":        {"APPLICATION/JSON", `"ü"`, `"ü"`, ""},
		"number":      {"application/json", ` 1 `, ` 1 `, ""},
		"vendor":      {"application/vnd.shop+json", `{}`, `{}`, "application/vnd.shop+json"},
		"nothing":     {"application/json", "", "", ""},
		"not even":    {"", "", "", ""},
		"many lines":  {"application/json", "{\n\t\"a\": 1\r\n}\n", "{\n\t\"a\": 1\r\n}\n", ""},
		"spaced type": {"application/json ; charset=utf-8", `{}`, `{}`, ""},
	} {
		res, body := d.call(http.MethodPost, "/v1/events/shop.order?id="+strings.ReplaceAll(id, " ", "%20"), x.contentType, x.body)
		e, err := d.store.Event(t.Context(), id)
		if res.StatusCode != http.StatusAccepted || err != nil {
			t.Errorf("%s: %d %s, %v", id, res.StatusCode, body, err)
			continue
		}
		if e.Type != "shop.order" || e.Source != "/evrun" || string(e.Data) != x.data || e.DataContentType != x.stored {
			t.Errorf("%s: %+v", id, e)
		}
	}
}

func TestParametersAreTheAttributesOfPlainJSON(t *testing.T) {
	d := serve(t)
	const query = "?id=4711&source=/shop&subject=a%20b&time=2026-12-24T19:00:00.5%2B01:00&dataschema=urn:a:b&correlationid=c&causationid=d&ext=region=eu=1&ext=empty="
	res, body := d.call(http.MethodPost, "/v1/events/shop.order"+query, "application/json", `{}`)
	e, err := d.store.Event(t.Context(), "4711")
	if res.StatusCode != http.StatusAccepted || err != nil || body != `{"id":"4711","source":"/shop","seq":"1","duplicate":false}`+"\n" {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	if e.Source != "/shop" || e.Subject != "a b" || !e.Time.Equal(time.Date(2026, 12, 24, 18, 0, 0, 5e8, time.UTC)) || e.DataSchema != "urn:a:b" ||
		e.CorrelationID != "c" || e.CausationID != "d" || e.Extensions["region"] != "eu=1" {
		t.Errorf("%+v", e)
	}
	res, body = d.call(http.MethodPost, "/v1/events/shop.order"+query, "application/json", `{"other":1}`)
	if res.StatusCode != http.StatusOK || body != `{"id":"4711","source":"/shop","seq":"1","duplicate":true}`+"\n" {
		t.Errorf("again: %d %s", res.StatusCode, body)
	}
}

func TestWhatIsNotPlainJSONIsRefusedWithAHint(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		path, contentType, body string
		status                  int
		detail                  string
		headers                 []string
	}{
		{"a.b", "application/x-www-form-urlencoded", `{"a":1}`, 415, "curl --json", nil},
		{"a.b", "", `{"a":1}`, 415, "curl --json", nil},
		{"a.b", "text/plain", "hello", 415, "Ce-Type: a.b", nil},
		{"a.b", "multipart/form-data; boundary=x", "", 415, "is not JSON", nil},
		{"a.b", "application/cloudevents+json", "{}", 415, "POST /v1/events", nil},
		{"a.b", "application/cloudevents-batch+json", "[]", 415, "POST /v1/events", nil},
		{"a.b", "application/x-ndjson", "{}", 415, "POST /v1/events", nil},
		{"a.b", "application/json; charset=iso-8859-1", "{}", 415, "UTF-8", nil},
		{"a.b", "json", "{}", 415, "is not JSON", nil},
		{"a.b", "application/json", `{"a":1`, 400, "not valid JSON", nil},
		{"a.b", "application/json", "{}{}", 400, "something follows", nil},
		{"a.b", "application/json", " ", 400, "not valid JSON", nil},
		{"a.b", "application/json", "\"\xff\"", 400, "UTF-8", nil},
		{"a.b", "application/json", `"` + strings.Repeat("x", 1000) + `"`, 413, "1000", nil},
		{"a..b", "application/json", "{}", 400, "type", nil},
		{"evrun.run.dead", "application/json", "{}", 400, "evrun's own", nil},
		{"a.b?time=now", "application/json", "{}", 400, "time: must be an RFC 3339 time", nil},
		{"a.b?source=a%20b", "application/json", "{}", 400, "source", nil},
		{"a.b?ext=a", "application/json", "{}", 400, "NAME=VALUE", nil},
		{"a.b?ext=a=1&ext=a=2", "application/json", "{}", 400, "given twice", nil},
		{"a.b?ext=id=1", "application/json", "{}", 400, "not an extension", nil},
		{"a.b?ext=A-b=1", "application/json", "{}", 400, "attribute name", nil},
		{"a.b", "application/json", "{}", 400, "header ce-id: the attributes are parameters", []string{"Ce-Id", "1"}},
		{"a.b?wait=never", "application/json", "{}", 400, "wait", nil},
	} {
		res, body := d.call(http.MethodPost, "/v1/events/"+x.path, x.contentType, x.body, x.headers...)
		if res.StatusCode != x.status || !strings.Contains(body, x.detail) || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.40s: %d %s", x.path, x.contentType, x.body, res.StatusCode, body)
		}
	}
	if head, err := d.store.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("%d events are accepted, %v", head, err)
	}
}

func TestAPlainEventCanBeWaitedFor(t *testing.T) {
	d := serveWith(t, func(o *api.Options) { o.MaxStreams = 1 }, dying("h"))
	_, body := d.call(http.MethodPost, "/v1/events/a.b?wait=1m", "application/json", `{}`)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if !strings.HasPrefix(lines[0], `{"receipt":{`) || !strings.Contains(body, `"state":"dead"`) || lines[len(lines)-1] != `{"end":{"matched":true,"dead":true}}` {
		t.Errorf("%s", body)
	}
	// Who only waits takes a place among the streams.
	res, err := d.http.Get("http://evrun/v1/stream") //nolint:noctx // it ends with its body
	if err != nil {
		t.Fatal(err)
	}
	refused, body := d.call(http.MethodPost, "/v1/events/a.b?wait=1m", "application/json", `{}`)
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") != "1" {
		t.Errorf("beside a stream: %d %s", refused.StatusCode, body)
	}
	for query, contentType := range map[string]string{"?matches=true": batchType, "?matches=1": linesType, "?wait=1s": linesType, "?wait=1s&": batchType} {
		if refused, body := d.call(http.MethodPost, "/v1/events"+query, contentType, `[{"type":"a.b"},{"type":"a.b"}]`); refused.StatusCode != http.StatusBadRequest || !strings.Contains(body, "one") {
			t.Errorf("%s of %s: %d %s", query, contentType, refused.StatusCode, body)
		}
	}
	// A duplicate causes nothing, and nothing is waited for.
	d = serve(t, &tasks.Handler{Name: "h", On: []events.Pattern{events.MustPattern("a.b")}, Action: dies{}})
	for range 2 {
		_, body = d.call(http.MethodPost, "/v1/events/a.b?wait=1m&id=1", "application/json", `{}`)
	}
	if body != `{"receipt":{"id":"1","source":"/evrun","seq":"1","duplicate":true}}`+"\n" {
		t.Errorf("a duplicate: %s", body)
	}
}
