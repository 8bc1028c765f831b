package api

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/schema"
	"evrun/tasks/taskstest"
)

// serveUsers answers the API of a store whose user.registered has a schema.
func serveUsers(t *testing.T) *httptest.Server {
	t.Helper()
	s, _ := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	doc, err := events.ParseJSON([]byte(`{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "tags": {"items": {"type": "string"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, faults := schema.Compile(doc)
	if faults != nil {
		t.Fatal(faults)
	}
	em := emitter.New(s, 0)
	em.Declare([]emitter.EventType{{Type: "user.registered", Schema: compiled}}, false)
	api := NewServer(Options{Store: s, Emitter: em, Log: slog.New(slog.DiscardHandler), MaxData: emitter.DefaultMaxEvent})
	server := httptest.NewServer(api.http.Handler)
	t.Cleanup(server.Close)
	return server
}

// poster returns what sends a request with a body to a server, and returns the answer.
func poster(t *testing.T, url string) func(path, contentType, body string, headers ...string) (int, http.Header, string) {
	return func(path, contentType, body string, headers ...string) (int, http.Header, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, strings.TrimSpace(string(answer))
	}
}

func TestAnEventThatBreaksItsSchemaIsAnsweredWith422AndAllViolations(t *testing.T) {
	send := poster(t, serveUsers(t).URL)
	post := func(contentType, body string, header ...string) (int, string) {
		t.Helper()
		status, answered, answer := send("/v1/events", contentType, body, header...)
		if status >= 400 && answered.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s", answered.Get("Content-Type"), answer)
		}
		return status, answer
	}
	const (
		head       = `{"status":422,"title":"Unprocessable Entity","detail":"the data doesn't fit the schema of user.registered"`
		violations = `,"violations":[{"pointer":"/name","message":"is missing"},{"pointer":"/tags/1","message":"must be a string, not the number 7"}]}`
		good       = `{"specversion":"1.0","id":"g","source":"/t","type":"user.registered","data":{"name":"Ada"}}`
		bad        = `{"specversion":"1.0","id":"b","source":"/t","type":"user.registered","data":{"tags":["x",7]}}`
	)
	if status, body := post("application/cloudevents+json", bad); status != 422 || body != head+violations {
		t.Errorf("structured: %d %s", status, body)
	}
	if status, body := post("application/json", `{"tags":["x",7]}`, "Ce-Type", "user.registered", "Ce-Source", "/t", "Ce-Id", "b", "Ce-Specversion", "1.0"); status != 422 || body != head+violations {
		t.Errorf("binary: %d %s", status, body)
	}
	if status, body := post("application/cloudevents-batch+json", "["+good+","+bad+"]"); status != 422 || body != head+`,"event":2`+violations {
		t.Errorf("batch: %d %s", status, body)
	}
	status, body := post("application/x-ndjson", bad+"\n"+good+"\n"+bad+"\n")
	lines := strings.Split(body, "\n")
	if status != 200 || len(lines) != 3 || lines[0] != head+`,"line":1`+violations || lines[2] != head+`,"line":3`+violations {
		t.Errorf("NDJSON: %d %s", status, body)
	}
	var accepted Receipt
	if err := json.Unmarshal([]byte(lines[1]), &accepted); err != nil || accepted.Sequence != 1 {
		t.Errorf("only the good line is accepted: %s", lines[1])
	}
}

func TestManyViolationsAreCounted(t *testing.T) {
	p := shape.ProblemOf(&emitter.RefusedError{Msg: "it doesn't fit", Violations: make([]schema.Violation, 20), More: 7})
	if p.Status != 422 || p.More != 7 || len(p.Violations) != 20 || !strings.HasSuffix(p.Error(), "; and 7 more") {
		t.Errorf("%+v", p)
	}
}
