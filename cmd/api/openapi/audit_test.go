package openapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/tasks/search"
)

const audited = `
server:
  listen: 127.0.0.1:0
  watch: false
  tokens:
    - {name: ops, hash: "%s", rights: [operate, emit]}
    - {name: root, hash: "%s", rights: admin}
schedules:
  - {name: tick, every: 1h, emit: ticked}
handlers:
  - {name: note, on: noted, do: log, with: {message: x}}
  - {name: fails, on: failing, do: exec, with: {shell: "exit 1"}, retry: {attempts: 1}}
  - {name: later, on: trying, do: exec, with: {shell: "exit 1"}, retry: {attempts: 9, backoff: 1h, max: 1h}}
`

// caller sends requests by TCP with tokens.
type caller struct {
	*testing.T
	d      *daemontest.Daemon
	at     string
	token  map[string]string
	seq    int64           // of the last event of the audit trail that was looked at
	routes map[string]bool // that were asked
	types  map[string]bool // of the audit trail that were seen
}

func newCaller(t *testing.T) *caller {
	c := &caller{T: t, token: map[string]string{"ops": access.NewSecret(), "root": access.NewSecret()}, routes: map[string]bool{}, types: map[string]bool{}}
	c.d = daemontest.Start(t, c.wiring(""))
	status, err := c.d.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.at = status.TCP.URL
	return c
}

func (c *caller) wiring(more string) string {
	return fmt.Sprintf(audited, access.HashOf(c.token["ops"]), access.HashOf(c.token["root"])) + more
}

// call sends a request with a token, and returns the status and the body of the answer.
func (c *caller) call(token, method, target, contentType, body string) (int, string) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.at+target, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token[token])
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, target, err)
	}
	return res.StatusCode, string(text)
}

// trail returns the events of the audit trail that are new.
func (c *caller) trail() (list []*events.Event) {
	c.Helper()
	evs, _, err := c.d.Events(c.Context(), search.Selection{Types: []string{"evrun.audit.>"}}, api.Paging{})
	if err != nil {
		c.Fatal(err)
	}
	for _, e := range slices.Backward(evs) { // the newest is first
		if e.Sequence > c.seq {
			c.seq, list = e.Sequence, append(list, e)
		}
	}
	return list
}

// by checks that new events of the audit trail have these types, and that a token did what they say.
func (c *caller) by(token, what string, list []*events.Event, want ...string) {
	c.Helper()
	var got []string
	for _, e := range list {
		name := strings.TrimPrefix(e.Type, events.AuditPrefix)
		got, c.types[name] = append(got, name), true
		var data struct{ Who, Token string }
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Token != token || data.Who != "token "+token || strings.Contains(string(e.Data), c.token[token]) {
			c.Errorf("%s: %s %s does not name the token %s", what, name, e.Data, token)
		}
	}
	if !slices.Equal(got, want) {
		c.Errorf("%s: the audit trail has %v, want %v", what, got, want)
	}
}

// do asks a route with the weakest token that it lets in, and looks at the audit trail.
func (c *caller) do(route, name, body string, want ...string) {
	c.Helper()
	at := slices.IndexFunc(api.Routes, func(r api.Route) bool { return r.Pattern == route })
	if at < 0 {
		c.Fatalf("no such route: %s", route)
	}
	c.routes[route] = true
	token, contentType := "ops", "application/json"
	if api.Routes[at].Right == access.Admin {
		token = "root"
	}
	if route == "POST /v1/users" {
		contentType = ndjson.Type
	}
	method, path, _ := strings.Cut(route, " ")
	if before, after, ok := strings.Cut(path, "{"); ok {
		_, after, _ = strings.Cut(after, "}")
		path = before + name + after
	}
	c.trail()
	if status, answer := c.call(token, method, path, contentType, body); status/100 != 2 {
		c.Errorf("%s %s: %d %s", route, name, status, answer)
	}
	c.by(token, route, c.trail(), want...)
}

// run publishes an event of a type, and returns the id of its run when it is in a state.
func (c *caller) run(typ, state string) string {
	c.Helper()
	e := &events.Event{Type: typ, Source: "/t"}
	if _, err := c.d.Emit(c.Context(), e); err != nil {
		c.Fatal(err)
	}
	for {
		runs, _, err := c.d.Runs(c.Context(), search.Selection{Types: []string{typ}, States: []string{state}}, api.Paging{})
		if err != nil {
			c.Fatal(err)
		}
		if len(runs) > 0 {
			return runs[0].ID
		}
	}
}

// Each action by TCP is recorded with the name of its token: each route that steps in is asked, and each type of the audit trail is seen.
func TestTheAuditTrailNamesTheTokenOfEachAction(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	c.do("POST /v1/runs/{id}/retry", c.run("failing", "dead"), "", "run.retried")
	c.do("POST /v1/runs/{id}/edit", c.run("failing", "dead"), `{"set":[{"path":"n","value":1}]}`, "run.edited")
	c.do("POST /v1/runs/{id}/drop", c.run("failing", "dead"), "", "run.dropped")
	c.do("POST /v1/runs/{id}/cancel", c.run("trying", "retrying"), "", "run.cancelled")
	c.run("failing", "dead")
	c.do("POST /v1/batches", "", `{"action":"drop","selection":{"handler":"fails","state":["dead"]}}`, "batch.started", "batch.ended")
	noted, err := c.d.Emit(t.Context(), &events.Event{Type: "noted", Source: "/t"})
	if err != nil {
		t.Fatal(err)
	}
	c.do("POST /v1/replay", "", `{"events":["`+noted.ID+`"],"to":"note","again":true}`, "events.replayed")
	c.do("POST /v1/schedules/{name}/fire", "tick", "", "schedule.fired")
	c.do("POST /v1/schedules/{name}/backfill", "tick", `{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T05:00:00Z"}`, "schedule.backfilled")
	c.do("POST /v1/schedules/{name}/pause", "tick", "", "schedule.paused")
	c.do("POST /v1/schedules/{name}/resume", "tick", "", "schedule.resumed")
	c.do("POST /v1/handlers/{name}/pause", "note", "", "handler.paused")
	c.do("POST /v1/handlers/{name}/resume", "note", "", "handler.resumed")
	c.do("POST /v1/users", "", `{"name":"Bea","email":"bea@example.com"}`+"\n", "users.imported")
	c.do("POST /v1/tokens", "", `{"name":"ci","rights":["read"]}`, "token.created")
	c.do("POST /v1/tokens/{name}/revoke", "ci", "", "token.revoked")
	c.do("POST /v1/links", "", "{}") // what is done with it has the name of the token
	left, _, _ := strings.Cut(c.wiring(""), "  - {name: later")
	c.d.Write(t, left+"retention: {events: 1s}\n")
	c.do("POST /v1/reload", "", "", "wiring.reloaded")
	c.do("POST /v1/handlers/{name}/forget", "later", "", "handler.forgotten")
	c.routes["POST /v1/batches/{id}/stop"] = true // a batch that was stopped, by whatever, is one that has not ended: nothing more is recorded of it
	// A what-if changes nothing.
	c.routes["POST /v1/prune"], c.routes["POST /v1/wiring/what-if"] = true, true
	for !c.types["events.pruned"] { // the daemon prunes by itself, too
		if _, err := c.d.Emit(t.Context(), &events.Event{Type: "noted", Source: "/t"}); err != nil {
			t.Fatal(err)
		}
		if status, answer := c.call("root", "POST", "/v1/prune?now=true", "application/json", ""); status != http.StatusOK {
			t.Fatalf("prune: %d %s", status, answer)
		}
		if list := c.trail(); len(list) > 0 {
			c.by("root", "prune", list, "events.pruned")
		}
	}

	for _, r := range api.Routes {
		if (r.Right == access.Operate || r.Right == access.Admin) && !r.Local && strings.HasPrefix(r.Pattern, "POST ") && !c.routes[r.Pattern] {
			t.Errorf("%s is not asked: say here what the audit trail has of it", r.Pattern)
		}
	}
	for _, own := range events.OwnTypes() {
		name, ok := strings.CutPrefix(own.Type, events.AuditPrefix)
		if ok && !c.types[name] && own.Type != events.TypeAuditStoreRestored { // which needs that no daemon runs
			t.Errorf("nothing by TCP has published %s", own.Type)
		}
	}
}

// What is erased can't be made good again: a batch that erases needs the right admin, also to look at what it would erase, and to go on with it.
func TestABatchThatErasesNeedsAdmin(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	e, err := c.d.Emit(t.Context(), &events.Event{Type: "noted", Source: "/t", Data: json.RawMessage(`{"name":"Ada"}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"", `,"dry_run":true`} {
		erase := `{"action":"erase","selection":{"type":["noted"]}` + more + "}"
		if status, answer := c.call("ops", "POST", "/v1/batches", "application/json", erase); status != http.StatusForbidden || !strings.Contains(answer, "the token ops does not have the right admin") {
			t.Errorf("operate%s: %d %s", more, status, answer)
		}
	}
	if got, err := c.d.Event(t.Context(), e.ID); err != nil || !strings.Contains(string(got.Data), "Ada") {
		t.Errorf("%s, %v", got.Data, err)
	}
	c.trail()
	if status, answer := c.call("root", "POST", "/v1/batches", "application/json", `{"action":"erase","selection":{"type":["noted"]}}`); status != http.StatusOK || !strings.Contains(answer, `"ended"`) {
		t.Fatalf("admin: %d %s", status, answer)
	}
	c.by("root", "erase", c.trail(), "batch.started", "batch.ended")
	if got, err := c.d.Event(t.Context(), e.ID); err != nil || strings.Contains(string(got.Data), "Ada") {
		t.Errorf("%s, %v", got.Data, err)
	}
	list, err := c.d.Batches(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if status, answer := c.call("ops", "POST", "/v1/batches", "application/json", `{"resume":"`+list[0].ID+`"}`); status != http.StatusForbidden {
		t.Errorf("operate goes on with it: %d %s", status, answer)
	}
}
