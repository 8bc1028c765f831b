package expression

import (
	"fmt"
	"time"

	"evrun/events"
)

// Env holds the values that an expression can read. It is cheap to make, one for each run, and decodes the event's data at the
// first use. Not safe for concurrent use.
type Env struct {
	event *events.Event
	slot  *Slot

	data    any
	dataErr error
	decoded bool

	// The whole event and slot as expressions see them, made at the first use.
	eventMap, slotMap map[string]any

	result, previous any
	seldom           *seldom // nil: nothing in it was set
	budget           *Budget // nil: each evaluation has its own budget

	id, handler string // of [Env.In]
	attempt     int
}

// seldom holds values that few environments have.
type seldom struct {
	burst   []*events.Event
	list    []any // the burst, as expressions see it
	failure Failure
	run     *Run
	item    any
	index   int
	request *Request
}

// Run is a run, for an expression that selects runs.
type Run struct {
	ID, Handler, State string
	Attempt            int
	Error              string // empty: none
}

// runFields are the names of a run's values.
var runFields = []string{"id", "handler", "state", "attempt", "error"}

// Failure describes a dead run to its on_dead.
type Failure struct {
	Error    string
	Attempts int // number of attempts made
	Handler  string
	RunID    string
}

// Slot is a nominal time of a schedule.
type Slot struct {
	Time   time.Time // in the schedule's zone
	Number int64     // from 1 for the first in this schedule's life; 0: not a slot
}

// NewEnv returns the environment of a handler on e.
func NewEnv(e *events.Event) *Env { return &Env{event: e} }

// NewSlotEnv returns the environment of a schedule's data.
func NewSlotEnv(s Slot) *Env { return &Env{slot: &s} }

// Again returns another environment of the same event, for another handler: what was decoded of the event is shared, since many handlers may read much data.
func (env *Env) Again() *Env {
	return &Env{event: env.event, data: env.data, dataErr: env.dataErr, decoded: env.decoded, eventMap: env.eventMap}
}

// SetResult sets `result`: the value that the handler's kind returned.
func (env *Env) SetResult(v any) { env.result = v }

// SetPrevious sets `previous`.
func (env *Env) SetPrevious(v any) { env.previous = v }

// Within makes all later evaluations share a budget; nil: each has its own again.
func (env *Env) Within(b *Budget) { env.budget = b }

// Budget returns the shared budget; nil: each evaluation has its own.
func (env *Env) Budget() *Budget { return env.budget }

// SetEvents sets `events`: the events of a burst, in order.
func (env *Env) SetEvents(burst []*events.Event) {
	env.has().burst, env.seldom.list = burst, nil
}

// SetFailure sets `error`, `attempts`, `handler` and `run_id`.
func (env *Env) SetFailure(f Failure) { env.has().failure = f }

// SetItem sets `item` and `index`: an element of a list, and its place from 0.
func (env *Env) SetItem(item any, index int) { env.has().item, env.seldom.index = item, index }

// SetRun sets `run` to a run that is selected.
func (env *Env) SetRun(r Run) { env.has().run = &r }

func (env *Env) has() *seldom {
	if env.seldom == nil {
		env.seldom = &seldom{}
	}
	return env.seldom
}

// value returns the value of one of our names.
func (env *Env) value(name nameSet) (any, error) {
	switch name {
	case nameEvent:
		if env.event == nil {
			return nil, nil
		}
		return env.eventAsMap(), nil
	case nameData:
		return env.payload()
	case nameResult:
		return env.result, nil
	case nameSlot:
		if env.slot == nil {
			return nil, nil
		}
		return env.slotAsMap(), nil
	case namePrevious:
		return env.previous, nil
	case nameRun:
		return env.run(), nil
	}
	if env.seldom == nil {
		return nil, nil
	}
	if name&nameRequest != 0 {
		return env.request().value(name)
	}
	failure := &env.seldom.failure
	switch name {
	case nameEvents:
		return env.seldom.events()
	case nameError:
		return failure.Error, nil
	case nameAttempts:
		return failure.Attempts, nil
	case nameHandler:
		return failure.Handler, nil
	case nameRunID:
		return failure.RunID, nil
	case nameItem:
		return env.seldom.item, nil
	case nameIndex:
		return env.seldom.index, nil
	}
	return nil, nil
}

func (r *Run) asMap() any {
	return map[string]any{"id": r.ID, "handler": r.Handler, "state": r.State, "attempt": r.Attempt, "error": r.Error}
}

// events returns each event of the burst as a map of its attributes and its data.
func (s *seldom) events() (any, error) {
	if s.list != nil {
		return s.list, nil
	}
	list := make([]any, len(s.burst))
	for i, e := range s.burst {
		member := NewEnv(e)
		data, err := member.payload()
		if err != nil {
			return nil, fmt.Errorf("event %s of the burst: %w", e.ID, err)
		}
		attributes := member.eventAsMap()
		attributes["data"] = data
		list[i] = attributes
	}
	s.list = list
	return list, nil
}

// payload returns the decoded data: nil for no data, a string if it isn't JSON.
func (env *Env) payload() (any, error) {
	if env.decoded || env.event == nil {
		return env.data, env.dataErr
	}
	env.decoded = true
	v, err := env.event.Value()
	if err != nil {
		env.dataErr = fmt.Errorf("the event's data is not valid JSON, but its content type is %q: %w", contentType(env.event), err)
	}
	env.data = v
	return env.data, env.dataErr
}

// eventAttributes are the attributes that every event has, in order of suggestion.
var eventAttributes = []string{"id", "source", "type", "subject", "time", "seq", "chain", "hops", "correlationid", "causationid",
	"datacontenttype", "dataschema", "target", "replayof"}

// eventAttribute returns a CloudEvents attribute or extension; nil if the event doesn't have it. An optional attribute that is not set is an empty
// string, so that it can be used in a text.
func eventAttribute(e *events.Event, name string) any {
	switch name {
	case "id":
		return e.ID
	case "source":
		return e.Source
	case "type":
		return e.Type
	case "subject":
		return e.Subject
	case "time":
		return e.Time.UTC().Format(time.RFC3339Nano)
	case "seq":
		return int(e.Sequence)
	case "chain":
		return int(e.Chain)
	case "correlationid":
		return e.CorrelationID
	case "causationid":
		return e.CausationID
	case "hops":
		return e.Hops
	case "target":
		return e.Target
	case "replayof":
		return int(e.ReplayOf)
	case "datacontenttype":
		return contentType(e)
	case "dataschema":
		return e.DataSchema
	}
	return asInt(e.Extensions[name])
}

func (env *Env) eventAsMap() map[string]any {
	if env.eventMap == nil {
		m := make(map[string]any, len(eventAttributes)+len(env.event.Extensions))
		for name := range env.event.Extensions {
			m[name] = eventAttribute(env.event, name)
		}
		for _, name := range eventAttributes {
			m[name] = eventAttribute(env.event, name)
		}
		env.eventMap = m
	}
	return env.eventMap
}

var slotFields = []string{"time", "unix", "number"}

func slotField(s *Slot, name string) any {
	switch name {
	case "time":
		return s.Time.Format(time.RFC3339Nano)
	case "unix":
		return int(s.Time.Unix())
	case "number":
		return int(s.Number)
	}
	return nil
}

func (env *Env) slotAsMap() map[string]any {
	if env.slotMap == nil {
		env.slotMap = env.slot.Map()
	}
	return env.slotMap
}

// Map is the slot as expressions see it as a whole.
func (s Slot) Map() map[string]any {
	m := make(map[string]any, len(slotFields))
	for _, name := range slotFields {
		m[name] = slotField(&s, name)
	}
	return m
}

// asInt makes the language's own whole number of an int64.
func asInt(v any) any {
	if n, ok := v.(int64); ok {
		return int(n)
	}
	return v
}

func contentType(e *events.Event) string {
	if e.DataContentType == "" {
		return "application/json"
	}
	return e.DataContentType
}
