package config

import (
	"fmt"
	"slices"
	"time"

	"evrun/cmd/config/jsonschema"
	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// handlerKeys are the keys of a handler.
type handlerKeys struct {
	_    struct{}  `owner:"a handler"`
	Name name      `key:"name,required" other:"id" doc:"Its runs are named after it."`
	On   []pattern `key:"on,required" min:"1" other:"trigger,triggers,event,topic" doc:"The types of event that it runs on: a type, a pattern (user.* is one token, order.> the rest), or a list."`
	Do   kind      `key:"do,required" other:"action,run,kind,uses" doc:"What it does. The main input of a kind can stand behind it: exec ./backup.sh is exec with: {command: ./backup.sh}."`
	workKeys
	aboutKeys
	OrderBy  condition     `key:"order_by" scope:"key" other:"key" doc:"An expression: events with one value of it run one after the other."`
	Debounce *debounceKeys `key:"debounce" doc:"One run for a burst of events: the burst is over when no event has come for so long."`
	From     string        `key:"from" enum:"start,head,mark" doc:"Where a new handler begins: with the next event (head, the default), or at the journal's start. mark: with the next event, and when the handler returns to the file, always where it stopped."`
	Enabled  bool          `key:"enabled" default:"true" other:"active,disabled,paused" doc:"false: nothing of it begins, and its events and retries wait, until it is true or the key is gone."`
	Was      *name         `key:"was" doc:"The name that it had before: it continues where that handler stopped, with its pending runs."`

	ForEach  misplaced `key:"for_each,hidden" refused:"\"for_each\" belongs in emit" hint:"write emit: {type: …, for_each: data.items}"`
	Final    misplaced `key:"final,hidden" refused:"\"final\" belongs to a type under events" hint:"write events: {NAME: {final: true}} at the top of the file"`
	Schedule misplaced `key:"schedule,hidden" refused:"a handler has no \"schedule\"" hint:"a time goes under schedules: - {name: …, cron: …, do: …} is a schedule that needs no handler"`
	Cron     misplaced `key:"cron,hidden" refused:"a handler has no \"cron\"" hint:"a time goes under schedules: - {name: …, cron: …, do: …} is a schedule that needs no handler"`
	Every    misplaced `key:"every,hidden" refused:"a handler has no \"every\"" hint:"a time goes under schedules: - {name: …, every: …, do: …} is a schedule that needs no handler"`
	Daily    misplaced `key:"daily,hidden" refused:"a handler has no \"daily\"" hint:"a time goes under schedules: - {name: …, daily: …, do: …} is a schedule that needs no handler"`
}

// workKeys say how a handler, or a schedule with do, does what it does.
type workKeys struct {
	When        condition        `key:"when" scope:"when" other:"if,condition,filter,where" doc:"An expression: false skips the run. It sees event and data."`
	With        map[string]any   `key:"with,null" hint:"write the names of its inputs and their values: evrun explain --kind lists them" other:"input,inputs,args,params,options" doc:"The inputs of what it does."`
	Retry       retryKeys        `key:"retry" hint:"write retry: {attempts: 5, backoff: 1s, max: 1m}" number:"write retry: {attempts: %d}" other:"retries" doc:"How failed attempts are repeated."`
	Timeout     time.Duration    `key:"timeout" doc:"Of one attempt."`
	Concurrency int              `key:"concurrency" min:"1" max:"10000" other:"parallel,workers" doc:"Attempts at a time. 1: one by one, in order."`
	Nodes       []settings.Label `key:"nodes" min:"1" other:"node,runs_on,hosts" doc:"Which of the daemons that share a PostgreSQL store run it: those with one of these as their name or a label. Without such a daemon its events wait. Default all."`
	Rate        rate             `key:"rate" doc:"So many attempts begin in each second, minute, hour or day, evenly spread: 10/s, 100/m. Others wait."`
	Output      *outputKeys      `key:"output" other:"logs,capture" doc:"What is kept of what its attempts print (exec) or are answered (http): {keep: 16KiB}, or {keep: none}."`
	Emit        []*emitKeys      `key:"emit,one" min:"1" scope:"emit" other:"emits,publish" doc:"What it emits on success: a type, or type, subject, data and for_each, or a list of these."`
	OnDead      *emissionKeys    `key:"on_dead" scope:"on_dead" other:"on_failure,on_error,on_fail,onfail,on_failed,onfailure,onerror,failure" doc:"What it emits when a run is dead, beside evrun.run.dead: a type, or type, subject and data."`
}

type retryKeys struct {
	Attempts int           `key:"attempts" min:"1" max:"1000000" other:"max_attempts" doc:"In all. Default 5."`
	Backoff  time.Duration `key:"backoff" other:"delay" doc:"The wait before the second attempt; doubled each time. A random part, at most half of it, is left out, so that runs that failed together are not tried again together. Default 1s."`
	Max      time.Duration `key:"max" other:"max_backoff" doc:"The longest wait, before the random part is left out. Default 1m."`
}

type debounceKeys struct {
	Wait    time.Duration `key:"wait,required,short" doc:"The burst is over when no event has come for so long: 2s."`
	By      condition     `key:"by" scope:"key" doc:"An expression: each value of it has a burst of its own. Without it, all events of the handler are one burst."`
	Collect string        `key:"collect" enum:"last,all" doc:"What events has: the last event of the burst (the default), or all of them, 1000 at most."`
	MaxWait time.Duration `key:"max_wait" doc:"A burst is over after so long, however many events come. Default 10 times wait."`
}

type emissionKeys struct {
	Type    computedType         `key:"type,required,short" doc:"The type of the event to emit."`
	Subject *expression.Template `key:"subject" doc:"What the event is about."`
	Data    *expression.Value    `key:"data" other:"payload" doc:"The data of the event. Without it, it is the handler's result, and in on_dead what went wrong. ${ … } sees event, data and result, in on_dead error, attempts, handler and run_id."`
}

// emitKeys are the keys of an entry of a handler's emit.
type emitKeys struct {
	emissionKeys
	ForEach *expression.List `key:"for_each" other:"foreach,each,loop,items" doc:"An expression for a list, such as data.items or result.rows: one event for each element, at most 1000 in a run. Their data is the element, unless it is given; type, subject and data have the element as item, and its place from 0 as index."`
}

// ScopeFor implements [fields.Scoped].
func (*emitKeys) ScopeFor(scope string, given map[string]any) string {
	return emission.ScopeFor(scope, given)
}

// ExtendSchema adds the kinds, the inputs of each kind, and the rule that debounce replaces order_by.
func (*handlerKeys) ExtendSchema(s map[string]any) {
	s["allOf"] = jsonschema.Kinds()
	s["not"] = map[string]any{"required": []any{"debounce", "order_by"}}
}

func (k *retryKeys) CheckFields(_ map[string]any, at *fields.At) {
	if k.Max > 0 && k.Max < k.Backoff {
		at.Add(fault.At([]any{"max"}, "the longest wait (%s) is shorter than the first (%s)", k.Max, k.Backoff))
	}
}

func (k *debounceKeys) CheckFields(_ map[string]any, at *fields.At) {
	if k.MaxWait > 0 && k.MaxWait < k.Wait {
		at.Add(fault.At([]any{"max_wait"}, "\"max_wait\" (%s) is shorter than \"wait\" (%s)", k.MaxWait, k.Wait))
	}
}

// handler reads one handler; nil after a fault.
func (r *wiringReader) handler(n *yaml.Node) *tasks.Handler {
	before := len(r.faults)
	debounce, _ := n.Lookup("debounce")
	r.entry, r.data, r.bursts = n, r.dataOf(n), debounce != nil
	defer func() { r.entry, r.data, r.bursts = nil, nil, false }()
	k := handlerKeys{Enabled: true}
	faults := r.decode(n, &k, r)
	r.unique(n, "handler", string(k.Name))
	h := k.handler()
	r.notTwice(n, h.On)
	if order, _ := n.Lookup("order_by"); order != nil && debounce != nil {
		r.at(order, `"order_by" and "debounce" don't go together`, "debounce has a key of its own: {wait: 2s, by: …}; with concurrency: 1 its runs come one after the other")
	}
	r.work(n, &k.workKeys, h, faults)
	if len(r.faults) > before || broken(n) {
		return nil
	}
	return h
}

// work checks what the handler or the schedule at n does, and completes h by it.
func (r *wiringReader) work(n *yaml.Node, k *workKeys, h *tasks.Handler, faults []*fault.Fault) {
	r.applyDefaults(n, k, h)
	r.checkEmissions(n, k)
	if nodes, _ := n.Lookup("nodes"); nodes != nil && !r.shared {
		placed{r.document, &r.doubts}.Doubt(nodes, "nodes has no effect with this store", "leave it out: a SQLite file has one daemon, which runs every handler")
	}
	if _, with := n.Lookup("with"); h.Kind != "" && (with != nil || onlyKnown(n, faults)) {
		h.Action = r.action(h.Kind, k.With, n)
	}
	r.applyTimeout(n, h)
	r.checkTimeout(n, h)
	r.checkOutput(n, h)
}

func (k *handlerKeys) handler() *tasks.Handler {
	h := k.workKeys.handler(k.Name, k.Do)
	h.Description, h.Labels = string(k.Description), k.Labels
	h.OrderBy, h.FromStart, h.FromMark, h.Disabled = k.OrderBy.Expr, k.From == "start", k.From == "mark", !k.Enabled
	for _, p := range k.On {
		h.On = append(h.On, p.Pattern)
	}
	if d := k.Debounce; d != nil {
		h.Debounce = &tasks.Debounce{Wait: d.Wait, By: d.By.Expr, All: d.Collect == "all", MaxWait: d.MaxWait}
	}
	if k.Was != nil {
		h.Was = string(*k.Was)
	}
	return h
}

func (k *workKeys) handler(name name, do kind) *tasks.Handler {
	h := &tasks.Handler{Name: string(name), When: k.When.Expr, Kind: string(do), Timeout: k.Timeout, Concurrency: k.Concurrency, Rate: k.Rate.Rate}
	for _, e := range k.Emit {
		if e != nil {
			entry := e.emission()
			entry.ForEach = e.ForEach
			h.Emit = append(h.Emit, entry)
		}
	}
	if k.OnDead != nil {
		e := k.OnDead.emission()
		h.OnDead = &e
	}
	for _, n := range k.Nodes {
		h.Nodes = append(h.Nodes, string(n))
	}
	return h
}

func (k *emissionKeys) emission() emission.Entry {
	return emission.Entry{Type: k.Type.Template, Subject: k.Subject, Data: k.Data}
}

// notTwice refuses a pattern that is in the list twice.
func (r *wiringReader) notTwice(n *yaml.Node, on []events.Pattern) {
	seen := make(map[events.Pattern]bool, len(on))
	for i, p := range on {
		if seen[p] && p != (events.Pattern{}) {
			r.report(n, fault.At([]any{"on", i}, "%s is in the list twice", fault.Quote(p.String())))
		}
		seen[p] = true
	}
}

// checkEmissions checks constant data of types that have a schema.
func (r *wiringReader) checkEmissions(n *yaml.Node, k *workKeys) {
	check := func(e *emissionKeys, path ...any) {
		if e != nil && e.Data != nil && e.Type.Template != nil { // else a fault has been reported
			at, _, _ := n.Follow(path)
			typ, _ := e.Type.Constant()
			r.checkData(at, typ, e.Data)
		}
	}
	for i, e := range k.Emit {
		if e != nil {
			check(&e.emissionKeys, "emit", i)
		}
	}
	check(k.OnDead, "on_dead")
}

// unstopped is how long an attempt within evrun's own transaction may take, regardless of its handler's timeout.
const unstopped = 50 * time.Millisecond

// checkTimeout refuses a timeout that could not be enforced: an attempt within evrun's own transaction has its own bound, and neither it nor a line of
// the log is stopped earlier.
func (r *wiringReader) checkTimeout(n *yaml.Node, h *tasks.Handler) {
	_, timeout := n.Lookup("timeout")
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
		why := "evrun's own transaction has a bound of its own"
		if _, logs := h.Action.(tasks.Logging); logs {
			why = "an attempt waits for nothing but the daemon's log"
		}
		r.at(timeout, fmt.Sprintf("an attempt of %s is not stopped before %v", h.Kind, unstopped), "leave timeout out: "+why)
	}
}

// checkWas finds former names that nothing can be taken over from: names in the file, and names that another handler (or schedule) already takes over.
func (r *wiringReader) checkWas(what string, heirs []heir) {
	taken := map[string]string{}
	for _, h := range heirs {
		if h.was == "" || what == "handler" && h.was == h.name && isJob(h.node) { // its schedule has the fault
			continue
		}
		_, n := h.node.Lookup("was")
		switch first, again := taken[h.was]; {
		case h.was == h.name:
			r.at(n, fmt.Sprintf("%q is the %s's own name, not a former one", h.was, what), "")
		case r.names[what+" "+h.was] != nil:
			r.at(n, fmt.Sprintf("%s %q is in the file, so that %q can't go on where it stopped", what, h.was, h.name),
				fmt.Sprintf("it is %s; two %ss swap their names in two steps, with a third name in between", r.lineFrom(n, r.names[what+" "+h.was]), what))
		case again:
			r.at(n, fmt.Sprintf("%s %q goes on where %q stopped already", what, first, h.was), fmt.Sprintf("only one %s can take over from another", what))
		}
		taken[h.was] = h.name
	}
}

// heir is a handler or a schedule that may have had another name.
type heir struct {
	name, was string
	node      *yaml.Node
}

// leftOut explains a fault in the default of an input that is left out.
func leftOut(kind string, with *yaml.Node, f *fault.Fault) {
	k, _ := handlers.Lookup(kind)
	i := slices.IndexFunc(k.Inputs, func(in fields.Field) bool { return len(f.Path) == 1 && f.Path[0] == in.Name && in.Default != "" })
	if i < 0 {
		return
	}
	if with != nil {
		if given, _ := with.Lookup(k.Inputs[i].Name); given != nil {
			return
		}
	}
	f.Message = fmt.Sprintf("%q is left out, so it is %s: %s", k.Inputs[i].Name, k.Inputs[i].Default, f.Message)
	f.Hint = "give it another value under with"
}

// action makes the action of the handler at n from its inputs.
func (r *wiringReader) action(kind string, inputs map[string]any, n *yaml.Node) tasks.Action {
	_, do := n.Lookup("do")
	key, with := n.Lookup("with")
	switch {
	case with == nil || with.Null():
		with = nil
	case broken(with) || with.Kind != yaml.Mapping:
		return nil
	}
	action, faults := handlers.Build(kind, inputs, handlers.Deps{
		BaseDir: r.dirOf(n), ParseStatement: r.parse, ParseFiles: r.parseFiles, Secrets: r.secrets, Data: r.data, Events: r.bursts, Environment: r.environment, Note: r.note,
	})
	for _, f := range faults {
		leftOut(kind, with, f)
		if with == nil {
			r.at(do, f.Message, f.Hint)
		} else if at, _, _ := with.Follow(f.Path); at == with { // an input is missing, or the inputs contradict each other
			r.at(key, f.Message, f.Hint)
		} else {
			r.report(with, f)
		}
	}
	if len(handlers.EmittedTypes(action)) > 0 && with != nil {
		r.emittedTypes(with)
	}
	return action
}
