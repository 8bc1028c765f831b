package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/tasks/control"
)

var (
	wiringPage = page{pattern: "GET /wiring", right: access.Read, nav: "wiring", title: "Wiring", template: "wiring", load: loadWiring}
	filesPage  = page{pattern: "GET /wiring/files", right: access.Admin, nav: "wiring", title: "Files of the wiring", template: "wiring-files", load: loadWiringFiles}
	whatIfPage = page{pattern: "GET /wiring/what-if", right: access.Admin, nav: "wiring", title: "What if", template: "what-if", load: loadWhatIf}
	hookPage   = page{pattern: "GET /wiring/hooks/{name}", right: access.Read, nav: "wiring", title: "Hook", template: "hook", load: loadHook}
)

// wiringView is the graph of the wiring: a script draws it, and the lists say the same.
type wiringView struct {
	Handlers  []wiredRow
	Schedules []shape.WiredSchedule
	Hooks     []hook.Traffic
	Types     []wiredType // without patterns and computed ones
	Names     []string    // of all nodes
	Focus     string      // the id of a node; empty: all are shown
	Wanted    string      // what the focus should be
	Version   string      // changes with the graph
}

// wiredRow is a handler with what it does now.
type wiredRow struct {
	handlerRow
	shape.WiredHandler
	Emits []string
}

// wiredType is a type with those who publish and handle it.
type wiredType struct {
	shape.WiredType
	From, To []wiredEnd
}

// wiredEnd is who publishes a type, or gets it.
type wiredEnd struct{ Kind, Name, Note string }

// Path is its page; empty: it has none.
func (e wiredEnd) Path() string {
	switch e.Kind {
	case "handler":
		return "/handlers/" + url.PathEscape(e.Name)
	case "schedule":
		return "/schedules/" + url.PathEscape(e.Name)
	case "hook":
		return "/wiring/hooks/" + url.PathEscape(e.Name)
	}
	return ""
}

func loadWiring(q *request) (any, error) {
	graph, err := q.api.Wiring(q.Context())
	if err != nil {
		return nil, err
	}
	statuses, err := q.api.Handlers(q.Context())
	if err != nil {
		return nil, err
	}
	lately, err := lately(q)
	if err != nil {
		return nil, err
	}
	hooks, err := q.api.Hooks(q.Context())
	if err != nil {
		return nil, err
	}
	text, err := events.MarshalJSON(graph)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	v := wiringView{Wanted: strings.TrimSpace(q.query.Get("focus")), Version: hex.EncodeToString(sum[:6])}
	g := graphOf(graph)
	v.Names = slices.Sorted(maps.Keys(g.names))
	v.Focus = g.find(v.Wanted)
	shown := g.around(v.Focus)
	rows := map[string]handlerRow{}
	for _, row := range handlerRows(statuses, lately) {
		rows[row.Name] = row
	}
	for _, h := range graph.Handlers {
		if shown(h.ID) {
			row, ok := rows[h.Name]
			if !ok {
				row.HandlerStatus = control.HandlerStatus{Name: h.Name}
			}
			v.Handlers = append(v.Handlers, wiredRow{row, h, g.emitted(h.ID)})
		}
	}
	for _, s := range graph.Schedules {
		if shown(s.ID) {
			v.Schedules = append(v.Schedules, s)
		}
	}
	for _, h := range hooks {
		if shown("hook:" + h.Name) {
			v.Hooks = append(v.Hooks, h)
		}
	}
	for _, t := range graph.Types {
		if shown(t.ID) && !t.Pattern && !t.Computed {
			v.Types = append(v.Types, wiredType{t, g.publishers(t.ID, ""), g.takers(t.ID, "")})
		}
	}
	return v, nil
}

// graph are the edges of the wiring by their ends.
type graph struct {
	names    map[string]string // of nodes, and their ids
	from, to map[string][]shape.WiredEdge
}

func graphOf(w shape.Wiring) *graph {
	g := &graph{names: map[string]string{}, from: map[string][]shape.WiredEdge{}, to: map[string][]shape.WiredEdge{}}
	for _, e := range w.Edges {
		g.from[e.From] = append(g.from[e.From], e)
		g.to[e.To] = append(g.to[e.To], e)
	}
	add := func(name, id string) {
		if g.names[name] == "" {
			g.names[name] = id
		}
	}
	for _, h := range w.Handlers {
		add(h.Name, h.ID)
	}
	for _, t := range w.Types {
		add(t.Type, t.ID)
	}
	for _, h := range w.Hooks {
		add(h.Name, h.ID)
	}
	for _, s := range w.Schedules {
		add(s.Name, s.ID)
	}
	return g
}

// find is the id of the node with a name, or with an id; empty: there is none.
func (g *graph) find(text string) string {
	if id := g.names[text]; id != "" {
		return id
	}
	if len(g.from[text])+len(g.to[text]) > 0 {
		return text
	}
	return ""
}

// around tells which nodes lead to a node or are led to from it; without a node, all.
func (g *graph) around(id string) func(string) bool {
	if id == "" {
		return func(string) bool { return true }
	}
	seen := map[string]bool{id: true}
	for _, way := range []struct {
		edges map[string][]shape.WiredEdge
		end   func(shape.WiredEdge) string
	}{{g.from, func(e shape.WiredEdge) string { return e.To }}, {g.to, func(e shape.WiredEdge) string { return e.From }}} {
		been := map[string]bool{id: true}
		for next := []string{id}; len(next) > 0; {
			at := next[0]
			next = next[1:]
			for _, e := range way.edges[at] {
				if end := way.end(e); !been[end] {
					been[end], seen[end] = true, true
					next = append(next, end)
				}
			}
		}
	}
	return func(id string) bool { return seen[id] }
}

// emitted are the types that a handler emits.
func (g *graph) emitted(id string) (types []string) {
	for _, e := range g.from[id] {
		_, typ, _ := strings.Cut(e.To, ":")
		types = append(types, typ)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// publishers are who publishes a type: a type that an expression makes stands for what has the expression.
func (g *graph) publishers(id, note string) (list []wiredEnd) {
	for _, e := range g.to[id] {
		kind, name, _ := strings.Cut(e.From, ":")
		switch {
		case kind == "computed":
			list = append(list, g.publishers(e.From, "if so")...)
		case e.How == "on_dead":
			list = append(list, wiredEnd{kind, name, "when dead"})
		default:
			list = append(list, wiredEnd{kind, name, note})
		}
	}
	return list
}

// takers are the handlers that get a type: a pattern stands for those that are wired to it.
func (g *graph) takers(id, note string) (list []wiredEnd) {
	for _, e := range g.from[id] {
		kind, name, _ := strings.Cut(e.To, ":")
		if kind == "pattern" {
			list = append(list, g.takers(e.To, name)...)
		} else {
			list = append(list, wiredEnd{kind, name, note})
		}
	}
	return list
}

// mostLines is how many lines of all files are shown: a page is not an editor.
const mostLines = 5000

// filesView are the files of the wiring, line by line.
type filesView struct {
	shape.WiringFiles
	Sources  []sourceFile
	Loose    []shape.Finding // those without a line
	Errors   int
	Warnings int
}

// sourceFile is a file with what was found in it.
type sourceFile struct {
	Path  string
	Lines []sourceLine
	More  int // lines that are not shown
}

// sourceLine is a line of YAML: what is before its key, the key, and the rest.
type sourceLine struct {
	Number             int
	Before, Key, After string
	Comment            bool
	Findings           []shape.Finding
	ID                 string
}

// Worst is the worst severity of the findings.
func (l sourceLine) Worst() string {
	worst := ""
	for _, f := range l.Findings {
		worst = cmp.Or(map[bool]string{true: "error"}[f.Severity == "error" || worst == "error"], "warning")
	}
	return worst
}

func loadWiringFiles(q *request) (any, error) {
	files, err := q.api.WiringFiles(q.Context(), q.query.Get("of") == "disk")
	if err != nil {
		return nil, err
	}
	v := filesView{WiringFiles: files}
	placed := map[string]map[int][]shape.Finding{}
	for _, f := range files.Findings {
		if f.Severity == "error" {
			v.Errors++
		} else {
			v.Warnings++
		}
		if placed[f.File] == nil {
			placed[f.File] = map[int][]shape.Finding{}
		}
		placed[f.File][f.Line] = append(placed[f.File][f.Line], f)
	}
	left := mostLines
	for n, f := range files.Files {
		source := sourceFile{Path: f.Path}
		for i, text := range strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n") {
			if left--; left < 0 {
				source.More = strings.Count(f.Text, "\n") - i
				break
			}
			line := lineOf(visible(text))
			line.Number, line.ID, line.Findings = i+1, "f"+strconv.Itoa(n)+"-"+strconv.Itoa(i+1), placed[f.Path][i+1]
			source.Lines = append(source.Lines, line)
		}
		v.Sources = append(v.Sources, source)
		delete(placed, f.Path)
	}
	for _, f := range files.Findings {
		if placed[f.File] != nil || f.Line == 0 {
			v.Loose = append(v.Loose, f)
		}
	}
	return v, nil
}

// Anchor is the id of the line of a finding; empty if that is not shown.
func (v filesView) Anchor(f shape.Finding) string {
	for n, s := range v.Sources {
		if s.Path == f.File && f.Line > 0 && f.Line <= len(s.Lines) {
			return "f" + strconv.Itoa(n) + "-" + strconv.Itoa(f.Line)
		}
	}
	return ""
}

// lineOf splits a line of YAML for the eye: its key stands out, a comment stands back.
func lineOf(text string) sourceLine {
	rest := strings.TrimLeft(text, " -")
	before := text[:len(text)-len(rest)]
	if strings.HasPrefix(rest, "#") {
		return sourceLine{After: text, Comment: true}
	}
	key, after, ok := strings.Cut(rest, ":")
	if !ok || key == "" || strings.ContainsAny(key, " {}[]\"'$") || after != "" && after[0] != ' ' {
		return sourceLine{After: text}
	}
	return sourceLine{Before: before, Key: key, After: ":" + after}
}

// whatIfView has the files that run, which can be edited.
type whatIfView struct{ Files []shape.WiringFile }

func loadWhatIf(q *request) (any, error) {
	files, err := q.api.WiringFiles(q.Context(), false)
	return whatIfView{files.Files}, err
}

func loadHook(q *request) (any, error) {
	h, err := q.api.Hook(q.Context(), q.PathValue("name"))
	q.title = h.Name
	return h, err
}
