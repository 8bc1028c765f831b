package webhook

import (
	"slices"
	"strings"

	"evrun/cmd/foreign"
)

type writer struct{ foreign.Writer[*hook] }

// write writes the file.
func write(hooks []*hook, left []foreign.Left, o Options) *writer {
	w := &writer{}
	w.Line("# Made of webhook's %s by \"evrun import webhook\". Try it with \"evrun serve FILE\".", foreign.Source(o.Source))
	w.Line("# As with webhook, a command that fails is not tried again (retry). Unlike with webhook, a hook takes POST only, its sender is answered before")
	w.Line("# the command runs, the command has PATH, HOME and the variables below of the environment (pass_env adds others), and an argument of a request")
	w.Line("# may not begin with a hyphen, unless \"--\" stands before it.")
	w.Left("This was not carried over:", left)
	w.Line("")
	w.Line("server:")
	w.Line("  listen: %s  # for other machines: see access.md", foreign.Scalar(o.Listen))
	w.Line("")
	if len(hooks) == 0 {
		w.Line("hooks: []")
		return w
	}
	w.Line("hooks:")
	w.Each(hooks, func(h *hook) {
		w.Line("  - name: %s", foreign.Scalar(h.name))
		w.Line("    verify: %s", h.writeVerify())
		if len(h.allow) > 0 {
			quoted := make([]string, len(h.allow))
			for i, a := range h.allow {
				quoted[i] = foreign.Scalar(a)
			}
			w.Line("    allow: [%s]", strings.Join(quoted, ", "))
		}
		if h.when != "true" {
			w.Line("    when: %s", foreign.Scalar(h.when))
		}
		w.Line("    type: %s", foreign.Scalar(h.typ()))
		w.data(h)
		if len(h.answer) > 0 {
			w.Line("    answer: {%s}", strings.Join(h.answer, ", "))
		}
	})
	w.Line("")
	w.Line("handlers:")
	w.Each(hooks, w.handler)
	return w
}

func (h *hook) typ() string { return "webhook." + h.name }

// data writes what the event has: the body, or the parts of the request that the command gets.
func (w *writer) data(h *hook) {
	v := ofHook(h)
	if !h.whole() {
		if h.json {
			w.Line("    data: %s", foreign.Scalar("${ "+v.body+" }"))
		}
		return
	}
	w.Line("    data:")
	w.Line("      body: %s", foreign.Scalar("${ "+v.body+" }"))
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
			w.Line("      %s: %s", part, foreign.Scalar("${ "+part+" }"))
		}
	}
	for _, part := range []string{"header", "query"} {
		names := slices.Compact(slices.Sorted(slices.Values(parts[part])))
		if len(names) == 0 {
			continue
		}
		w.Line("      %s:", part)
		for _, name := range names {
			x := v.header(name)
			if part == "query" {
				x = v.query(name)
			}
			w.Line("        %s: %s", foreign.Scalar(name), foreign.Scalar("${ "+x+" }"))
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
	w.Line("  - name: %s", foreign.Scalar(h.name))
	w.Line("    on: %s", foreign.Scalar(h.typ()))
	w.Line("    do: exec")
	w.Line("    with:")
	w.Line("      command:")
	for _, text := range h.command {
		w.Line("        - %s", foreign.Scalar(text))
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
	w.Line("      stdin: %s", foreign.Scalar(stdin))
	if h.dir != "" {
		w.Line("      dir: %s", foreign.Scalar(foreign.Escaped(h.dir)))
	}
	if len(env) > 0 {
		w.Line("      env:")
		for _, v := range env {
			w.Line("        %s: %s", v.name, foreign.Scalar(v.value))
		}
	}
	w.Line("    timeout: 24h")
	w.Line("    retry: {attempts: 1}")
}
