package api_test

import (
	"net/http"
	"strings"
	"testing"

	"evrun/tasks"
)

func TestHandlersAreListedAndChanged(t *testing.T) {
	d := serve(t, dying("h"), dying("other"))
	d.emit("a.b", 1)
	d.dead("h", 1, 1)
	d.dead("other", 1, 1)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/v1/handlers", http.StatusOK, `{"handlers":[{"name":"h","state":"active","on":["a.b"],`},
		{"GET", "/v1/handlers/h", http.StatusOK, `"waiting":0,"running":0,"retrying":0,"dead":1}`},
		{"GET", "/v1/handlers/none", http.StatusNotFound, `there is no handler \"none\"`},
		{"POST", "/v1/handlers/h/resume", http.StatusOK, `{"name":"h","resumed":false,"skipped_events":0,"dropped_runs":0}`},
		{"POST", "/v1/handlers/h/resume?from=now", http.StatusOK, `{"name":"h","resumed":false,"skipped_events":0,"dropped_runs":0}`},
		{"POST", "/v1/handlers/h/resume?from=start", http.StatusBadRequest, `from: must be mark or now`},
		{"POST", "/v1/handlers/none/resume", http.StatusNotFound, `there is no handler \"none\"`},
		{"POST", "/v1/handlers/h/forget", http.StatusConflict, `handler \"h\" is in the wiring file`},
		{"POST", "/v1/handlers/none/forget", http.StatusNotFound, `there is no handler \"none\"`},
	} {
		if res, body := d.call(c.method, c.path, "", ""); res.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, body)
		}
	}
	if _, err := d.runner.Replace(t.Context(), nil, tasks.Along{}); err != nil {
		t.Fatal(err)
	}
	for {
		res, body := d.call("POST", "/v1/handlers/h/forget", "", "")
		if res.StatusCode == http.StatusConflict { // it still ends
			continue
		}
		if res.StatusCode != http.StatusOK || !strings.Contains(body, `{"name":"h","forgotten":true,"skipped_events":0,"dropped_runs":1}`) {
			t.Errorf("forget: %d %s", res.StatusCode, body)
		}
		break
	}
}
