package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
)

const (
	maxAttempts    = 1_000_000
	maxConcurrency = 10_000
)

// handler reads one handler; nil after a fault.
func (r *wiringReader) handler(n *yaml.Node) *tasks.Handler {
	before := len(r.faults)
	h := &tasks.Handler{}
	r.entry, r.data = n, r.dataOf(n)
	debounce, _ := lookup(n, "debounce")
	r.bursts = debounce != nil
	defer func() { r.entry, r.data, r.bursts = nil, nil, false }()
	var do, with *yaml.Node
	whole := r.mapping(n, "a handler", []key{
		{name: "name", required: "its runs are named after it", read: func(n *yaml.Node) { h.Name = r.name(n, "handler") }},
		{name: "on", required: "the types of event that it runs on: a type, a pattern such as user.*, or a list", read: func(n *yaml.Node) { h.On = r.patterns(n) }},
		{name: "when", read: func(n *yaml.Node) { h.When = r.condition(n, "when") }},
		{name: "do", required: needsKind(), read: func(n *yaml.Node) {
			do = n
			h.Kind = r.kind(n)
		}},
		{name: "with", read: func(n *yaml.Node) { with = n }, nullable: true},
		{name: "retry", read: func(n *yaml.Node) { h.Retry = r.retry(n) }},
		{name: "timeout", read: func(n *yaml.Node) { h.Timeout = r.duration(n, "timeout") }},
		{name: "concurrency", read: func(n *yaml.Node) { h.Concurrency = int(r.integer(n, "concurrency", maxConcurrency)) }},
		{name: "order_by", read: func(n *yaml.Node) { h.OrderBy = r.condition(n, "order_by") }},
		{name: "rate", read: func(n *yaml.Node) { h.Rate = r.rate(n) }},
		{name: "debounce", read: func(n *yaml.Node) { h.Debounce = r.debounce(n) }},
		{name: "emit", read: func(n *yaml.Node) { h.Emit = r.emissions(n) }},
		{name: "on_dead", read: func(n *yaml.Node) { h.OnDead = r.onDead(n) }},
		{name: "from", read: func(n *yaml.Node) {
			from := r.choice(n, "from", "start", "head", "mark")
			h.FromStart, h.FromMark = from == "start", from == "mark"
		}},
		{name: "was", read: func(n *yaml.Node) { h.Was = r.was(n) }},
	})
	if order, _ := lookup(n, "order_by"); order != nil && debounce != nil {
		r.at(order, `"order_by" and "debounce" don't go together`, "debounce has a key of its own: {wait: 2s, by: …}; with concurrency: 1 its runs come one after the other")
	}
	if h.Kind != "" && (with != nil || whole) {
		h.Action = r.action(h.Kind, n, do, with)
	}
	r.checkTimeout(n, h)
	if len(r.faults) > before {
		return nil
	}
	return h
}

// unstopped is how long an attempt within evrun's own transaction may take, whatever its handler's timeout.
const unstopped = 50 * time.Millisecond

// checkTimeout refuses a timeout that would not be kept. What runs within evrun's own transaction has bounds of its own, and
// is not stopped before.
func (r *wiringReader) checkTimeout(n *yaml.Node, h *tasks.Handler) {
	_, timeout := lookup(n, "timeout")
	switch h.Action.(type) {
	case nil, tasks.Outside, tasks.Reading:
		return
	}
	if h.Timeout <= 0 {
		return
	}
	if stating, ok := h.Action.(tasks.Stating); ok {
		if _, hold := stating.UserStatement(); hold > h.Timeout {
			r.at(timeout, fmt.Sprintf("the timeout is shorter than hold, by which an attempt may take %v", hold), "leave timeout out, or make it longer")
			return
		}
	}
	if h.Timeout < unstopped {
		r.at(timeout, fmt.Sprintf("an attempt of %s is not stopped before %v", h.Kind, unstopped), "leave timeout out: what runs in evrun's own transaction is bounded by itself")
	}
}

// was reads a handler's former name; checkWas checks it once all names are known.
func (r *wiringReader) was(n *yaml.Node) string {
	s, ok := r.literal(n, "was")
	if ok && s == "" {
		r.at(n, "the former name is empty", "")
	}
	return s
}

// checkWas finds former names that nothing can be taken over from: of handlers that are in the file, and those that another
// handler had already.
func (r *wiringReader) checkWas(handlers []*tasks.Handler) {
	heirs := map[string]string{}
	for _, h := range handlers {
		if h.Was == "" {
			continue
		}
		_, n := lookup(r.places[h], "was")
		switch heir, taken := heirs[h.Was]; {
		case h.Was == h.Name:
			r.at(n, fmt.Sprintf("%q is the handler's own name, not a former one", clip(h.Was)), "")
		case r.names["handler "+h.Was] != nil:
			r.at(n, fmt.Sprintf("handler %q is in the file, so that %q can't go on where it stopped", clip(h.Was), h.Name),
				fmt.Sprintf("it is on line %d; two handlers swap their names in two steps, with a third name in between", r.line(r.names["handler "+h.Was])))
		case taken:
			r.at(n, fmt.Sprintf("handler %q goes on where %q stopped already", heir, clip(h.Was)), "only one handler can take over from another")
		}
		heirs[h.Was] = h.Name
	}
}

func kinds() []string {
	var names []string
	for _, k := range handlers.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// needsKind says what a handler without a kind needs. It is asked for each handler of a file.
var needsKind = sync.OnceValue(func() string { return "what it does: " + enumerate(kinds(), "or") })

// kind reads the kind of a handler.
func (r *wiringReader) kind(n *yaml.Node) string {
	s, ok := r.text(n, "do")
	if !ok {
		return ""
	}
	if _, ok := handlers.Lookup(s); ok {
		return s
	}
	hint := "there are " + enumerate(kinds(), "and")
	if k := closest(s, kinds()); k != "" {
		hint = didYouMean(k)
	}
	r.at(n, fmt.Sprintf("unknown kind %q", clip(s)), hint)
	return ""
}

// patterns reads what a handler runs on.
func (r *wiringReader) patterns(on *yaml.Node) []events.Pattern {
	var list []events.Pattern
	seen := map[events.Pattern]bool{}
	r.oneOrMore(on, "on", func(n *yaml.Node) {
		s, ok := r.text(n, "on")
		if !ok {
			return
		}
		p, err := tasks.ParsePattern(s)
		if err != nil {
			r.pattern(n, "the pattern", notTwice(err, on))
			return
		}
		if seen[p] {
			r.at(n, fmt.Sprintf("%q is in the list twice", clip(s)), "")
		}
		seen[p] = true
		list = append(list, p)
	})
	return list
}

// notTwice is the error of a pattern, with a hint that asks for no other pattern of its list.
func notTwice(err error, list *yaml.Node) error {
	var e *events.PatternError
	if !errors.As(err, &e) {
		return err
	}
	for _, t := range events.OwnTypes() {
		if e.Hint == didYouMean(t.Type) && slices.ContainsFunc(list.Content, func(item *yaml.Node) bool { return item.Value == t.Type }) {
			e.Hint = fmt.Sprintf("leave it out: %q is in the list", t.Type)
		}
	}
	return err
}

func (r *wiringReader) retry(n *yaml.Node) tasks.Retry {
	var retry tasks.Retry
	if n.Kind == yaml.Scalar && !n.Broken {
		r.at(n, `"retry" must be a mapping of keys, not `+describe(n), "write retry: {attempts: 5, backoff: 1s, max: 1m}")
		return retry
	}
	var most *yaml.Node
	r.mapping(n, `"retry"`, []key{
		{name: "attempts", read: func(n *yaml.Node) { retry.Attempts = int(r.integer(n, "attempts", maxAttempts)) }},
		{name: "backoff", read: func(n *yaml.Node) { retry.Backoff = r.duration(n, "backoff") }},
		{name: "max", read: func(n *yaml.Node) { retry.Max, most = r.duration(n, "max"), n }},
	})
	if retry.Max > 0 && retry.Max < retry.Backoff {
		r.at(most, fmt.Sprintf("the longest wait (%s) is shorter than the first (%s)", retry.Max, retry.Backoff), "")
	}
	return retry
}

// emissions reads what a handler emits when it succeeds: a type, a mapping, or a list of these.
func (r *wiringReader) emissions(n *yaml.Node) []tasks.Emission {
	var list []tasks.Emission
	r.oneOrMore(n, "emit", func(n *yaml.Node) { list = append(list, r.emission(n, "emit", expression.HandlerEmit)) })
	return list
}

// emission reads an event that a handler emits: its type, or a mapping.
func (r *wiringReader) emission(n *yaml.Node, what string, scope expression.Scope) (e tasks.Emission) {
	typ := func(n *yaml.Node) {
		if e.Type = r.template(n, "type", scope); e.Type == nil {
			return
		}
		if text, ok := e.Type.Constant(); ok {
			r.checkType(n, text)
		}
	}
	if n.Kind == yaml.Scalar {
		typ(n)
		return e
	}
	r.mapping(n, strconv.Quote(what), []key{
		{name: "type", required: "the type of the event to emit", read: typ},
		{name: "subject", read: func(n *yaml.Node) { e.Subject = r.template(n, "subject", scope) }},
		{name: "data", read: func(n *yaml.Node) { e.Data = r.tree(n, scope) }, nullable: true},
	})
	if e.Type != nil && e.Data != nil {
		typ, _ := e.Type.Constant()
		r.checkData(n, typ, e.Data)
	}
	return e
}

// action makes what the handler at n does, of its inputs.
func (r *wiringReader) action(kind string, n, do, with *yaml.Node) tasks.Action {
	inputs := map[string]any{}
	switch {
	case with == nil || with.Null():
		with = nil
	case broken(with):
		return nil
	case with.Kind != yaml.Mapping:
		r.at(with, `"with" must be a mapping of inputs, not `+describe(with), "write with: {name: value}")
		return nil
	default:
		before := len(r.faults)
		inputs = r.value(with).(map[string]any)
		if len(r.faults) > before {
			return nil
		}
	}
	action, faults := handlers.Build(kind, inputs, handlers.Deps{
		BaseDir: r.dir, Secrets: r.secrets, Data: r.data, Events: r.bursts, Note: func(text string) { r.notes = append(r.notes, text) },
	})
	for _, e := range faults {
		if with == nil {
			r.at(do, e.Message, e.Hint)
			continue
		}
		at, name, whole := follow(with, e.Path)
		switch {
		case at == with: // an input is missing, or they don't go together
			k, _ := lookup(n, "with")
			r.at(k, e.Message, e.Hint)
		case whole && e.Key && name != nil:
			r.at(name, e.Message, e.Hint)
		case at.Kind == yaml.Scalar && e.Offset > 0:
			r.inside(at, e.Offset, e.Message, e.Hint)
		default:
			r.at(at, e.Message, e.Hint)
		}
	}
	if len(handlers.EmittedTypes(action)) > 0 && with != nil {
		r.emittedTypes(with)
	}
	return action
}
