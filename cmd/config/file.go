package config

import (
	"reflect"
	"slices"
	"sync"

	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/tasks/expression"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// fileKeys are the keys at the top of a wiring file. The values of the wiring's keys are decoded later, item by item: a handler needs the types of
// events, and a test needs the handlers.
type fileKeys struct {
	_ struct{} `owner:"the wiring file"`
	settings.Keys
	StrictTypes bool                            `key:"strict_types" other:"strict" doc:"Refuse events of types that are not declared under events. Default false."`
	Defaults    defaultsKeys                    `key:"defaults" doc:"What every handler has unless it says otherwise."`
	Env         map[string]*expression.Template `key:"env" scope:"env" other:"environment,variables" doc:"Environment variables of all programs of exec, where a handler's own env has no other value. ${ env(\"NAME\") } and ${ file(\"PATH\") } are known in them."`
	PassEnv     []string                        `key:"pass_env" other:"passenv,env_passthrough" doc:"Names of variables of evrun's own environment that all programs of exec get, as far as they are set: [LANG, TZ, HTTP_PROXY]. Without it they get PATH and HOME."`
	wiringKeys
}

// wiringKeys are those of them that an included file can have, too.
type wiringKeys struct {
	Include   []includePattern                 `key:"include,one" hint:"write include: conf.d/*.yaml, or a list" other:"includes,import,imports,files" doc:"Other files with events, schedules, hooks, handlers and tests, relative to this file: team/more.yaml, or a pattern, whose files are read in the order of their names: conf.d/*.yaml. A pattern may match no file. An included file can include others."`
	Events    later[map[eventType]eventOrNull] `key:"events" doc:"The declared types of events, each with a description and a schema of its data."`
	Schedules later[[]scheduleItem]            `key:"schedules" other:"jobs,timers" doc:"Timers that publish events, or do something themselves."`
	Hooks     later[[]hookKeys]                `key:"hooks" other:"webhooks,webhook" doc:"Paths of HTTP that make events of what others send."`
	Handlers  later[[]handlerKeys]             `key:"handlers" other:"tasks" doc:"What is done about events."`
	Tests     later[[]testKeys]                `key:"tests" doc:"What the wiring must do, for evrun test."`
}

// isLater reports whether a key's value is decoded later.
func isLater(name string) bool {
	return slices.Contains([]string{"events", "schedules", "hooks", "handlers", "tests"}, name)
}

// later is a key whose value, a T, is decoded later.
type later[T any] struct{}

func (*later[T]) DecodeField(any, *fields.At) {}

func (*later[T]) FieldShape() fields.Shape {
	t := reflect.TypeFor[T]()
	return fields.Shape{Words: fields.Words(t), Null: true, Details: func() (map[string]any, []fields.Field) {
		return fields.SchemaOf(t), fields.FieldsOf(t)
	}}
}

// eventOrNull is an event type, or null for a type without further keys.
type eventOrNull struct{}

func (*eventOrNull) DecodeField(any, *fields.At) {}

func (*eventOrNull) FieldShape() fields.Shape {
	return fields.Shape{Words: "map", Null: true, Details: func() (map[string]any, []fields.Field) {
		keys := reflect.TypeFor[eventKeys]()
		return map[string]any{"anyOf": []any{fields.Schema(keys), map[string]any{"type": "null"}}}, fields.Of(keys)
	}}
}

// top reads the keys at the top of the file. It leaves the values of the wiring undecoded.
func (d *document) top(root *yaml.Node, s *settings.Reader, w *wiringReader) {
	values := map[string]any{}
	for i := 0; i < len(root.Content); i += 2 {
		name, n := root.Content[i].Value, root.Content[i+1]
		if values[name] = (fields.Unread{}); !isLater(name) {
			values[name] = d.value(n)
		}
	}
	s.Prepare(values)
	var k fileKeys
	s.Note(d.decodeValue(root, values, &k, w))
	w.strict, w.defaults, w.tokens = k.StrictTypes, k.Defaults, k.Tokens()
	_, w.variables = root.Lookup("env")
	w.environment = handlers.Environment{Env: k.Env, Pass: k.PassEnv}
	for _, f := range w.environment.Check() {
		d.report(root, f)
	}
	for _, key := range []string{"env", "pass_env"} {
		if _, n := root.Lookup(key); n != nil {
			w.environmentVersion += " " + w.versionOf(n)
		}
	}
	if _, defaults := root.Lookup("defaults"); defaults != nil {
		w.defaultsVersion = " " + w.versionOf(defaults)
	}
	w.parts = []*yaml.Node{root}
}

// Keys returns the keys of a wiring file, for people.
func Keys() []fields.Field { return fields.Of(reflect.TypeFor[fileKeys]()) }

// keyNames returns a function for the names of the keys of T. They are read once: a key describes all that is below it.
func keyNames[T any]() func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		names := map[string]bool{}
		for _, f := range fields.Of(reflect.TypeFor[T]()) {
			names[f.Name] = true
		}
		return names
	})
}

// named matches the key with a name.
func named(name string) func(fields.Field) bool {
	return func(f fields.Field) bool { return f.Name == name }
}
