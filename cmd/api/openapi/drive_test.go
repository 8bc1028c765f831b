package openapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/cmd/api/openapi"
	"evrun/cmd/daemon/daemontest"
)

const wiring = `
server: {watch: false}
events:
  checked: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
hooks:
  - {name: shop, verify: none, type: noted, id: "${ body.id }", when: "body.id != nil", answer: {status: 200, body: thanks, type: text/plain}}
  - {name: quiet, verify: none, type: noted, when: "body.id != nil"}
  - {name: cloud, verify: none, type: noted, challenge: [cloudevents, {method: GET, when: 'query("q") == "1"', answer: "yes"}]}
schedules:
  - {name: tick, every: 1h, emit: ticked, labels: {team: a}}
handlers:
  - {name: note, on: noted, do: log, with: {message: x}, labels: {team: a}}
  - {name: user, on: joined, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
  - {name: fails, on: failing, do: exec, with: {shell: "echo no >&2; exit 1"}, retry: {attempts: 1}}
  - {name: unheard, on: checked, do: log, with: {message: x}}
`

// driver asks a daemon what the document describes, and checks every answer against the document.
type driver struct {
	*testing.T
	d        *daemontest.Daemon
	doc      object
	compiler *jsonschema.Compiler
	http     *http.Client
	schemas  map[string]*jsonschema.Schema // compiled, by place
	reached  map[string]bool               // "METHOD path status"
}

func newDriver(t *testing.T) *driver {
	d := &driver{T: t, d: daemontest.Start(t, wiring), schemas: map[string]*jsonschema.Schema{}, reached: map[string]bool{}}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", filepath.Join(d.d.Dir, "evrun.sock"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	d.http = &http.Client{Transport: transport}
	res, err := d.http.Get("http://evrun/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := jsonschema.UnmarshalJSON(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	d.doc = doc.(object)
	d.compiler = compilerOf(t, d.doc)
	return d
}

// ask is a request.
type ask struct {
	method, path string // of the document
	name         string // in the place of the part of the path in braces
	query        string
	contentType  string
	body         string
	headers      []string
	want         int
	detail       string // that a problem has; empty: any
}

func (d *driver) operation(method, path string) object {
	item, _ := d.doc["paths"].(object)[path].(object)
	o, ok := item[strings.ToLower(method)].(object)
	if !ok {
		d.Fatalf("the document has no %s %s", method, path)
	}
	return o
}

// do sends a request, and checks that the answer is as the document says. It returns the body.
func (d *driver) do(a ask) string {
	d.Helper()
	path := a.path
	if i := strings.Index(path, "{"); i >= 0 {
		path = path[:i] + url.PathEscape(a.name) + path[strings.Index(path, "}")+1:]
	}
	if a.query != "" {
		path += "?" + a.query
	}
	what := fmt.Sprintf("%s %s %s", a.method, path, a.body)
	ctx, cancel := context.WithTimeout(d.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.method, "http://evrun"+path, strings.NewReader(a.body))
	if err != nil {
		d.Fatal(err)
	}
	if a.contentType != "" {
		req.Header.Set("Content-Type", a.contentType)
	}
	for i := 0; i < len(a.headers); i += 2 {
		req.Header.Set(a.headers[i], a.headers[i+1])
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.Fatalf("%s: %v", what, err)
	}
	defer res.Body.Close()
	o := d.operation(a.method, a.path)
	mediaType, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	empty := res.Header.Get("Content-Type") == ""
	if err != nil && !empty {
		d.Errorf("%s: the content type %q: %v", what, res.Header.Get("Content-Type"), err)
	}
	var text string
	if mediaType == "text/event-stream" {
		text = head(res.Body)
	} else {
		all, err := io.ReadAll(res.Body)
		if err != nil {
			d.Errorf("%s: %v", what, err)
		}
		text = string(all)
	}
	if res.StatusCode != a.want || !strings.Contains(text, a.detail) {
		d.Errorf("%s: %d, want %d with %q\n%s", what, res.StatusCode, a.want, a.detail, text)
		return text
	}
	status := fmt.Sprint(res.StatusCode)
	d.reached[a.method+" "+a.path+" "+status] = true
	place := "#/paths/" + escape(a.path) + "/" + strings.ToLower(a.method) + "/responses/" + status
	response, ok := o["responses"].(object)[status].(object)
	if !ok {
		d.Errorf("%s: the document does not know status %s\n%s", what, status, text)
		return text
	}
	contents, _ := response["content"].(object)
	if empty && contents == nil && text == "" {
		return text
	}
	media, ok := contents[mediaType].(object)
	if !ok && contents["*/*"] != nil {
		return text
	}
	if !ok {
		d.Errorf("%s: the document has no answer %s of %s\n%s", what, status, mediaType, text)
		return text
	}
	place += "/content/" + escape(mediaType)
	switch {
	case mediaType == "text/event-stream":
		d.blocks(what, place+"/x-itemSchema", text)
	case media["x-itemSchema"] != nil:
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != "" {
				d.valid(what, place+"/x-itemSchema", line)
			}
		}
	case strings.HasSuffix(mediaType, "json"):
		d.valid(what, place+"/schema", text)
	}
	return text
}

func escape(text string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(text, "~", "~0"), "/", "~1"))
}

// head is the beginning of a stream, with its first blocks.
func head(body io.Reader) string {
	var text strings.Builder
	for in := bufio.NewReader(body); strings.Count(text.String(), "\n\n") < 3; {
		line, err := in.ReadString('\n')
		text.WriteString(line)
		if err != nil {
			break
		}
	}
	return text.String()
}

// blocks checks server-sent events: each has the name and the value of a member.
func (d *driver) blocks(what, place, text string) {
	d.Helper()
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var name, data string
		for line := range strings.Lines(block) {
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				name = strings.TrimSpace(v)
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				data = v
			}
		}
		d.valid(what, place, fmt.Sprintf("{%q: %s}", name, data))
	}
}

// valid checks JSON against a schema of the document.
func (d *driver) valid(what, place, text string) {
	d.Helper()
	s := d.schemas[place]
	if s == nil {
		var err error
		if s, err = d.compiler.Compile(base + place); err != nil {
			d.Fatalf("%s: %v", place, err)
		}
		d.schemas[place] = s
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		d.Errorf("%s: the answer is not what the document says: %v\n%s", what, err, text)
	}
}

// Each route of the document is asked of a real daemon: so that it succeeds, and in all ways in which a request can be wrong that the document
// knows of. Each answer has a status, a content type and a body that the document describes.
func TestTheDocumentIsWhatTheServerDoes(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	copyTo := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copyTo, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, a := range d.successes(copyTo) {
		if name, ok := names[a.name]; ok {
			a.name = name
		}
		text := d.do(a)
		switch a.path {
		case "/v1/runs/{id}":
			names["RUN"] = member(text, "id")
			names["DEAD"] = names["RUN"]
		case "/v1/batches":
			names["BATCH"] = member(text, "id")
		}
	}
	operations(d.doc, func(method, path string, o object) {
		done := false
		for _, status := range []string{"200", "201", "202", "204"} {
			done = done || d.reached[method+" "+path+" "+status]
		}
		if !done && !strings.HasSuffix(path, "/forget") && !strings.HasSuffix(path, "/cancel") && path != "/sign-in" && path != "/v1/links" { // their success is in other tests
			t.Errorf("%s %s of the document has no request in this test that succeeds", method, path)
		}
		d.wrong(method, path, o)
	})
}

// wrong asks a route in the ways in which a request is wrong.
func (d *driver) wrong(method, path string, o object) {
	d.Helper()
	name := "nothing-has-this-name"
	body, _ := o["requestBody"].(object)
	contents, _ := body["content"].(object)
	contentType := ""
	for _, known := range []string{openapi.JSON, "application/cloudevents+json", openapi.NDJSON} {
		if contents[known] != nil && contentType == "" {
			contentType = known
		}
	}
	base := ask{method: method, path: path, name: name, contentType: contentType, want: http.StatusBadRequest}
	with := func(query, detail string) ask {
		a := base
		a.query, a.detail = query, detail
		return a
	}
	if strings.HasPrefix(path, "/hooks/") { // the hook's sender chooses parameters and bodies
		a := base
		a.want = http.StatusNotFound
		d.do(a)
		return
	}
	if path == "/sign-in" { // it takes forms
		a := base
		a.body, a.contentType, a.want = `{"token":"x"}`, "application/json", http.StatusConflict // without a TCP port
		d.do(a)
		return
	}
	d.do(with("lable=x", `unknown parameter \"lable\"`))
	d.do(with("%zz", "the query"))
	for _, p := range parametersOf(o) {
		if p["in"] != "query" {
			continue
		}
		named, schema := p["name"].(string), p["schema"].(object)
		value := ""
		switch {
		case schema["type"] == "integer", schema["type"] == "boolean", schema["enum"] != nil, schema["format"] == "date-time", schema["pattern"] != nil:
			value = "%3Cno%3E"
		}
		if value != "" {
			d.do(with(named+"="+value, `"detail":"`+named+": "))
		}
		if schema["type"] != "array" {
			d.do(with(named+"=1&"+named+"=1", named+": it is given 2 times"))
		}
	}
	responses := o["responses"].(object)
	if strings.Contains(path, "{") && responses["404"] != nil && contentType == "" {
		a := base
		a.want = http.StatusNotFound
		d.do(a)
	}
	if contents[openapi.JSON] != nil && len(contents) == 1 {
		a := base
		a.body, a.detail = `{"nonsense":1}`, "nonsense"
		d.do(a)
		a.body, a.detail = `{`, ""
		d.do(a)
		if ref, ok := contents[openapi.JSON].(object)["schema"].(object)["$ref"].(string); ok && d.named(ref)["required"] != nil {
			a.body = `{}`
			d.do(a)
		}
	}
	if contentType != "" && contents["*/*"] == nil {
		a := base
		a.contentType, a.want = "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType
		d.do(a)
	}
}

// named is the schema that a reference leads to.
func (d *driver) named(ref string) object {
	return d.doc["components"].(object)["schemas"].(object)[strings.TrimPrefix(ref, "#/components/schemas/")].(object)
}

// member is the first member of JSON with a name.
func member(text, name string) string {
	_, rest, _ := strings.Cut(text, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
