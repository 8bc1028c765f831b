package config

import (
	"reflect"
	"slices"

	"evrun/cmd/config/jsonschema"
	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/schedule"
)

// jobKeys are the keys of a schedule with do: a schedule and its handler in one. The event of a slot has the type schedule.NAME, and the handler
// has the schedule's name.
//
// The type is not reserved: who publishes it has the handler run once more, as `evrun schedules fire` has. overlap looks at the
// events of slots only; concurrency: 1 at all of them.
type jobKeys struct {
	_ struct{} `owner:"a schedule with do"`
	slotKeys
	Do kind `key:"do,required" other:"action,run,kind,uses" doc:"What it does at each slot, as its own handler. The type of its event is schedule.NAME. The main input of a kind can stand behind it: exec ./backup.sh."`
	workKeys

	On       misplaced `key:"on,hidden" refused:"a schedule with do has no \"on\": it runs at its own slots" hint:"leave it out; what runs on other events is a handler"`
	OrderBy  misplaced `key:"order_by,hidden" refused:"a schedule with do has no \"order_by\"" hint:"leave it out; with concurrency: 1 its runs come one after the other"`
	Debounce misplaced `key:"debounce,hidden" refused:"a schedule with do has no \"debounce\"" hint:"leave it out; overlap: skip leaves a slot out while the runs of the slot before go on"`
	Enabled  misplaced `key:"enabled,hidden" refused:"a schedule with do has no \"enabled\": its slots would wait, and all run later" hint:"write paused: true, and it has no slots for now"`
}

// ExtendSchema adds what a handler and a schedule have over several keys.
func (*jobKeys) ExtendSchema(s map[string]any) {
	s["allOf"] = jsonschema.Kinds()
	needsTiming(s)
}

// scheduleItem is a schedule as a value of the file, with or without do.
type scheduleItem struct{}

func (*scheduleItem) DecodeField(any, *fields.At) {}

func (*scheduleItem) FieldShape() fields.Shape {
	return fields.Shape{Words: "map", Tree: true, Details: func() (map[string]any, []fields.Field) {
		plain, job := reflect.TypeFor[scheduleKeys](), reflect.TypeFor[jobKeys]()
		keys := fields.Of(plain)
		for _, f := range fields.Of(job) {
			i := slices.IndexFunc(keys, named(f.Name))
			switch {
			case i < 0:
				f.Doc, f.Required = "With do: "+f.Doc, false
				keys = append(keys, f)
			case f.Name == "emit":
				keys[i].Doc, keys[i].Required = "The type of the event that it publishes. With do: what it emits on success, as a handler does.", false
				keys[i].Fields = f.Fields
			}
		}
		is := map[string]any{"required": []any{"do"}}
		return map[string]any{"type": "object", "if": is, "then": fields.Schema(job), "else": fields.Schema(plain)}, keys
	}}
}

// misplaced is a key of another place. It is refused with the reason in its tag.
type misplaced struct{}

func (*misplaced) DecodeField(_ any, at *fields.At) {
	at.Add(&fault.Fault{Key: true, Message: at.Tag.Get("refused"), Hint: at.Tag.Get("hint")})
}

func (*misplaced) FieldShape() fields.Shape { return fields.Shape{Words: "nothing", Null: true} }

// isSlotKey reports whether a key says when a schedule has its slots and what their events are.
func isSlotKey(key string) bool { return slotNames()[key] }

var slotNames = keyNames[slotKeys]()

// isJob reports whether the schedule at n is meant to have a do.
func isJob(n *yaml.Node) bool {
	if n.Kind != yaml.Mapping {
		return false
	}
	do, _ := n.Lookup("do")
	emit, _ := n.Lookup("emit")
	with, _ := n.Lookup("with")
	return do != nil || emit == nil && with != nil
}

// jobType returns the type of the events of the schedule with do at n, as if the file had it.
func jobType(n *yaml.Node) *yaml.Node {
	typ := yaml.Node{Kind: yaml.Scalar, Value: schedule.DoPrefix}
	if _, named := n.Lookup("name"); named != nil && named.Kind == yaml.Scalar {
		typ.Start, typ.Value = named.Start, schedule.DoPrefix+named.Value
	}
	return &typ
}

// jobTypes makes the types of schedules with do known, for handlers and schedules that name them. Under strict_types it adds them to the declared ones.
func (r *wiringReader) jobTypes(declared []emitter.EventType) []emitter.EventType {
	r.each("schedules", func(schedules *yaml.Node) {
		for _, n := range schedules.Content {
			if schedules.Kind != yaml.Sequence || !isJob(n) {
				continue
			}
			typ := jobType(n).Value
			if r.types[typ] != nil || events.CheckType(typ) != nil {
				continue
			}
			r.types[typ] = &declaredType{}
			if r.strict {
				declared = append(declared, emitter.EventType{Type: typ})
			}
		}
	})
	return declared
}

// job reads a schedule with do; nil after a fault.
func (r *wiringReader) job(n *yaml.Node) (*schedule.Entry, *tasks.Handler) {
	before := len(r.faults)
	r.entry, r.data = n, r.dataOf(n)
	defer func() { r.entry, r.data = nil, nil }()
	var k jobKeys
	faults := r.decode(n, &k, r)
	typ := schedule.DoPrefix + string(k.Name)
	s := r.slots(n, &k.slotKeys, typ, faults, before)
	h := k.handler(k.Name, k.Do)
	h.Description, h.Labels = string(k.Description), k.Labels
	if s != nil {
		r.unique(n, "handler", h.Name)
		h.On = r.jobPatterns(n, typ, s.Was)
		h.Was, s.Do = s.Was, h.Kind
	}
	r.work(n, &k.workKeys, h, faults)
	if len(r.faults) > before || broken(n) {
		return nil, nil
	}
	return s, h
}

// jobPatterns returns the types on which a schedule with do runs: its own and, after it was renamed, the one of its former name, whose events may wait.
func (r *wiringReader) jobPatterns(n *yaml.Node, typ, was string) (on []events.Pattern) {
	own, err := events.ParsePattern(typ)
	if err != nil {
		_, at := n.Lookup("name")
		r.at(at, "the name can't be a part of the type of its events, "+fault.Quote(typ), "a type has no empty part between two dots, and does not end with a dot")
		return nil
	}
	on = append(on, own)
	if former, err := events.ParsePattern(schedule.DoPrefix + was); was != "" && err == nil {
		on = append(on, former)
	}
	return on
}
