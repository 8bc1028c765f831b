package webhook

import (
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/foreign"
)

// place is where a part of a hook stands in the wiring file: lines from 1, without to.
type place struct {
	hook     *hook
	from, to int
}

type writer struct {
	strings.Builder
	lines  int
	places []place
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
	w.lines++
}

func (w *writer) each(hooks []*hook, part func(*hook)) {
	for _, h := range hooks {
		from := w.lines + 1
		part(h)
		w.places = append(w.places, place{h, from, w.lines + 1})
	}
}

// write writes the file.
func write(hooks []*hook, left []foreign.Left, o Options) ([]byte, []place) {
	w := &writer{}
	source := "standard input"
	if o.Source != "" {
		source = o.Source
	}
	w.line("# Made of webhook's %s by \"evrun import webhook\". Try it with \"evrun serve FILE\".", foreign.Comment(source))
	w.line("# As with webhook, a command that fails is not tried again (retry). Unlike with webhook, a hook takes POST only, its sender is answered before")
	w.line("# the command runs, the command has PATH, HOME and the variables below of the environment (pass_env adds others), and an argument of a request")
	w.line("# may not begin with a hyphen, unless \"--\" stands before it.")
	for i, l := range left {
		if i == 0 {
			w.line("#")
			w.line("# This was not carried over:")
		}
		w.line("#   %d: %s", l.Line, foreign.Comment(l.Text))
		w.line("#      %s", foreign.Comment(l.Reason))
	}
	w.line("")
	w.line("server:")
	w.line("  listen: %s  # for other machines: see access.md", foreign.Scalar(o.Listen))
	w.line("")
	if len(hooks) == 0 {
		w.line("hooks: []")
		return []byte(w.String()), w.places
	}
	w.line("hooks:")
	w.each(hooks, func(h *hook) {
		w.line("  - name: %s", foreign.Scalar(h.name))
		w.line("    verify: %s", h.writeVerify())
		if len(h.allow) > 0 {
			quoted := make([]string, len(h.allow))
			for i, a := range h.allow {
				quoted[i] = foreign.Scalar(a)
			}
			w.line("    allow: [%s]", strings.Join(quoted, ", "))
		}
		if h.when != "true" {
			w.line("    when: %s", foreign.Scalar(h.when))
		}
		w.line("    type: %s", foreign.Scalar(h.typ()))
		w.data(h)
		if len(h.answer) > 0 {
			w.line("    answer: {%s}", strings.Join(h.answer, ", "))
		}
	})
	w.line("")
	w.line("handlers:")
	w.each(hooks, w.handler)
	return []byte(w.String()), w.places
}

func (h *hook) typ() string { return "webhook." + h.name }

// data writes what the event has: the body, or the parts of the request that the command gets.
func (w *writer) data(h *hook) {
	v := ofHook(h)
	if !h.whole() {
		if h.json {
			w.line("    data: %s", foreign.Scalar("${ "+v.body+" }"))
		}
		return
	}
	w.line("    data:")
	w.line("      body: %s", foreign.Scalar("${ "+v.body+" }"))
	parts := map[string][]string{}
	all := slices.Concat(h.args, h.envs)
	if h.file != nil {
		all = append(all, *h.file)
	}
	for _, a := range all {
		switch {
		case a.source == "header":
			parts["header"] = append(parts["header"], h.base(&a))
		case a.source == "url", a.source == "query":
			parts["query"] = append(parts["query"], h.base(&a))
		case a.source == "request" && strings.EqualFold(a.name, "method"):
			parts["method"] = []string{""}
		case a.source == "raw-request-body":
			parts["raw"] = []string{""}
		}
	}
	for _, part := range []string{"method", "raw"} {
		if parts[part] != nil {
			w.line("      %s: %s", part, foreign.Scalar("${ "+part+" }"))
		}
	}
	for _, part := range []string{"header", "query"} {
		names := slices.Compact(slices.Sorted(slices.Values(parts[part])))
		if len(names) == 0 {
			continue
		}
		w.line("      %s:", part)
		for _, name := range names {
			x := v.header(name)
			if part == "query" {
				x = v.query(name)
			}
			w.line("        %s: %s", foreign.Scalar(name), foreign.Scalar("${ "+x+" }"))
		}
	}
}

// base returns the name of the header or parameter that a value is in.
func (h *hook) base(a *argument) string {
	for _, p := range h.parsed {
		if strings.HasPrefix(a.name, p.name+".") && sameSource(p.source, a.source) {
			return p.name
		}
	}
	return a.name
}

func (w *writer) handler(h *hook) {
	w.line("  - name: %s", foreign.Scalar(h.name))
	w.line("    on: %s", foreign.Scalar(h.typ()))
	w.line("    do: exec")
	w.line("    with:")
	w.line("      command:")
	for _, text := range h.command {
		w.line("        - %s", foreign.Scalar(text))
	}
	stdin := ""
	var env []variable
	for _, v := range h.env {
		if v.name == "" {
			stdin = v.value
			continue
		}
		env = append(env, v)
	}
	w.line("      stdin: %s", foreign.Scalar(stdin))
	if h.dir != "" {
		w.line("      dir: %s", foreign.Scalar(foreign.Escaped(h.dir)))
	}
	if len(env) > 0 {
		w.line("      env:")
		for _, v := range env {
			w.line("        %s: %s", v.name, foreign.Scalar(v.value))
		}
	}
	w.line("    timeout: 24h")
	w.line("    retry: {attempts: 1}")
}
