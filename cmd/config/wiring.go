package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/config/include"
	"evrun/cmd/config/shorthand"
	"evrun/cmd/config/warnings"
	"evrun/cmd/config/yaml"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/schema"
)

// Wiring is the compiled wiring: event types, schedules, hooks, handlers and tests.
type Wiring struct {
	Events      []emitter.EventType
	StrictTypes bool // events of other types are refused
	Schedules   []*schedule.Entry
	Hooks       []*hook.Hook
	Handlers    []*tasks.Handler
	Tests       []*Test
	Tokens      []access.Token // server.tokens
}

// wiringReader reads the wiring's part of a file.
type wiringReader struct {
	versioned []byte // room for versionOf
	*document
	dir        string // of the file that is being read
	secrets    *expression.Secrets
	notes      []string              // see Config.Notes
	shared     bool                  // the store is one of several daemons
	parse      store.StatementParser // of the store
	parseFiles store.StatementParser // of other files
	places     map[any]*yaml.Node    // of each *schedule.Entry, *hook.Hook and *tasks.Handler, for warnings
	names      map[string]*yaml.Node // taken by schedules ("schedule x"), hooks and handlers

	types    map[string]*declaredType // under events
	ownTypes map[string]*declaredType // evrun's own, as far as handlers are wired to them

	calendars map[calendarKey][]slots.Span // that were read
	strict    bool                         // strict_types
	tokens    []access.Token
	zone      *time.Location // of schedules that name none

	defaults        defaultsKeys
	defaultsVersion string // a part of each handler's version; empty without defaults

	variables          *yaml.Node // env of the file; nil for none
	environment        handlers.Environment
	environmentVersion string // a part of the version of each handler that runs programs

	bursts bool             // the handler that is being read has a debounce
	entry  *yaml.Node       // the handler that is being read; nil: none
	data   *expression.Data // the type of the data of the handler's events; nil: unknown

	knownHandlers  map[string]*tasks.Handler  // for tests
	knownSchedules map[string]*schedule.Entry // for tests

	inputs     *include.Inputs
	parts      []*yaml.Node       // the mapping of the wiring file, then those of the files that it includes, in their order
	incomplete bool               // a file could not be read: what it may have can't be missed elsewhere
	doubts     []warnings.Warning // of the entries of include
}

func (r *wiringReader) read() Wiring {
	w := Wiring{StrictTypes: r.strict, Tokens: r.tokens}
	r.each("events", func(n *yaml.Node) { w.Events = append(w.Events, r.eventTypes(n)...) })
	w.Events = r.jobTypes(w.Events)
	var heirs, scheduleHeirs []heir
	handle := func(n *yaml.Node, h *tasks.Handler, version string) {
		if h == nil {
			return
		}
		h.Version, h.Redact = version+r.defaultsVersion+r.dirVersion(), r.secrets.Redact
		if handlers.RunsPrograms(h.Action) {
			h.Version += r.environmentVersion
		}
		w.Handlers = append(w.Handlers, h)
		r.places[h] = n
		heirs = append(heirs, heir{h.Name, h.Was, n})
	}
	r.each("schedules", func(n *yaml.Node) {
		r.sequence(n, "schedules", "begin each with a dash: - name: …", func(n *yaml.Node) {
			n = shorthand.Expand(n, r.fault)
			s, h := r.schedule(n)
			if s == nil {
				return
			}
			timed := effective(n)
			done := timed
			if h != nil {
				timed, done = only(done, isSlotKey), only(done, func(key string) bool { return key == "name" || key == "was" || !isSlotKey(key) })
			}
			s.Version += " " + r.versionOf(timed) + " " + s.Timing.Location().String() + r.dirVersion()
			w.Schedules = append(w.Schedules, s)
			r.places[s] = n
			scheduleHeirs = append(scheduleHeirs, heir{s.Name, s.Was, n})
			handle(n, h, r.versionOf(done))
		})
	})
	r.checkWas("schedule", scheduleHeirs)
	r.each("hooks", func(n *yaml.Node) { w.Hooks = append(w.Hooks, r.hooks(n)...) })
	r.each("handlers", func(n *yaml.Node) {
		r.sequence(n, "handlers", "begin each with a dash: - name: …", func(n *yaml.Node) {
			n = shorthand.Expand(n, r.fault)
			handle(n, r.handler(n), r.versionOf(effective(n)))
		})
	})
	r.checkWas("handler", heirs)
	r.each("tests", func(n *yaml.Node) { w.Tests = append(w.Tests, r.wiringTests(n, &w)...) })
	return w
}

// each reads the value of one key of each file that has it: first the wiring file, then those that it includes, in their order.
func (r *wiringReader) each(key string, read func(*yaml.Node)) {
	for _, root := range r.parts {
		if _, n := root.Lookup(key); n != nil {
			r.dir = r.dirOf(n)
			read(n)
		}
	}
}

// digest identifies the wiring that these files have, on all machines that share a store.
func (r *wiringReader) digest(files ...string) string {
	h := sha256.New()
	for _, root := range r.parts {
		h.Write(appendVersion(nil, only(root, func(key string) bool { return key != "store" && key != "server" && key != "node" && key != "include" })))
	}
	for _, s := range r.inputs.Sources() {
		if !slices.Contains(files, s.Path) {
			h.Write(append(binary.AppendUvarint(nil, uint64(len(s.Text))), s.Text...))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:5])
}

// dirVersion is the part of a version for the directory of the file that is read: in another directory, a relative path names another file.
func (r *wiringReader) dirVersion() string {
	dir, err := filepath.Rel(r.texts[0].dir, r.dir)
	if err != nil {
		dir = r.dir
	}
	return " in " + dir
}

// versionOf returns a hash of a value's source text, without comments and layout.
func (r *wiringReader) versionOf(n *yaml.Node) string {
	r.versioned = appendVersion(r.versioned[:0], n)
	sum := sha256.Sum256(r.versioned)
	return hex.EncodeToString(sum[:])
}

func appendVersion(b []byte, n *yaml.Node) []byte {
	// Quotes count, because "1" is not 1. The length marks the end of the value.
	for _, number := range [...]int{int(n.Kind), int(min(n.Style, yaml.SingleQuoted)), len(n.Content), len(n.Value)} {
		b = binary.AppendUvarint(b, uint64(number))
	}
	b = append(b, n.Value...)
	for _, c := range n.Content {
		b = appendVersion(b, c)
	}
	return b
}

// typeFault returns the fault of a type that a schedule, a handler or a test publishes; nil for none.
func (r *wiringReader) typeFault(typ string) *fault.Fault {
	if f := publishable(typ); f != nil {
		return f
	}
	return r.undeclared(typ)
}

// publishable returns the fault of the name of a published type; nil for none.
func publishable(typ string) *fault.Fault {
	if events.Reserved(typ) {
		return fault.New("%s is reserved: types that begin with %q are evrun's own", fault.Quote(typ), events.ReservedPrefix).
			Hinting("choose a name that begins otherwise; handlers can be wired to evrun's own types")
	}
	if err := events.CheckType(typ); err != nil {
		f := patternFault("the event type", err)
		f.Hint, _, _ = strings.Cut(f.Hint, "; several patterns") // an event has one type
		return f
	}
	return nil
}

// declared returns the types under events in all files, as one mapping.
func (r *wiringReader) declared() *yaml.Node {
	all := &yaml.Node{Kind: yaml.Mapping}
	r.each("events", func(n *yaml.Node) { all.Content = append(all.Content, n.Content...) })
	return all
}

// warnings returns the probable mistakes in a wiring without faults, in the order of the file.
func (r *wiringReader) warnings(w Wiring) []Fault {
	collector := *r.document
	collector.faults = nil
	found := warnings.Find(&warnings.File{
		Events: w.Events, Schedules: w.Schedules, Hooks: w.Hooks, Handlers: w.Handlers, StrictTypes: w.StrictTypes, Types: r.declared(), Now: time.Now(), Env: r.variables, Tokens: r.tokens, Sealed: r.secrets.Sealed(), Shared: r.shared,
		TokenOf: func(i int) *yaml.Node {
			_, server := r.parts[0].Lookup("server")
			_, list := server.Lookup("tokens")
			return list.Content[i]
		},
		Place: func(entry any) *yaml.Node { return r.places[entry] },
		Declared: func(typ string) (*schema.Schema, bool) {
			if t := r.types[typ]; t != nil {
				return t.schema, true
			}
			return nil, false
		},
	})
	for _, f := range append(found, r.doubts...) {
		collector.fault(f.Start, f.End, f.Message, f.Hint)
	}
	for i := range collector.faults {
		collector.faults[i].Warning = true
	}
	return collector.sorted()
}

// ScopeOf returns the scope for the word in a key's scope tag.
func (r *wiringReader) ScopeOf(word string) expression.Scope {
	if word, each := strings.CutSuffix(word, expression.Each); each {
		return r.ScopeOf(word).WithItem()
	}
	switch word {
	case "when", "key":
		return expression.HandlerWhen.WithData(r.data)
	case "env":
		return r.scope(expression.Environment)
	case "emit":
		return r.scope(expression.HandlerEmit)
	case "hook":
		return expression.HookRequest
	case "hook challenge":
		return expression.HookChallenge.In(r.dir, r.secrets)
	case "hook handshake":
		return expression.HookHandshake.In(r.dir, r.secrets)
	case "on_dead":
		return r.scope(expression.HandlerOnDead)
	}
	return r.scope(expression.ScheduleData)
}

// scope adds the file's directory, its secrets and the type of the data to a scope.
func (r *wiringReader) scope(s expression.Scope) expression.Scope {
	if r.bursts {
		s = s.WithEvents()
	}
	return s.In(r.dir, r.secrets).WithData(r.data)
}
