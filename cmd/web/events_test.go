package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/tasks/search"
)

const eventsWiring = `
defaults: {retry: {attempts: 1}}
events:
  user.registered:
    description: Somebody signed up.
    schema: {type: object, required: [name], properties: {name: {type: string, description: "The <b>full</b> name"}}}
handlers:
  - {name: vip, on: user.registered, when: 'data.plan == "vip" and data.age > 18', do: log, with: {message: x}}
  - {name: fails, on: "user.*", when: data.fail == true, do: exec, with: {command: [sh, -c, "echo no such host >&2; exit 3"]}}
  - {name: other, on: order.placed, do: log, with: {message: x}, emit: {type: order.item, for_each: data.items}}
  - {name: pack, on: order.item, do: log, with: {message: x}}
`

// pages asks the dashboard of a daemon, as who owns its socket.
type pages struct {
	*testing.T
	*daemontest.Daemon
	http http.Client
}

func openPages(t *testing.T, wiring string) *pages {
	d := daemontest.Start(t, wiring)
	p := &pages{T: t, Daemon: d, http: http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(d.Dir, "evrun.sock"))
	}}}}
	t.Cleanup(p.http.CloseIdleConnections)
	return p
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// page is the status of a page, its HTML, and the text of its main part.
func (p *pages) page(path string) (status int, source, text string) {
	p.Helper()
	res, err := p.http.Get("http://localhost" + path)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	_, main, _ := strings.Cut(string(body), "<main")
	return res.StatusCode, string(body), blanks.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(strings.ReplaceAll(main, "<wbr>", ""), " ")), " ")
}

// says checks that a page has texts, and not those that begin with a !.
func (p *pages) says(path string, status int, texts ...string) {
	p.Helper()
	got, _, text := p.page(path)
	if got != status {
		p.Errorf("%s: status %d, want %d", path, got, status)
	}
	for _, want := range texts {
		if not, absent := strings.CutPrefix(want, "!"); strings.Contains(text, strings.TrimPrefix(want, "!")) == absent {
			p.Errorf("%s: %q, absent %v, in\n%s", path, not, absent, text)
		}
	}
}

// emit publishes an event and waits until all that it causes has ended.
func (p *pages) emit(typ, data string) {
	p.Helper()
	e := &events.Event{Type: typ, Source: "/test", Data: json.RawMessage(data)}
	if _, err := p.EmitWait(p.Context(), e, time.Minute, func(api.Receipt) error { return nil }, func(string, json.RawMessage) error { return nil }); err != nil {
		p.Fatal(err)
	}
}

func TestEventsAreFoundByWhatTheySay(t *testing.T) {
	p := openPages(t, eventsWiring)
	p.says("/events", 200, "No event was accepted yet")
	p.emit("user.registered", `{"name":"Ada"}`)
	p.emit("order.placed", `{"items":[1,2]}`)
	p.says("/events", 200, "#1 user.registered", "#2 order.placed", "#3 order.item", `{"name":"Ada"}`, "/test", "handlers/other", "!Older")
	p.says("/events?type=order.*", 200, "#2", "#3", "!#1 ")
	p.says("/events?type=order.*&where="+url.QueryEscape(`event.type == "order.placed"`), 200, "#2", "!#3", "!Search on")
	p.says("/events?since=1h&type=user.registered", 200, "#1")
	p.says("/events?type=order.*&where=data.items.x+%3D%3D+1", 200, "could not be evaluated for 3 events")
	p.says("/events?until=1h", 200, "No event fits these filters")
	p.says("/events?since=soon", 200, `since "soon": write a time`)
	p.says("/events?where=data.x+%3D", 200, "where: ", "Look for this text in all data")
	p.says("/events?where="+url.QueryEscape(`toJSON(data) contains "Ada"`), 200, "#1 ", "!#2")
	p.says("/events?chain=%234", 200, "#2", "#3", "#4", "!#1 ")
	p.says("/events?after=nonsense", 200, "not a cursor")
	if _, source, _ := p.page("/events?order=oldest&where=" + url.QueryEscape(`"<script>"`)); strings.Contains(source, `"<script>"`) {
		t.Error("a condition is not escaped")
	}
}

func TestAnEventSaysWhyEachHandlerRanOrDidNot(t *testing.T) {
	p := openPages(t, eventsWiring)
	p.emit("user.registered", `{"name":"<b>\u202eAda","plan":"vip","age":17,"fail":true}`)
	status, source, text := p.page("/events/1")
	for _, want := range []string{"#1 user.registered", "Somebody signed up.", "vip skipped", "false data.age > 18 data.age is 17", "fails dead", "exit code 3: no such host", "Attempt 1 failed",
		"Edit and run again", "2 handlers did not match the type", "other order.placed", "begins here", `<b>\u202eAda`} {
		if !strings.Contains(text, want) {
			t.Errorf("status %d: no %q in\n%s", status, want, text)
		}
	}
	if strings.Contains(source, "<b>") || strings.Contains(source, "\u202e") {
		t.Error("the data is not escaped")
	}
	p.says("/events/99", 404, "99")
	p.says("/events/no-such-id", 404)
	runs, _, err := p.Runs(t.Context(), search.Selection{Handler: "fails"}, api.Paging{})
	if err != nil || len(runs) == 0 {
		t.Fatal(err)
	}
	p.says("/emit?run="+runs[0].ID, 200, "Edit and run fails again", "It is dropped", "no such host", `"plan": "vip"`)
	p.says("/emit?event=1", 200, "Edit and emit again", "Back to #1", `"plan": "vip"`)
	p.says("/emit?event=99", 404)
	if _, source, _ := p.page("/emit?type=user.registered"); !strings.Contains(source, `data-schema="{&#34;`) || strings.Contains(source, "<b>full") {
		t.Error("the schema is missing, or not escaped")
	}
	p.says("/emit?type=never.seen", 200)
	p.says("/emit", 200, "Choose a type.")
}

func TestALargeChainIsFolded(t *testing.T) {
	p := openPages(t, eventsWiring)
	var items []string
	for i := range 600 {
		items = append(items, fmt.Sprint(i))
	}
	p.emit("order.placed", `{"items":[`+strings.Join(items, ",")+`]}`)
	_, source, text := p.page("/events/1")
	if n := strings.Count(source, "<tr"); n > 60 || !strings.Contains(text, "601 events, 601 runs") {
		t.Errorf("%d rows: %s", n, text)
	}
	fold := regexp.MustCompile(`class="fold" href="([^"]*)"`).FindStringSubmatch(source)
	if fold == nil {
		t.Fatal("no row can be opened")
	}
	_, source, _ = p.page("/events/1" + strings.TrimSuffix(html.UnescapeString(fold[1]), "#chain"))
	if n := strings.Count(source, "<tr"); n < 300 {
		t.Errorf("%d rows of an opened chain", n)
	}
}

// Data of a megabyte with many levels would become hundreds of megabytes when it is indented.
func TestDeepDataStaysSmall(t *testing.T) {
	p := openPages(t, eventsWiring)
	p.emit("any.thing", strings.Repeat("[", 499)+"1"+strings.Repeat(",1", 30_000)+strings.Repeat("]", 499))
	for _, path := range []string{"/events", "/events/1", "/emit?event=1"} {
		if status, source, _ := p.page(path); status != 200 || len(source) > 400_000 {
			t.Errorf("%s: status %d, %d bytes", path, status, len(source))
		}
	}
}
