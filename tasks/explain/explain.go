// Package explain reports what the wired handlers would do with an event, without doing it: the pattern that matches, the value of `when` and the
// reason, the kind's inputs, and the events that would be emitted. It opens nothing, sends nothing and writes nothing. It reads env() and file(), and
// shows values made with them as [secret].
//
// It also explains what did happen: [Happened] from what the store has of an event, and [Reasons] why runs were skipped.
package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// Report is what would happen to an event.
type Report struct {
	Type     string    `json:"type"`
	Matched  bool      `json:"matched"`         // a handler is wired to the type
	Final    bool      `json:"final,omitempty"` // the type is final: it needs no handler
	Hint     string    `json:"hint,omitempty"`
	Handlers []Handler `json:"handlers"` // all of them, in the order of the file
}

// Handler is what one handler would do.
type Handler struct {
	Name    string            `json:"handler"`
	Kind    string            `json:"do"`
	On      []string          `json:"on"`
	About   string            `json:"description,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	Matches bool              `json:"matches"`           // a pattern does, and the event is not for another handler alone
	Pattern string            `json:"pattern,omitempty"` // the pattern of On that matches

	When     *When          `json:"when,omitempty"`
	Would    string         `json:"would,omitempty"` // "run", "skip" or "fail"; empty if no pattern matches
	With     map[string]any `json:"with,omitempty"`
	Errors   []string       `json:"errors,omitempty"` // why the attempt would fail
	OrderBy  *Order         `json:"order_by,omitempty"`
	Debounce *Debounce      `json:"debounce,omitempty"`
	Policy   *Policy        `json:"policy,omitempty"`
	Emits    []Emission     `json:"emits,omitempty"`
	OnDead   *Emission      `json:"on_dead,omitempty"`
}

// When is a condition and its result.
type When struct {
	Text  string            `json:"text"`
	Value bool              `json:"value"`
	Why   []expression.Part `json:"why,omitempty"`
	Error string            `json:"error,omitempty"` // why it can't be evaluated: the run would be dead
}

// Order is the key by which a run waits for others.
type Order struct {
	Text  string `json:"text"`
	Key   any    `json:"key"`
	Error string `json:"error,omitempty"`
}

// Debounce describes how the event waits for others that share its run. The rendered values are for a burst of only this event.
type Debounce struct {
	Wait    string `json:"wait"`
	MaxWait string `json:"max_wait"`
	Collect string `json:"collect"`      // "last" or "all"
	By      string `json:"by,omitempty"` // empty: all events of the handler are one burst
	Key     any    `json:"key,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Policy is a handler's retry policy, with defaults filled in.
type Policy struct {
	Attempts    int    `json:"attempts"`
	Backoff     string `json:"backoff"`
	Max         string `json:"max"`
	Timeout     string `json:"timeout,omitempty"` // empty: none
	Concurrency int    `json:"concurrency"`
	Rate        string `json:"rate,omitempty"` // empty: no limit
}

// Emission is an event that a successful run, or a dead one, would emit.
type Emission struct {
	Type    string `json:"type"`
	Subject string `json:"subject,omitempty"`
	Data    any    `json:"data,omitempty"`
	// Unknown lists the parts that depend on the handler's result or failure, which is not yet known: "type", "subject", "data".
	Unknown []string `json:"unknown,omitempty"`
	ForEach string   `json:"for_each,omitempty"` // the list of an entry that makes an event for each element
	Index   *int     `json:"index,omitempty"`    // the element's place, from 0; nil: the list is empty, or not known
	Empty   bool     `json:"empty,omitempty"`    // the list is
	Error   string   `json:"error,omitempty"`
}

// Event explains what all handlers would do about e. secrets, which may be nil, removes the values of env() and file().
//
// The runs are named as those in the store with that id. An event that is only tried has no number, so its runs are named as if that were 0, and now() is the
// event's time.
func Event(wired []*tasks.Handler, e *events.Event, storeID string, secrets *expression.Secrets) Report {
	r := Report{Type: e.Type, Handlers: []Handler{}}
	env := expression.NewEnv(e)
	for _, h := range wired {
		env = env.Again()
		explained := One(h, e, env, storeID, secrets)
		r.Matched = r.Matched || explained.Matches
		r.Handlers = append(r.Handlers, explained)
	}
	if !r.Matched {
		r.Hint = meant(wired, e.Type)
	}
	return r
}

// One is Event for one handler, in an environment of the event that no other has used: see [expression.Env.Again].
func One(h *tasks.Handler, e *events.Event, env *expression.Env, storeID string, secrets *expression.Secrets) Handler {
	x := explainer{h: h.WithDefaults(), secrets: secrets}
	x.d = &tasks.Delivery{Event: e, Env: env, Handler: h.Name, RunID: store.RunID(e.Sequence, h.Name, storeID), Attempt: 1}
	x.d.Env.In(x.d.RunID, x.d.Handler, x.d.Attempt)
	return x.handler()
}

// Among returns the report with what the declared types say.
func (r Report) Among(declared []emitter.EventType) Report {
	r.Final = slices.ContainsFunc(declared, func(t emitter.EventType) bool { return t.Type == r.Type && t.Final })
	return r
}

// Matches reports whether a handler is wired to an event, or its type is final. If neither, hint names a similar type that has a handler, or is declared.
func Matches(wired []*tasks.Handler, declared []emitter.EventType, e *events.Event) (ok bool, hint string) {
	for _, h := range wired {
		if h.Matches(e) {
			return true, ""
		}
	}
	known := make([]string, len(declared))
	for i, t := range declared {
		if t.Type != e.Type {
			known[i] = t.Type
		} else if t.Final {
			return true, ""
		}
	}
	return false, meant(wired, e.Type, known...)
}

// meant suggests a similar type that a handler is wired to and that can be published, or one of those that are known.
func meant(wired []*tasks.Handler, typ string, known ...string) string {
	for _, h := range wired {
		for _, p := range h.On {
			if literal, ok := p.Literal(); ok && !events.Reserved(literal) {
				known = append(known, literal)
			}
		}
	}
	return fault.DidYouMean(typ, known)
}

type explainer struct {
	h       *tasks.Handler
	d       *tasks.Delivery
	secrets *expression.Secrets
}

func (x *explainer) handler() Handler {
	h := x.h
	out := Handler{Name: h.Name, About: h.Description, Labels: h.Labels, Kind: h.Kind, On: events.PatternTexts(h.On)}
	if !h.Matches(x.d.Event) {
		return out
	}
	out.Matches = true
	out.Pattern = out.On[slices.IndexFunc(h.On, func(p events.Pattern) bool { return p.Match(x.d.Event.Type) })]
	out.Policy = &Policy{Attempts: h.Retry.Attempts, Backoff: h.Retry.Backoff.String(), Max: h.Retry.Max.String(), Concurrency: h.Concurrency}
	if h.Timeout > 0 {
		out.Policy.Timeout = h.Timeout.String()
	}
	if h.Rate.Count > 0 {
		out.Policy.Rate = h.Rate.String()
	}
	out.Would = "run"
	if h.Debounce != nil {
		x.d.Env.SetEvents([]*events.Event{x.d.Event})
	}
	if h.OrderBy != nil {
		out.OrderBy = x.order()
		if out.OrderBy.Error != "" {
			out.Would = "fail"
		}
	}
	if h.When != nil {
		out.When = x.when()
		switch {
		case out.When.Error != "":
			out.Would = "fail"
			return out
		case !out.When.Value:
			out.Would = "skip"
			return out
		}
	}
	if h.Debounce != nil {
		if out.Debounce = x.debounce(); out.Debounce.Error != "" {
			out.Would = "fail"
			return out
		}
	}
	x.inputs(&out)
	x.emissions(&out)
	return out
}

func (x *explainer) debounce() *Debounce {
	d := x.h.Debounce
	out := &Debounce{Wait: d.Wait.String(), MaxWait: d.MaxWait.String(), Collect: "last"}
	if d.All {
		out.Collect = "all"
	}
	if d.By == nil {
		return out
	}
	out.By = d.By.String()
	key, err := d.By.Eval(x.d.Env)
	if err != nil {
		out.Error = x.message(err)
		return out
	}
	out.Key = x.secrets.RedactValue(key)
	return out
}

func (x *explainer) order() *Order {
	key, err := x.h.OrderBy.Eval(x.d.Env)
	if err != nil {
		return &Order{Text: x.secrets.Redact(x.h.OrderBy.String()), Error: x.message(err)}
	}
	return &Order{Text: x.secrets.Redact(x.h.OrderBy.String()), Key: x.secrets.RedactValue(key)}
}

func (x *explainer) when() *When {
	w := &When{Text: x.secrets.Redact(x.h.When.String())}
	var err error
	if w.Value, err = x.h.When.Bool(x.d.Env); err != nil {
		w.Error = x.message(err)
		return w
	}
	w.Why = x.h.When.Why(x.d.Env)
	for n, part := range w.Why {
		w.Why[n].Text = x.secrets.Redact(part.Text)
		for i := range part.Reads {
			part.Reads[i].Value = x.secrets.RedactValue(part.Reads[i].Value)
		}
	}
	return w
}

// inputs renders `with`, and lets an inside kind prepare its effect, outside of any transaction.
func (x *explainer) inputs(out *Handler) {
	with, err := handlers.Show(x.h.Action, x.d.Env)
	if err == nil {
		if inside, ok := x.h.Action.(tasks.Inside); ok {
			err = prepare(inside, x.d)
		}
	}
	if err != nil {
		out.Would = "fail"
		for line := range strings.SplitSeq(x.message(err), "\n") {
			out.Errors = append(out.Errors, line)
		}
	}
	out.With, _ = x.secrets.RedactValue(with).(map[string]any)
}

func prepare(action tasks.Inside, d *tasks.Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	_, err = action.Prepare(d)
	return err
}

// emissions returns the events of a success (the kind's own, then those of the handler's emit) and the on_dead event of a dead run.
func (x *explainer) emissions(out *Handler) {
	own, err := handlers.Drafts(x.h.Action, x.d)
	types := handlers.EmittedTypes(x.h.Action)
	switch {
	case err != nil && out.Errors == nil: // a for_each can't be evaluated, or an event of it
		out.Would = "fail"
		out.Errors = []string{x.message(err)}
	case err == nil && len(own) == 0 && len(types) > 0:
		out.Emits = append(out.Emits, Emission{Type: types[0].String(), Empty: true})
	case err == nil:
		for _, e := range own {
			out.Emits = append(out.Emits, Emission{Type: e.Type, Subject: e.Subject, Data: x.data(e.Data)})
		}
	}
	for _, em := range x.h.Emit {
		if em.ForEach != nil {
			out.Emits = append(out.Emits, x.list(em)...)
		} else {
			out.Emits = append(out.Emits, x.emission(em, false))
		}
	}
	if x.h.OnDead != nil {
		em := x.emission(*x.h.OnDead, false)
		out.OnDead = &em
	}
}

// list returns the events of an entry with a for_each; one in place of all, if the list is empty, secret or not known.
func (x *explainer) list(em emission.Entry) (list []Emission) {
	if em.ForEach.UsesResult() || em.ForEach.UsesSecret() {
		e := x.emission(em, true)
		e.ForEach = em.ForEach.String()
		return []Emission{e}
	}
	err := emission.ForEach(x.d.Env, em.ForEach, 0, func(i int, item any) error {
		e := x.emission(em, false)
		if em.Data == nil {
			e.Unknown, e.Data = slices.DeleteFunc(e.Unknown, func(part string) bool { return part == "data" }), x.data(item)
		}
		e.ForEach, e.Index = em.ForEach.String(), &i
		list = append(list, e)
		return nil
	})
	switch {
	case err != nil:
		return []Emission{{Type: em.Type.String(), ForEach: em.ForEach.String(), Error: x.message(err)}}
	case list == nil:
		return []Emission{{Type: em.Type.String(), ForEach: em.ForEach.String(), Empty: true}}
	}
	return list
}

// emission explains an entry; with listed, nothing is known of the element.
func (x *explainer) emission(em emission.Entry, listed bool) Emission {
	var e Emission
	text := func(name string, t *expression.Template) string {
		if t == nil {
			return ""
		}
		if t.UsesResult() || listed && t.UsesItem() {
			e.Unknown = append(e.Unknown, name)
			return t.String()
		}
		s, err := t.Shown(x.d.Env)
		if err != nil {
			e.Error = x.message(fmt.Errorf("%s: %w", name, err))
			return t.String()
		}
		return x.secrets.Redact(s)
	}
	e.Type = text("type", em.Type)
	e.Subject = text("subject", em.Subject)
	if em.Data == nil || em.Data.UsesResult() || listed && em.Data.UsesItem() {
		e.Unknown = append(e.Unknown, "data")
		return e
	}
	v, err := em.Data.Shown(x.d.Env)
	if err != nil {
		e.Error = x.message(fmt.Errorf("data: %w", err))
		return e
	}
	e.Data = x.data(v)
	return e
}

// data returns a value in its JSON form, without secrets.
func (x *explainer) data(v any) any {
	text, err := emitter.MarshalData(v)
	if err != nil || text == nil {
		return nil
	}
	return json.RawMessage(x.secrets.Redact(string(text)))
}

func (x *explainer) message(err error) string { return x.secrets.Redact(err.Error()) }
