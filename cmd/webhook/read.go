package webhook

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"evrun/cmd/config/yaml"
	"evrun/cmd/foreign"
)

// hook is a hook of the file, as far as it can be carried over.
type hook struct {
	line    int
	id      string
	name    string
	command []string // rendered texts
	dir     string
	env     []variable
	file    *argument // that the command reads
	args    []argument
	envs    []argument
	parsed  []argument
	json    bool // the body is JSON, whatever its sender calls it

	scheme, header, query, prefix string // of verify; empty: none
	bare                          bool   // the empty prefix is meant
	secrets                       []string
	allow                         []string
	when                          string // "true": always
	answer                        []string
}

type variable struct{ name, value string }

func (h *hook) title() string { return "the hook " + strconv.Quote(h.id) }

// whole reports whether the event has more than the body.
func (h *hook) whole() bool {
	needs := func(a argument) bool { return a.needs() }
	return slices.ContainsFunc(h.args, needs) || slices.ContainsFunc(h.envs, needs) || h.file != nil && h.file.needs()
}

type reader struct {
	o     Options
	text  *yaml.Text
	hooks []*hook
	left  []foreign.Left
	names map[string]bool
	ids   map[string]bool
}

func (r *reader) leave(line int, text, reason string) {
	r.left = append(r.left, foreign.Left{Line: line, Text: text, Reason: reason})
}

func (r *reader) line(n *yaml.Node) int { return lineOf(r.text, n.Start-r.text.Base) }

// keys returns the values of a mapping by their names in lower case: webhook does not look at capitals.
func keys(n *yaml.Node) map[string]*yaml.Node {
	m := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.Mapping; i += 2 {
		if name := strings.ToLower(n.Content[i].Value); m[name] == nil {
			m[name] = n.Content[i+1]
		}
	}
	return m
}

// text returns a scalar; empty for none.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.Scalar || n.Null() {
		return ""
	}
	return n.Value
}

func isTrue(n *yaml.Node) bool { return text(n) == "true" }

// hook reads a hook; nil if it is left out.
func (r *reader) hook(n *yaml.Node) *hook {
	k := keys(n)
	h := &hook{line: r.line(n), id: text(k["id"]), when: "true"}
	refuse := func(format string, args ...any) *hook {
		r.leave(h.line, h.title(), "left out: "+fmt.Sprintf(format, args...))
		return nil
	}
	for _, key := range []string{"id", "command-working-directory", "execute-command", "response-message"} {
		if isTemplate(text(k[key])) {
			return refuse("%s: of templates, evrun knows getenv, cat and credential only", key)
		}
	}
	switch _, err := plain(h.id); {
	case n.Kind != yaml.Mapping:
		return refuse("it is not a mapping")
	case h.id == "" || text(k["execute-command"]) == "":
		return refuse("it needs id and execute-command")
	case err != nil:
		return refuse("id: %v", err)
	case r.ids[h.id]:
		return refuse("an earlier hook has this id, and gets all its requests")
	}
	r.ids[h.id] = true
	if why := methods(k["http-methods"]); why != "" {
		if !strings.HasPrefix(why, "only") {
			return refuse("http-methods: %s", why)
		}
		r.leave(r.line(k["http-methods"]), h.title()+": http-methods", why)
	}
	switch media := strings.ToLower(text(k["incoming-payload-content-type"])); {
	case strings.Contains(media, "json"):
		h.json = true
	case strings.Contains(media, "xml"):
		return refuse("incoming-payload-content-type: evrun reads no XML")
	case media != "":
		r.leave(r.line(k["incoming-payload-content-type"]), h.title()+": incoming-payload-content-type", "evrun decodes a body as its sender says, or as JSON")
	}
	h.parsed = r.arguments(k["parse-parameters-as-json"])
	if t := k["trigger-rule"]; t != nil && !t.Null() {
		if err := h.condition(r.rule(t, 0)); err != nil {
			return refuse("trigger-rule: %v", err)
		}
	}
	r.command(h, k)
	r.answer(h, k)
	r.others(h, n)
	r.naming(h)
	return h
}

// methods says what is lost of a list of methods. A hook whose methods have no POST can't be kept.
func methods(n *yaml.Node) string {
	if n == nil || len(n.Content) == 0 {
		return ""
	}
	var other []string
	post := false
	for _, m := range n.Content {
		if name := strings.ToUpper(strings.TrimSpace(text(m))); name == http.MethodPost {
			post = true
		} else {
			other = append(other, name)
		}
	}
	switch {
	case !post:
		return "evrun's hooks take POST only, and this one took " + strings.Join(other, ", ")
	case len(other) > 0:
		return "only POST is taken, and not " + strings.Join(other, ", ")
	}
	return ""
}

// arguments reads a list of references.
func (r *reader) arguments(n *yaml.Node) (list []argument) {
	if n == nil || n.Kind != yaml.Sequence {
		return nil
	}
	for _, item := range n.Content {
		list = append(list, r.argument(item))
	}
	return list
}

func (r *reader) argument(n *yaml.Node) argument {
	k := keys(n)
	return argument{line: r.line(n), source: text(k["source"]), name: text(k["name"]), envName: text(k["envname"]), base64: isTrue(k["base64decode"])}
}

// maxDepth is how deeply rules can be nested.
const maxDepth = 50

// rule reads a trigger rule.
func (r *reader) rule(n *yaml.Node, depth int) *rule {
	k := keys(n)
	made := &rule{line: r.line(n)}
	for _, kind := range []string{"and", "or", "not", "match"} { // in this order: webhook takes the first that a rule has
		of := k[kind]
		if of == nil || of.Null() || depth > maxDepth {
			continue
		}
		made.kind = kind
		switch kind {
		case "and", "or":
			for _, item := range of.Content {
				if of.Kind == yaml.Sequence {
					made.rules = append(made.rules, r.rule(item, depth+1))
				}
			}
		case "not":
			made.rules = []*rule{r.rule(of, depth+1)}
		case "match":
			m := keys(of)
			made.match = match{kind: text(m["type"]), value: text(m["value"]), regex: text(m["regex"]), secret: text(m["secret"]), ranges: text(m["ip-range"])}
			if p := m["parameter"]; p != nil {
				made.match.parameter = r.argument(p)
			}
		}
		break
	}
	return made
}

var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9_]`) })

// command reads the command, its arguments, variables and file.
func (r *reader) command(h *hook, k map[string]*yaml.Node) {
	program := text(k["execute-command"])
	h.dir = text(k["command-working-directory"])
	if h.dir != "" && !filepath.IsAbs(program) {
		program = filepath.Join(h.dir, program)
	}
	h.args, h.envs = r.arguments(k["pass-arguments-to-command"]), r.arguments(k["pass-environment-to-command"])
	files := r.arguments(k["pass-file-to-command"])
	if len(files) > 0 {
		h.file = &files[0]
		for _, f := range files[1:] {
			r.leave(f.line, h.title()+": pass-file-to-command", "one file is passed; a command reads more from its standard input or its variables")
		}
	}
	v := ofHandler(h)
	h.command = []string{wired(program)}
	for i := range h.args {
		value, err := v.text(&h.args[i])
		if err != nil {
			r.leave(h.args[i].line, h.title()+": pass-arguments-to-command", err.Error()+"; the argument is empty")
		}
		h.command = append(h.command, value)
	}
	for i := range h.envs {
		a := &h.envs[i]
		value, err := v.text(a)
		if err != nil {
			r.leave(a.line, h.title()+": pass-environment-to-command", err.Error())
			continue
		}
		v := variable{r.variable(h, a, a.envName, "HOOK_"+a.name), value}
		h.env = append(slices.DeleteFunc(h.env, func(before variable) bool { return before.name == v.name }), v) // the last one counts
	}
	if h.file != nil {
		r.passFile(h, v)
	}
}

// variable returns the name of a variable of the environment.
func (r *reader) variable(h *hook, a *argument, given, otherwise string) string {
	name := given
	if name == "" {
		name = otherwise
	}
	if fit := variableName().ReplaceAllString(name, "_"); fit != name {
		r.leave(a.line, h.title()+": "+name, "the variable is "+fit+": its name can have letters, digits and _")
		name = fit
	}
	return name
}

// passFile has a shell write a file with the value, and remove it when the command has ended.
func (r *reader) passFile(h *hook, v *values) {
	value, err := v.text(h.file)
	if err != nil {
		r.leave(h.file.line, h.title()+": pass-file-to-command", err.Error())
		h.file = nil
		return
	}
	name := r.variable(h, h.file, h.file.envName, "HOOK_"+strings.ToUpper(h.file.name))
	reads := "cat"
	if h.file.base64 {
		reads = "base64 -d"
	}
	script := fmt.Sprintf(`f=$(mktemp) || exit 1; trap 'rm -f "$f"' EXIT; %s >"$f" || exit 1; %s=$f "$@" </dev/null`, reads, name)
	h.command = append([]string{"/bin/sh", "-c", script, "sh"}, h.command...)
	h.env = append(h.env, variable{"", value}) // on standard input
}

// answer reads what the sender gets.
func (r *reader) answer(h *hook, k map[string]*yaml.Node) {
	left := func(key, format string, args ...any) {
		r.leave(r.line(k[key]), h.title()+": "+key, fmt.Sprintf(format, args...))
	}
	if code := text(k["success-http-response-code"]); code != "" && code != "0" {
		if n, err := strconv.Atoi(code); err != nil || n < 200 || n > 299 {
			left("success-http-response-code", "evrun answers a request that it accepts with 200 to 299")
		} else {
			h.answer = append(h.answer, fmt.Sprintf("status: %d", n))
		}
	}
	if message := text(k["response-message"]); message != "" {
		if _, err := plain(message); err != nil {
			left("response-message", "an answer has no secret of the environment or of a file")
		} else {
			h.answer = append(h.answer, "body: "+foreign.Scalar(foreign.Escaped(message)))
		}
	}
	if headers := k["response-headers"]; headers != nil {
		for _, n := range headers.Content {
			hk := keys(n)
			name, value := text(hk["name"]), text(hk["value"])
			if strings.EqualFold(name, "content-type") && len(h.answer) > 0 && !strings.Contains(value, "html") && !strings.Contains(value, "script") && !strings.Contains(value, "xml") {
				h.answer = append(h.answer, "type: "+foreign.Scalar(value))
				continue
			}
			r.leave(r.line(n), h.title()+": response-headers: "+name, "evrun sets the headers of its answers")
		}
	}
	if isTrue(k["include-command-output-in-response"]) {
		left("include-command-output-in-response", "evrun answers before the command runs; evrun runs logs shows its output")
	}
	if code := text(k["trigger-rule-mismatch-http-response-code"]); code != "" && code != "0" {
		left("trigger-rule-mismatch-http-response-code", "evrun answers 401 to a wrong signature, and 204, or its answer, where the rest of the rule does not hold")
	}
}

// known are the keys of a hook.
var known = []string{
	"id", "execute-command", "command-working-directory", "response-message", "response-headers", "include-command-output-in-response",
	"include-command-output-in-response-on-error", "pass-environment-to-command", "pass-arguments-to-command", "pass-file-to-command",
	"parse-parameters-as-json", "trigger-rule", "trigger-rule-mismatch-http-response-code", "trigger-signature-soft-failures",
	"incoming-payload-content-type", "success-http-response-code", "http-methods",
}

// others reports the keys that webhook does not know either.
func (r *reader) others(h *hook, n *yaml.Node) {
	for i := 0; i < len(n.Content); i += 2 {
		if name := n.Content[i].Value; !slices.Contains(known, strings.ToLower(name)) {
			r.leave(r.line(n.Content[i]), h.title()+": "+name, "webhook has no such key")
		}
	}
}

var notInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9._-]+`) })

// naming gives the hook a name that evrun can have, and that no other has.
func (r *reader) naming(h *hook) {
	name := strings.Trim(notInName().ReplaceAllString(h.id, "-"), "._-")
	for strings.Contains(name, "..") {
		name = strings.ReplaceAll(name, "..", ".")
	}
	name = strings.TrimRight(name[:min(len(name), 60)], "._-")
	if name == "" {
		name = "hook"
	}
	unique := name
	for i := 2; r.names[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	r.names[unique] = true
	if h.name = unique; unique != h.id {
		r.leave(h.line, h.title(), "its path is /hooks/"+unique+": tell the sender")
	}
}
