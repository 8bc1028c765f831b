package config

import (
	"maps"
	"strings"

	"evrun/tasks/handlers"
)

// JSONSchema is the JSON Schema (2020-12) of a wiring file, for editors that complete and check while one types. It is made of
// the table below and of the table of kinds, so a new kind is in it by itself, and a new key by one line here; a test holds
// the keys against those that Load reads. It sees what a file is made of, not what is written in its expressions,
// patterns and times: those only Load checks.
func JSONSchema() map[string]any {
	defs := map[string]any{}
	for _, m := range mappings {
		defs[strings.ReplaceAll(m.name, " ", "-")] = m.schema()
	}
	maps.Copy(defs["handler"].(map[string]any), map[string]any{"allOf": kindSchemas(), "not": form("required", []any{"debounce", "order_by"})})
	maps.Copy(defs["schedule"].(map[string]any), map[string]any{"anyOf": requireOne("every", "cron", "daily", "weekly", "monthly", "at")})
	maps.Copy(defs["event"].(map[string]any), map[string]any{"not": form("required", []any{"schema", "schema_file"})})
	file := defs["file"].(map[string]any)
	delete(defs, "file")
	file["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	file["title"] = "evrun's wiring file"
	file["patternProperties"] = form("^x-", true)
	file["$defs"] = defs
	return file
}

// mappingForm is a mapping of the file, with its keys.
type mappingForm struct {
	name string // under $defs
	keys []keyForm
}

type keyForm struct {
	name     string
	doc      string
	required bool
	value    map[string]any // its schema
}

// mappings are all mappings of a wiring file, by what reads them. The inputs of a handler are the kinds' own.
var mappings = []mappingForm{
	{"file", []keyForm{
		{"store", "The SQLite file with journal, runs and users; relative to this file. Default evrun.db.", false, either(settingPath, def("store"))},
		{"server", "How the daemon is reached.", false, def("server")},
		{"log", "The daemon's log.", false, def("log")},
		{"strict_types", "Refuse events of types that are not declared under events. Default false.", false, truth},
		{"events", "The declared types of events, each with a description and a schema of its data.", false,
			nullable(form("type", "object", "propertyNames", eventTypeForm, "additionalProperties", nullable(def("event"))))},
		{"schedules", "Timers that publish events.", false, nullable(form("type", "array", "items", def("schedule")))},
		{"handlers", "What is done about events.", false, nullable(form("type", "array", "items", def("handler")))},
		{"tests", "What the wiring is to do, for evrun test.", false, nullable(form("type", "array", "items", def("test")))},
	}},
	{"store", []keyForm{
		{"path", "The SQLite file; relative to this file. Default evrun.db.", false, settingPath},
		{"wal_max", "How large the write-ahead log may become while another program reads the store: from there on nothing is accepted. Default 4GiB.", false, form("type", "string", "pattern", `^[0-9]{1,12}(\.[0-9]{1,3})? ?[A-Za-z]+$`)},
		{"synchronous", "full: an acknowledged event survives a power cut. normal is faster, and perhaps loses the last moments.", false, words("full", "normal")},
	}},
	{"server", []keyForm{
		{"socket", "The control socket that emit and tail talk to. Default evrun.sock beside this file.", false, settingPath},
		{"socket_mode", "The socket's mode, in octal digits: who can write to it can connect. Default 0600, or 0660 with a socket_group.", false, form("type", "string", "pattern", `^0?6[0246][0246]$`)},
		{"socket_group", "The socket's group, by name or number. Default that of evrun's user.", false, text},
		{"max_event", "How much data an event may have: 512KiB, 1MiB (the default), up to 64MiB.", false, form("type", "string", "pattern", `^[0-9]{1,12}(\.[0-9]{1,3})? ?[A-Za-z]+$`)},
		{"watch", "Read this file again when it changes. Default true.", false, truth},
		{"grace", "How long a stop waits for what is in flight. Default 30s.", false, duration},
	}},
	{"log", []keyForm{
		{"level", "What is logged. Default info.", false, words("debug", "info", "warn", "error")},
		{"format", "Default text.", false, words("text", "json")},
	}},
	{"event", []keyForm{
		{"description", "What such an event says.", false, form("type", "string")},
		{"schema", "A JSON Schema (2020-12) of the data: an event that breaks it is refused.", false, form("type", []any{"object", "boolean"})},
		{"schema_file", "A file with the JSON Schema of the data; relative to this file.", false, text},
	}},
	{"schedule", []keyForm{
		{"name", "Its events are named after it.", true, nameForm},
		{"every", "Whole multiples of this: 5s, 10m, 1d.", false, duration},
		{"cron", "Five fields, or six with seconds first: 0 9 * * MON-FRI.", false, text},
		{"daily", `Times of the day: "09:00".`, false, oneOrMany(text)},
		{"weekly", "Days and times: MON-FRI 09:00.", false, oneOrMany(text)},
		{"monthly", "Days of the month and times: 1 09:00, last 18:00.", false, oneOrMany(text)},
		{"at", "Once: 2026-12-24T18:00:00Z.", false, oneOrMany(instantForm)},
		{"timezone", "For cron, daily, weekly and monthly: Europe/Paris. Default UTC.", false, form("type", "string")},
		{"dst", "What a change of the clocks does to cron: once is as people expect it, rhythm keeps the distance of the slots.", false, words("once", "rhythm")},
		{"missed", "What a start does about slots that passed meanwhile. Default last.", false, words("skip", "last", "all")},
		{"grace", "How late a slot may be and still be on time. Default 1m.", false, duration},
		{"max_missed", "With missed: all, how many at most, the newest. Default 1000.", false, form("type", "integer", "minimum", 1, "maximum", 100_000)},
		{"overlap", "What becomes of a slot while runs of the one before go on. Default allow.", false, words("allow", "skip", "queue")},
		{"paused", "No slots for now.", false, truth},
		{"emit", "The type of the event that it publishes.", true, form("allOf", []any{eventTypeForm, form("not", form("pattern", `\$\{`))})},
		{"subject", "What the event is about. ${ … } sees slot.", false, scalarForm},
		{"data", "The data of the event. ${ … } in its texts sees slot.time, slot.unix and slot.number.", false, anything},
		{"from", "No slots before this time.", false, instantForm},
		{"until", "No slots after this time.", false, instantForm},
		{"limit", "So many slots, then no more.", false, count},
		{"jitter", "Publishes up to so much later, to spread load.", false, duration},
	}},
	{"handler", []keyForm{
		{"name", "Its runs are named after it.", true, nameForm},
		{"on", "The types of event that it runs on: a type, a pattern (user.* is one token, order.> the rest), or a list.", true, oneOrMany(patternForm)},
		{"when", "An expression: false skips the run. It sees event and data.", false, scalarForm},
		{"do", "What it does.", true, form("type", "string")}, // kindSchemas says which
		{"with", "The inputs of what it does.", false, nullable(form("type", "object"))},
		{"retry", "How failed attempts are repeated.", false, def("retry")},
		{"timeout", "Of one attempt.", false, duration},
		{"concurrency", "Attempts at a time. 1: one by one, in order.", false, form("type", "integer", "minimum", 1, "maximum", 10_000)},
		{"order_by", "An expression: events with one value of it run one after the other.", false, scalarForm},
		{"rate", "So many attempts begin in each second, minute, hour or day, evenly spread: 10/s, 100/m. What comes faster waits.", false,
			form("type", "string", "pattern", `^[1-9][0-9]{0,6}/[smhd]$`)},
		{"debounce", "One run for a burst of events: over when none has come for so long.", false, either(duration, def("debounce"))},
		{"emit", "What it emits on success: a type, or type, subject and data, or a list of these.", false, oneOrMany(either(computedTypeForm, def("emission")))},
		{"on_dead", "What it emits when a run is dead, beside evrun.run.dead: a type, or type, subject and data.", false, either(computedTypeForm, def("emission"))},
		{"from", "Where a new handler begins: with what comes next (head, the default), or at the journal's start. mark: with what comes next, and when it returns to the file, always where it stopped.", false, words("start", "head", "mark")},
		{"was", "The name that it had before: it goes on where that handler stopped, with its runs that are not settled.", false, nameForm},
	}},
	{"retry", []keyForm{
		{"attempts", "In all. Default 5.", false, form("type", "integer", "minimum", 1, "maximum", 1_000_000)},
		{"backoff", "Before the second attempt; doubled each time. Default 1s.", false, duration},
		{"max", "The longest wait. Default 1m.", false, duration},
	}},
	{"debounce", []keyForm{
		{"wait", "Each event restarts it; when it passes, the burst is over.", true, duration},
		{"by", "An expression: each value of it has a burst of its own. Left out, all events of the handler are one.", false, scalarForm},
		{"collect", "What events has: the last event of the burst (the default), or all of them, 1000 at most.", false, words("last", "all")},
		{"max_wait", "A burst is over after so long, however many come. Default 10 times wait.", false, duration},
	}},
	{"emission", []keyForm{
		{"type", "The type of the event to emit.", true, computedTypeForm},
		{"subject", "What the event is about.", false, scalarForm},
		{"data", "The data of the event. Left out, it is the handler's result, and in on_dead what went wrong. ${ … } sees event, data and result, in on_dead error, attempts, handler and run_id.", false, anything},
	}},
	{"test", []keyForm{
		{"name", "What the test shows.", true, scalarForm},
		{"clock", "What time it is. Default 2026-01-01T00:00:00Z.", false, instantForm},
		{"users", "Who is there before.", false, form("type", "array", "items", def("user"))},
		{"given", "The events that come in, each when all that the one before caused has ended; those in a list of their own come together.", true,
			form("type", "array", "items", oneOrMany(def("given")), "minItems", 1)},
		{"stubs", "How outside handlers end, by their names: one outcome, or a list for one attempt after the other.", false,
			form("type", "object", "additionalProperties", oneOrMany(def("stub")))},
		{"expect", "What is to come of it. What is left out is not looked at.", true, def("expect")},
	}},
	{"given", []keyForm{
		{"type", "Of the event.", false, eventTypeForm},
		{"subject", "What it is about.", false, scalarForm},
		{"id", "Its id; the same again is accepted once.", false, scalarForm},
		{"source", "Where it comes from.", false, scalarForm},
		{"time", "When it happened. Default: the clock.", false, instantForm},
		{"data", "Its data.", false, anything},
		{"refused", "A part of the reason for which it is refused.", false, scalarForm},
		{"schedule", "Instead of a type: a schedule, whose slot comes in.", false, nameForm},
		{"at", "The slot. Default: the first one from the clock on.", false, instantForm},
	}},
	{"stub", []keyForm{
		{"succeed", "It succeeds with this result.", false, anything},
		{"fail", "It fails with this error.", false, scalarForm},
		{"permanent", "There is no further attempt.", false, truth},
	}},
	{"expect", []keyForm{
		{"runs", "All runs, in any order; [] for none.", false, form("type", "array", "items", def("expected run"))},
		{"users", "All users, in any order; [] for none.", false, form("type", "array", "items", def("expected user"))},
		{"events", "All events that were emitted, in any order; [] for none.", false, form("type", "array", "items", def("expected event"))},
	}},
	{"expected run", []keyForm{
		{"handler", "Whose run it is.", true, nameForm},
		{"state", "How it ended.", false, words("succeeded", "skipped", "dead")},
		{"type", "Of its event.", false, scalarForm},
		{"error", "A part of its error.", false, scalarForm},
		{"attempts", "How many it took.", false, form("type", "integer", "minimum", 1, "maximum", 1_000_000)},
		{"with", "The inputs that count.", false, form("type", "object")},
	}},
	{"expected event", []keyForm{
		{"type", "What it is.", true, scalarForm},
		{"subject", "What it is about.", false, scalarForm},
		{"data", "The keys that count.", false, anything},
	}},
	{"expected user", userForms(false)},
	{"user", userForms(true)},
}

func userForms(whole bool) []keyForm {
	return []keyForm{
		{"name", "The user's name.", whole, scalarForm},
		{"email", "The user's e-mail address.", whole, scalarForm},
		{"attributes", "What else is known.", false, nullable(form("type", "object"))},
	}
}

func (m *mappingForm) schema() map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, k := range m.keys {
		value := maps.Clone(k.value)
		value["description"] = k.doc
		properties[k.name] = value
		if k.required {
			required = append(required, k.name)
		}
	}
	s := form("type", "object", "properties", properties, "additionalProperties", false)
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// What values can be. A number or a truth value where a text is computed is taken as it is written.
var (
	text             = form("type", "string", "minLength", 1)
	settingPath      = form("type", "string", "minLength", 1, "not", form("pattern", unexpanded.String()))
	scalarForm       = form("type", []any{"string", "number", "boolean"})
	truth            = form("type", "boolean")
	eventTypeForm    = form("type", "string", "pattern", `^[^\s.*>]+(\.[^\s.*>]+)*$`, "not", form("pattern", `^evrun\.`))
	patternForm      = form("type", "string", "minLength", 1, "if", form("pattern", `^evrun\.[^*>]*$`), "then", form("enum", ownTypes()))
	computedTypeForm = form("type", []any{"string", "number", "boolean"}, "not", form("pattern", `^evrun\.|^$`))
	count            = form("type", "integer", "minimum", 1)
	anything         = form()
	instantForm      = form("type", "string", "pattern", `^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*(Z|[+-][0-9]{2}:[0-9]{2})$`)
	nameForm         = form("type", []any{"string", "number", "boolean"}, "pattern", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
	duration         = form("type", "string", "pattern", `^([0-9]+(\.[0-9]+)?d)?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`, "minLength", 2)
)

// form makes a schema of keywords and their values.
func form(keywords ...any) map[string]any {
	s := make(map[string]any, len(keywords)/2+1)
	for i := 0; i < len(keywords); i += 2 {
		s[keywords[i].(string)] = keywords[i+1]
	}
	return s
}

func def(name string) map[string]any {
	return form("$ref", "#/$defs/"+strings.ReplaceAll(name, " ", "-"))
}

func words(list ...string) map[string]any { return form("enum", anyOf(list)) }

func anyOf(list []string) []any {
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	return values
}

func either(forms ...any) map[string]any { return form("anyOf", forms) }

func oneOrMany(one map[string]any) map[string]any {
	return either(one, form("type", "array", "items", one, "minItems", 1))
}

func nullable(s map[string]any) map[string]any { return either(s, form("type", "null")) }

func requireOne(keys ...string) []any {
	list := make([]any, len(keys))
	for i, k := range keys {
		list[i] = form("required", []any{k})
	}
	return list
}

// kindSchemas say which kinds there are, and which inputs each takes.
func kindSchemas() []any {
	var list, names []any
	for _, k := range handlers.Kinds() {
		names = append(names, form("const", k.Name, "description", k.Doc))
		inputs := k.Schema()
		then := form("properties", form("with", inputs))
		if inputs["required"] != nil {
			then["required"] = []any{"with"}
		} else {
			then = form("properties", form("with", nullable(inputs)))
		}
		list = append(list, form("if", form("properties", form("do", form("const", k.Name)), "required", []any{"do"}), "then", then))
	}
	return append([]any{form("properties", form("do", form("oneOf", names)))}, list...)
}
