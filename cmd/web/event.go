package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/cmd/web/waterfall"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/explain"
)

var eventPage = page{pattern: "GET /events/{id}", right: "read", nav: "events", title: "Event", template: "event", load: loadEvent}

// The sizes of the page.
const (
	payloadShown  = 64 << 10 // bytes of the data
	mostOpened    = 20       // folded rows of the chain
	accountsShown = 40       // handlers in full, with attempts and outputs
)

// eventView is one event, and what came of it.
type eventView struct {
	Event      *events.Event
	Type       shape.EventType
	Attributes []attribute
	Payload    string
	Size       int64  // of the data, in bytes
	Cut        bool   // Payload is only the beginning
	Cause      int64  // the event whose run published this one; 0: it begins its chain
	By         string // that run
	Told       shape.Accounts
	Matched    []account       // handlers that had to do with it
	Rest       []account       // more of them, beyond those that are shown in full
	Others     []shape.Account // those whose patterns don't match
	Chain      waterfall.Waterfall
	More       bool // the chain has more than is shown
	Events     int  // of the chain
	Going      bool // runs of the chain have not ended
}

// attribute is a name and a value of an event.
type attribute struct{ Name, Value string }

// account is what happened to the event at one handler.
type account struct {
	shape.Account
	Attempts []api.Attempt
	Why      string // unless the error of the attempts says it all
}

// May are the actions on the run. The event can also be run by a handler that has no run of it yet.
func (a account) May() runActions {
	may := runActions{}
	if a.Run != nil {
		may = actionsOn(a.State)
	}
	may.Again = a.Pattern != "" && (a.Run == nil || may.Again)
	return may
}

func (a account) in(states ...store.RunState) bool {
	return a.Run != nil && slices.ContainsFunc(states, func(s store.RunState) bool { return a.State == s.String() })
}

// Rewired reports whether the run began although the condition is false as the wiring file has it now: it was another one then.
func (a account) Rewired() bool {
	return a.When != nil && a.When.Error == "" && !a.When.Value && a.in(store.Succeeded, store.Running, store.Retrying)
}

// Replay is the body of the request that runs the event by this handler again.
func (a account) Replay(sequence int64) string { return replayBody(sequence, a.Handler) }

// sequenceName names an event by its number, for the API.
func sequenceName(sequence int64) string { return "#" + strconv.FormatInt(sequence, 10) }

func loadEvent(q *request) (any, error) {
	ctx := q.Context()
	told, err := q.api.ExplainEvent(ctx, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	e := told.Event
	v := eventView{Event: e, Told: told, Attributes: attributesOf(e)}
	q.title = fmt.Sprintf("#%d %s", e.Sequence, e.Type)
	if v.Type, err = q.api.Type(ctx, e.Type); err != nil {
		return nil, err
	}
	v.Payload, v.Cut = payloadOf(e)
	v.Size = int64(len(e.Data))
	for _, a := range told.Handlers {
		if a.State == explain.NoMatch {
			v.Others = append(v.Others, a)
			continue
		}
		v.Matched = append(v.Matched, account{Account: a, Why: a.Why})
	}
	slices.SortStableFunc(v.Matched, func(a, b account) int { return cmp.Compare(attention(a.State), attention(b.State)) })
	if len(v.Matched) > accountsShown {
		v.Matched, v.Rest = v.Matched[:accountsShown], v.Matched[accountsShown:]
	}
	if err := v.details(q); err != nil {
		return nil, err
	}
	chain, err := q.api.Chain(ctx, e)
	if err != nil {
		return nil, err
	}
	if at := chain.Event(e.Sequence); at != nil {
		v.Cause, v.By = at.Cause, at.By
	}
	v.More, v.Events = chain.More, len(chain.Events)
	opened := q.all("open")
	v.Chain = waterfall.Of(&chain, waterfall.Options{Focus: e.Sequence, Open: opened[:min(len(opened), mostOpened)], Now: q.now})
	// The accounts are older than the chain: a run that ended in between must not be shown as running forever.
	v.Going = v.Chain.Going > 0 || slices.ContainsFunc(slices.Concat(v.Matched, v.Rest), func(a account) bool { return attention(a.State) == unsettled })
	return v, nil
}

// details reads the attempts and outputs of the runs that are shown in full, and leaves out of their reasons what is said elsewhere.
func (v *eventView) details(q *request) error {
	for i := range v.Matched {
		a := &v.Matched[i]
		if a.When != nil && !a.When.Value && len(a.When.Why) > 0 && strings.HasPrefix(a.Why, "when: ") { // its parts say more
			a.Why = ""
		}
		if a.Run == nil || a.in(store.Waiting, store.Skipped) { // without attempts
			continue
		}
		details, err := q.api.Run(q.Context(), a.Run.ID)
		if err != nil {
			return err
		}
		a.Attempts = details.Attempts
		if last := len(details.Attempts) - 1; last >= 0 && a.Why == a.Run.Error && details.Attempts[last].Error == a.Why {
			a.Why = ""
		}
	}
	return nil
}

// unsettled is the attention that runs need which have not ended.
const unsettled = 1

// attention orders the accounts: what failed, what goes on, what was done, then what was not.
func attention(state string) int {
	switch state {
	case store.Dead.String():
		return 0
	case store.Retrying.String(), store.Running.String(), store.Waiting.String():
		return unsettled
	case store.Succeeded.String():
		return 2
	}
	return 3
}

// Open is the URL of the page with one folded row more opened.
func (view) Open(q url.Values, key string) string {
	next := url.Values{}
	for name, values := range q {
		next[name] = values
	}
	next["open"] = append(slices.Clone(next["open"]), key)
	return "?" + next.Encode() + "#chain"
}

// attributesOf lists the attributes of an event that say more than its number, type and time.
func attributesOf(e *events.Event) (list []attribute) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, attribute{name, value})
		}
	}
	add("id", e.ID)
	add("source", e.Source)
	add("subject", e.Subject)
	if e.DataContentType != "application/json" {
		add("datacontenttype", e.DataContentType)
	}
	add("dataschema", e.DataSchema)
	if e.CorrelationID != e.ID {
		add("correlationid", e.CorrelationID)
	}
	add("causationid", e.CausationID)
	names := make([]string, 0, len(e.Extensions))
	for name := range e.Extensions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, fmt.Sprint(e.Extensions[name]))
	}
	return list
}

// payloadOf is the data of an event as text; cut says that it is only the beginning.
func payloadOf(e *events.Event) (text string, cut bool) {
	data := e.Data
	if cut = len(data) > payloadShown; cut {
		data = data[:payloadShown]
	}
	if e.IsJSON() && !cut {
		return indented(json.RawMessage(events.EscapeJSON(data))), false
	}
	return visible(string(data)), cut
}

// visible is a text whose lines show what can't be seen or reorders text as escapes.
func visible(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = events.EscapeControl(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// compact is a value in JSON, on one line.
func compact(v any) string {
	text, err := events.MarshalJSON(v)
	if err != nil {
		return err.Error()
	}
	return string(events.EscapeJSON(text))
}
