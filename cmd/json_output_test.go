package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd"
	"evrun/cmd/api"
)

// markup is in every input: in names, data, errors and the texts of the wiring file.
const markup = `<a&b>`

// htmlEscape matches the escapes of markup that encoding/json writes by default.
var htmlEscape = regexp.MustCompile(`(?i)\\u00(3c|3e|26)`)

const markupWiring = `
log: {format: json, level: debug}
server: {watch: false}
events:
  checked: {description: "<a&b>", schema: {description: "<a&b>", required: ["<a&b>"], properties: {"<a&b>": {enum: ["<a&b>"]}}}}
schedules:
  - {name: tick, every: 1000h, emit: ticked, data: {x: "<a&b>"}}
handlers:
  - {name: json, on: in, when: 'data.x == "<a&b>"', do: log, with: {message: "${ toJSON(data) } ${ data } <a&b>"}, emit: {type: out.json, data: "${ toJSON(data) } ${ data }"}}
  - {name: event, on: in, do: exec, with: {command: [cat], result: text}, emit: out.event}
  - {name: value, on: in, do: exec, with: {command: [cat], stdin: "${ data }", result: text}, emit: out.value}
  - {name: argument, on: in, do: exec, with: {command: [echo, "${ data }"], result: text}, emit: out.argument}
  - {name: fails, on: in, do: exec, with: {shell: 'echo "<a&b>" >&2; exit 1'}, retry: {attempts: 2, backoff: 1ms}, on_dead: out.dead}
  - {name: post, on: in, do: http, with: {url: URL, body: {x: "${ data.x }"}}, emit: out.answer}
  - {name: post-event, on: in, do: http, with: {url: URL}, emit: out.answer}
  - {name: user, on: in, do: user.insert, with: {name: "${ data.x }", email: "${ data.n }@example.com", attributes: "${ data }"}, emit: out.user}
  - {name: query, on: in, do: sql, with: {statement: "SELECT :v AS v, (SELECT attributes FROM users LIMIT 1) AS a", params: {v: "${ data }"}}, emit: out.query}
  - {name: more, on: in, do: emit, with: {events: [{type: out.more, subject: "<a&b>", data: "${ data }"}]}}
  - {name: tell, on: in, do: notify, with: {message: "${ data }"}}
tests:
  - name: <a&b>
    given: [{type: in, data: {x: "<a&b>", n: 1}}]
    expect: {runs: [{handler: json, with: {message: "<b&a>"}}], users: [{name: "<b&a>"}]}
`

// TestNoOutputHasTheEscapesOfHTML calls every route of the API, every command and every kind of handler with markup in every input. No output,
// request or log line has < > & as \u003c \u003e \u0026.
func TestNoOutputHasTheEscapesOfHTML(t *testing.T) {
	t.Parallel()
	var received output
	others := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&received, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"x":"`+markup+`"}`)
	}))
	defer others.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("evrun.yaml", strings.ReplaceAll(markupWiring, "URL", others.URL))
	write("wrong.yaml", "handlers:\n  - {name: x, on: \"<a&b>\", do: \"<a&b>\", with: {\"<a&b>\": 1}}\n")
	write("lines", `{"type":"in","id":"line<a&b>","data":{"x":"<a&b>","n":20}}`+"\n"+`{"type":"<a&b>"}`+"\n")

	daemon := exec.Command(link(t, dir), "serve")
	daemon.Dir = dir
	var log output
	daemon.Stderr = &log
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it is ready
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()

	check := func(what, text string) {
		t.Helper()
		if at := htmlEscape.FindStringIndex(text); at != nil {
			t.Errorf("%s: …%s", what, text[max(0, at[0]-200):min(len(text), at[1]+50)])
		}
	}
	drive := &commandDriver{t: t, dir: dir, check: check}
	first := drive.run("emit", "in", "-d", `{"x":"<a&b>","n":1}`, "--id", markup, "--source", "/s?"+markup, "--subject", markup, "--ext", "ext="+markup, "--wait", "-o", "json")
	for _, handler := range []string{"json", "event", "value", "argument", "fails", "post", "post-event", "user", "query", "more", "tell"} {
		if !strings.Contains(first, `"handler":"`+handler+`"`) {
			t.Errorf("no run of %s in %s", handler, first)
		}
	}
	run := regexp.MustCompile(`"id":"(1-fails-[^"]+)"`).FindStringSubmatch(first)
	if run == nil {
		t.Fatalf("no run that fails in %s", first)
	}
	drive.all(run[1])
	driveRoutes(t, filepath.Join(dir, "evrun.sock"), run[1], check)
	check("what others got", received.String())
	if !strings.Contains(received.String(), markup) {
		t.Errorf("others got %q", received.String())
	}
	_ = daemon.Process.Signal(os.Interrupt)
	_ = daemon.Wait()
	drive.all(run[1]) // without a daemon
	check("the log", log.String())
	if !strings.Contains(log.String(), markup) {
		t.Error("the log has no markup in it")
	}
}

// output collects text of several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// commandDriver runs commands in a directory, and checks their output.
type commandDriver struct {
	t     *testing.T
	dir   string
	check func(what, text string)
}

func (d *commandDriver) run(args ...string) string {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(d.dir, "evrun"), args...)
	c.Dir = d.dir
	text, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		d.t.Errorf("%q: %v, %v", args, err, ctx.Err())
	}
	d.check(strings.Join(args, " "), string(text))
	return string(text)
}

// all runs every command: in text and in JSON, without arguments, and with arguments that show more. run is a dead run.
func (d *commandDriver) all(run string) {
	more := map[string][][]string{
		"emit": {
			{"in", "-d", `{"x":"<a&b>","n":2}`, "--dry-run"}, {"in", "-d", `{"x":"<a&b>","n":3}`, "--source", "/" + markup}, {"checked", "-f", "x=" + markup},
			{"--ndjson", "lines", "--rejects", "rejects"}, {"checked", "-f", markup + "=" + markup, "--id", markup, "--source", "/s?" + markup},
		},
		"tail":             {{"--no-follow", "-n", "1000", "--runs"}, {"--no-follow", "--where", `data.x == "<a&b>"`}},
		"events show":      {{markup}, {"1"}, {"no" + markup}},
		"runs list":        {{"--state", "dead"}, {"--event", markup}},
		"runs show":        {{run}, {markup}},
		"runs retry":       {{run}, {markup}},
		"runs drop":        {{markup}},
		"users show":       {{"1@example.com"}, {markup}},
		"schedules show":   {{"tick"}, {markup}},
		"schedules fire":   {{"tick"}, {markup}},
		"schedules next":   {{"tick"}, {markup}},
		"schedules pause":  {{"tick"}, {markup}},
		"schedules resume": {{"tick"}, {markup}},
		"validate":         {{"-c", "wrong.yaml"}, {"--strict"}},
		"explain": {
			{"in", "-d", `{"x":"<a&b>","n":2}`}, {"checked", "-f", "x=" + markup}, {"--event", markup}, {"--kind", "exec"},
		},
		"test": {{"--junit", "junit.xml"}},
	}
	for _, name := range cmd.Commands() {
		if name == "serve" || strings.HasPrefix(name, "completion") {
			continue
		}
		lines := more[name]
		if name != "tail" {
			lines = append(lines, nil)
		}
		for _, args := range lines {
			for _, format := range []string{"text", "json"} {
				d.run(append(append(strings.Fields(name), args...), "-o", format)...)
			}
		}
	}
}

// driveRoutes asks every route of the API, once for things that exist and once for things that don't, and checks the answers.
func driveRoutes(t *testing.T, socket, run string, check func(what, text string)) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
	ask := func(method, path, contentType, body string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, "http://evrun"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return
		}
		defer res.Body.Close()
		if res.Header.Get("Content-Type") == "text/event-stream" {
			time.AfterFunc(200*time.Millisecond, cancel) // the stream has no end; stored events are sent first
		}
		text, err := io.ReadAll(res.Body)
		if err != nil && ctx.Err() == nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		check(method+" "+path+" "+body, string(text))
	}
	event := `{"type":"in","data":{"x":"<a&b>","n":30}}`
	for _, body := range []string{event, `{"type":"<a&b>"}`, `{"type":"in","<a&b>":1}`, `{"type":"checked","data":{"x":"<a&b>"}}`, `<a&b>`} {
		for _, contentType := range []string{"application/cloudevents+json", "application/x-ndjson", "application/json", "text/" + markup} {
			ask("POST", "/v1/events", contentType, body)
			ask("POST", "/v1/explain", contentType, body)
		}
		ask("POST", "/v1/events", "application/cloudevents-batch+json", "["+body+"]")
		ask("POST", "/v1/events?wait=20s", "application/cloudevents+json", body)
		ask("POST", "/v1/events?wait=<a&b>", "application/cloudevents+json", body)
	}
	known := map[string]string{"events": "1", "runs": run, "users": "1@example.com", "schedules": "tick"}
	parameter := regexp.MustCompile(`/v1/(\w+)/\{\w+\}`)
	const unknown = "%3Ca&b%3E"
	for _, method := range []string{"GET", "POST"} {
		for _, route := range api.Routes {
			m, path, _ := strings.Cut(route.Pattern, " ")
			if m != method {
				continue
			}
			for _, query := range []string{"", "?type=" + unknown, "?handler=" + unknown, "?after=" + unknown, "?runs=1&last=1&limit=1000", "?since=" + unknown} {
				ask(method, parameter.ReplaceAllStringFunc(path, func(s string) string {
					what := parameter.FindStringSubmatch(s)[1]
					return "/v1/" + what + "/" + known[what]
				})+query, "application/json", "{}")
			}
			ask(method, parameter.ReplaceAllString(path, "/v1/$1/"+unknown), "application/json", "{}")
		}
	}
	ask("GET", "/"+unknown, "", "")
	ask("PUT", "/v1/runs", "", "")
}
