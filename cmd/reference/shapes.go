package reference

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks/explain"
	"evrun/tasks/schedule/timeline"
)

// shown are the shapes with a heading of their own, and where they occur. The shapes within them follow.
var shown = []struct {
	typ   reflect.Type
	where string
}{
	{reflect.TypeFor[api.Receipt](), "`evrun emit -o json`, and the answer to `POST /v1/events`"},
	{reflect.TypeFor[api.Run](), "`evrun runs list`, `evrun tail --runs`, `GET /v1/runs`"},
	{reflect.TypeFor[api.RunDetails](), "`evrun runs show`, `GET /v1/runs/{id}`"},
	{reflect.TypeFor[shape.RunSummary](), "`GET /v1/runs/summary`, a line now and then"},
	{reflect.TypeFor[api.LogLine](), "`evrun runs logs`, `GET /v1/runs/{id}/logs`"},
	{reflect.TypeFor[api.Chain](), "`evrun events show`, `GET /v1/events/{id}/chain`"},
	{reflect.TypeFor[explain.Report](), "`evrun explain TYPE`, `evrun emit --dry-run`, `POST /v1/explain`"},
	{reflect.TypeFor[shape.Accounts](), "`evrun explain --event 7`, `GET /v1/events/{id}/explain`"},
	{reflect.TypeFor[api.User](), "`evrun users list`, `GET /v1/users`"},
	{reflect.TypeFor[api.ImportedUser](), "`POST /v1/users`, a line for each user"},
	{reflect.TypeFor[api.Status](), "`evrun status`, `GET /v1/status`"},
	{reflect.TypeFor[api.Activity](), "`GET /v1/activity`"},
	{reflect.TypeFor[api.Schedule](), "`evrun schedules list`, `GET /v1/schedules`"},
	{reflect.TypeFor[timeline.SlotList](), "`GET /v1/slots`"},
	{reflect.TypeFor[timeline.SlotDays](), "`GET /v1/slots/days`"},
	{reflect.TypeFor[hook.Traffic](), "`evrun hooks list` and `show`, `GET /v1/hooks`"},
	{reflect.TypeFor[api.Reloaded](), "`evrun reload`, `POST /v1/reload`"},
	{reflect.TypeFor[api.BatchRequest](), "The body of `POST /v1/batches`"},
	{reflect.TypeFor[api.BatchPreview](), "An action with `--dry-run`, and the dry run of `POST /v1/batches`"},
	{reflect.TypeFor[api.Batch](), "An action on a selection; `POST /v1/batches`, a line now and then until it has ended"},
	{reflect.TypeFor[api.ReplayRequest](), "The body of `POST /v1/replay`"},
	{reflect.TypeFor[api.Replayed](), "`evrun replay`, `POST /v1/replay`"},
	{reflect.TypeFor[api.EditedRun](), "`evrun runs retry --with data.json`, `POST /v1/runs/{id}/edit`"},
	{reflect.TypeFor[api.Backfill](), "The body of `POST /v1/schedules/{name}/backfill`"},
	{reflect.TypeFor[api.Backfilled](), "`evrun schedules fire --from 2026-11-24`, `POST /v1/schedules/{name}/backfill`"},
	{reflect.TypeFor[api.PausedHandler](), "`evrun handlers pause`, `POST /v1/handlers/{name}/pause`"},
	{reflect.TypeFor[api.Resumed](), "`evrun handlers resume`, `POST /v1/handlers/{name}/resume`"},
	{reflect.TypeFor[api.Forgotten](), "`evrun handlers forget`, `POST /v1/handlers/{name}/forget`"},
	{reflect.TypeFor[api.Paused](), "`evrun schedules pause`, `POST /v1/schedules/{name}/pause` and `resume`"},
	{reflect.TypeFor[api.Pruned](), "`evrun prune`, `POST /v1/prune`"},
	{reflect.TypeFor[api.Token](), "`evrun token list`, `GET /v1/tokens`"},
	{reflect.TypeFor[api.TokenRequest](), "The body of `POST /v1/tokens`"},
	{reflect.TypeFor[api.NewToken](), "`evrun token create`, `POST /v1/tokens`"},
	{reflect.TypeFor[api.RevokedToken](), "`evrun token revoke`, `POST /v1/tokens/{name}/revoke`"},
	{reflect.TypeFor[api.BackupRequest](), "The body of `POST /v1/backup`"},
	{reflect.TypeFor[api.BackupStep](), "`POST /v1/backup`, a line now and then"},
	{reflect.TypeFor[api.End](), "The last line of an answer that follows an event (`?wait=`)"},
	{reflect.TypeFor[api.PageInfo](), "Beside the list, in every answer with a page"},
	{reflect.TypeFor[api.Problem](), "Every error over HTTP (RFC 9457)"},
	{reflect.TypeFor[config.Fault](), "`evrun validate`, a fault of the wiring file each"},
}

// shapes is the page of the JSON shapes.
func shapes(s Sources) (string, error) {
	w, err := describedShapes(s)
	return w.String(), err
}

// Descriptions are the texts of types and members for the description of the API: see package openapi, which embeds them.
func Descriptions(s Sources) (string, error) {
	w, err := describedShapes(s)
	if err != nil {
		return "", err
	}
	texts := map[string]map[string]string{}
	for _, t := range openapi.Types(api.Operations()) {
		texts[t.String()] = w.texts[t.String()]
	}
	out, err := json.MarshalIndent(texts, "", " ") //nolint:forbidigo // a file for people, too
	return string(out) + "\n", err
}

func describedShapes(s Sources) (*shapeWriter, error) {
	var p page
	p.heading(1, "JSON")
	p.line("The shapes of what commands print with `-o json` and of what the [HTTP API](http.md) takes and answers. Names are stable: a new version may add members, and no version")
	p.line("gives a name another meaning.\n")
	p.line("Lists print one object a line; `tail` and `emit --wait` print `{\"event\": …}` or `{\"run\": …}` a line. Times are RFC 3339 in UTC. A member whose value would be empty")
	p.line("or nothing may be missing where the table says so.")
	p.heading(2, "event")
	p.line("An event is a [CloudEvent](https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md) in JSON. In: `evrun events`, `evrun tail`, `GET /v1/events`, `GET /v1/stream`.\n")
	p.code("json", `{"specversion":"1.0","id":"01a21a95-4971-7c73-9afb-10001f33fe02","source":"/evrun/emit","type":"user.registered",
 "time":"2026-11-27T01:18:41.010135Z","seq":"7","chain":"7","correlationid":"01a21a95-4971-7c73-9afb-10001f33fe02",
 "data":{"name":"Ada","email":"ada@example.com"}}`)
	p.line("")
	var members [][]string
	for _, m := range openapi.EventMembers {
		names := "`" + strings.Join(m.Names, "`, `") + "`"
		if m.Schema == nil && len(m.Names) == 1 {
			names = m.Names[0]
		}
		members = append(members, []string{names, m.Type, m.Doc})
	}
	p.table([]string{"member", "type", "what it is"}, members)
	w := &shapeWriter{page: &p, texts: map[string]map[string]string{}, comments: comments{dir: s.Dir}, done: map[reflect.Type]bool{}, used: map[string]bool{}}
	for _, shape := range shown {
		w.done[shape.typ] = true
	}
	for _, shape := range shown {
		w.shape(shape.typ, "In: "+shape.where+".")
	}
	w.ofRoutes()
	for len(w.within) > 0 {
		t := w.within[0]
		w.within = w.within[1:]
		w.shape(t, "")
	}
	if w.err == nil && len(w.missing) > 0 {
		w.err = fmt.Errorf("these have no comment that says what they are, and no entry in members of cmd/reference/members.go:\n%s", strings.Join(w.missing, "\n"))
	}
	for name := range memberDocs {
		if w.err == nil && !w.used[name] {
			w.err = fmt.Errorf("members.go of cmd/reference describes %s, which does not exist or has a comment", name)
		}
	}
	return w, w.err
}

// ofRoutes writes the shapes of routes that have no entry in shown.
func (w *shapeWriter) ofRoutes() {
	where := map[reflect.Type][]string{}
	for _, o := range api.Operations() {
		contents := o.Bodies
		for _, a := range o.Answers {
			contents = append(contents, a.Contents...)
		}
		for _, c := range contents {
			for _, t := range c.Of {
				if pattern := quoted(o.Pattern); !slices.Contains(where[t], pattern) {
					where[t] = append(where[t], pattern)
				}
			}
		}
	}
	for _, t := range openapi.Types(api.Operations()) {
		if where[t] != nil && !w.done[t] {
			w.done[t] = true
			w.shape(t, "In: "+strings.Join(where[t], ", ")+".")
		}
	}
}

type shapeWriter struct {
	*page
	comments
	done    map[reflect.Type]bool
	within  []reflect.Type // shapes of members, whose turn has not come
	missing []string
	used    map[string]bool              // the names in memberDocs
	texts   map[string]map[string]string // of types, by their members; of the type itself under ""
	err     error
}

func (w *shapeWriter) shape(t reflect.Type, where string) {
	w.heading(2, nameOf(t))
	doc, _, err := w.of(t)
	if err != nil {
		w.err = err
		return
	}
	w.text(t, "", doc)
	w.line("%s", strings.TrimSpace(doc+" "+where))
	w.line("")
	rows := w.members(t)
	if t == reflect.TypeFor[config.Fault]() {
		rows = append(rows, []string{"`severity`", "text", "error, or warning: the file can still be used"})
	}
	w.table([]string{"member", "type", "what it is"}, rows)
}

// nameOf is the name of a shape: that of its type, in words.
func nameOf(t reflect.Type) string {
	var b strings.Builder
	if t.PkgPath() == "evrun/tasks/explain" && t.Name() == "Handler" || t.PkgPath() == "evrun/store" && t.Name() == "Pruned" {
		b.WriteString(filepath.Base(t.PkgPath()) + " ")
	}
	for i, r := range t.Name() {
		if i > 0 && r >= 'A' && r <= 'Z' && t.Name() != "WAL" {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func (w *shapeWriter) members(t reflect.Type) (rows [][]string) {
	_, docs, err := w.of(t)
	if err != nil {
		w.err = err
		return nil
	}
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		if f.Anonymous && !tagged {
			rows = append(rows, w.members(f.Type)...)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !f.IsExported() || !tagged || name == "-" {
			continue
		}
		typ := w.words(f.Type)
		if strings.Contains(options, "string") {
			typ = "text"
		}
		doc := docs[f.Name]
		if known := w.known(t.Name() + "." + name); known != "" {
			doc = known
		} else if doc == "" {
			doc = w.known(name)
		}
		if doc == "" {
			w.missing = append(w.missing, t.String()+" "+name)
		}
		w.text(t, name, doc)
		if strings.Contains(options, "omit") {
			doc += " (may be missing)"
		}
		rows = append(rows, []string{quoted(name), typ, doc})
	}
	return rows
}

func (w *shapeWriter) text(t reflect.Type, member, doc string) {
	if doc == "" {
		return
	}
	if w.texts[t.String()] == nil {
		w.texts[t.String()] = map[string]string{}
	}
	w.texts[t.String()][member] = doc
}

// known is an entry of memberDocs.
func (w *shapeWriter) known(name string) string {
	w.used[name] = true
	return memberDocs[name]
}

// words names the type of a member, with a link to its shape.
func (w *shapeWriter) words(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[json.RawMessage]():
		return "JSON"
	case t == reflect.TypeFor[events.Event]():
		return "[event](#event)"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.words(t.Elem())
	case reflect.Slice:
		return "list of " + w.words(t.Elem())
	case reflect.Map:
		return "map of " + w.words(t.Elem())
	case reflect.Struct:
		if !w.done[t] {
			w.done[t] = true
			w.within = append(w.within, t)
		}
		return fmt.Sprintf("[%s](%s)", nameOf(t), Anchor(nameOf(t)))
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true/false"
	case reflect.Interface:
		return "any"
	}
	return "number"
}

// comments reads what is written beside types and fields.
type comments struct {
	dir    string // the repository
	parsed map[string][]*ast.File
}

// of returns the comment of a struct, and those of its fields.
func (c *comments) of(t reflect.Type) (doc string, fields map[string]string, err error) {
	files, err := c.files(t.PkgPath())
	if err != nil {
		return "", nil, err
	}
	fields = map[string]string{}
	for _, f := range files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok || spec.Name.Name != t.Name() {
					continue
				}
				doc = sentence(g.Doc.Text(), t.Name())
				if s, ok := spec.Type.(*ast.StructType); ok {
					for _, f := range s.Fields.List {
						for _, name := range f.Names {
							fields[name.Name] = sentence(f.Comment.Text(), name.Name)
							if fields[name.Name] == "" {
								fields[name.Name] = sentence(f.Doc.Text(), name.Name)
							}
						}
					}
				}
			}
		}
	}
	return doc, fields, nil
}

func (c *comments) files(pkg string) ([]*ast.File, error) {
	if files, ok := c.parsed[pkg]; ok {
		return files, nil
	}
	dir := filepath.Join(c.dir, filepath.FromSlash(strings.TrimPrefix(pkg, "evrun/")))
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, e := range list {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	if c.parsed == nil {
		c.parsed = map[string][]*ast.File{}
	}
	c.parsed[pkg] = files
	return files, nil
}

// sentence makes text for readers of a Go comment: without the name at its beginning and the brackets of links.
func sentence(text, name string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, verb := range []string{" is ", " are ", " says ", " answers ", " describes ", " counts ", " lists "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok {
			if verb != " is " && verb != " are " {
				rest = strings.TrimSpace(verb) + " " + rest
			}
			text = rest
			break
		}
	}
	text = strings.NewReplacer("[", "", "]", "", "nil: ", "missing: ").Replace(text)
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text
}
