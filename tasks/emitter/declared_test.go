package emitter_test

import (
	"errors"
	"testing"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/schema"
)

// userType is user.registered with a schema.
func userType(t testing.TB) emitter.EventType {
	t.Helper()
	doc, err := events.ParseJSON([]byte(`{"type": "object", "required": ["name", "email"],
		"properties": {"name": {"type": "string"}, "email": {"type": "string", "format": "email"}, "age": {"type": "integer"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s, faults := schema.Compile(doc)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return emitter.EventType{Type: "user.registered", Schema: s}
}

func TestEventsThatBreakTheirSchemaAreRefusedWithAllThatIsWrong(t *testing.T) {
	em := emitter.New(nil, 0)
	em.Declare([]emitter.EventType{userType(t), {Type: "note"}}, false)
	for _, test := range []struct {
		name string
		e    events.Event
		want string // empty: accepted
	}{
		{"right", events.Event{Type: "user.registered", Data: []byte(`{"name":"Ada","email":"ada@example.com","age":9007199254740993}`)}, ""},
		{"two faults", events.Event{Type: "user.registered", Data: []byte(`{"email":"ada","age":1}`)},
			`the data doesn't fit the schema of user.registered: /email: "ada" is not a valid email: missing @; /name: is missing`},
		{"no data", events.Event{Type: "user.registered"}, `the event has no data, so it doesn't fit the schema of user.registered: must be an object, not null`},
		{"no JSON", events.Event{Type: "user.registered", DataContentType: "text/plain", Data: []byte("Ada")},
			`the data doesn't fit the schema of user.registered: must be an object, not the string "Ada"`},
		{"a type without a schema", events.Event{Type: "note", Data: []byte(`5`)}, ""},
		{"a type that is not declared", events.Event{Type: "other", Data: []byte(`5`)}, ""},
	} {
		err := em.Check(&test.e)
		if got := ""; err != nil {
			if got = err.Error(); got != test.want {
				t.Errorf("%s: %s", test.name, got)
			}
			var refused *emitter.RefusedError
			if !errors.As(err, &refused) || len(refused.Violations) == 0 {
				t.Errorf("%s: %#v", test.name, err)
			}
		} else if test.want != "" {
			t.Errorf("%s: accepted", test.name)
		}
	}
	_, err := em.Emit(t.Context(), &events.Event{Type: "note"}, &events.Event{Type: "user.registered"})
	var refused *emitter.RefusedError
	if !errors.As(err, &refused) || refused.Event != 2 {
		t.Errorf("of several, the second is refused: %#v", err)
	}
}

func TestStrictTypesRefuseWhatIsNotDeclared(t *testing.T) {
	em := emitter.New(nil, 0)
	em.Declare([]emitter.EventType{{Type: "user.registered"}, {Type: "user.created"}}, true)
	if err := em.Check(&events.Event{Type: "user.registered"}); err != nil {
		t.Error(err)
	}
	err := em.Check(&events.Event{Type: "user.registred"})
	if err == nil || err.Error() != `type "user.registred" is not declared, and strict_types refuses such; did you mean "user.registered"?` {
		t.Error(err)
	}
	em.Declare(nil, true)
	if err := em.Check(&events.Event{Type: "user.registered"}); err == nil {
		t.Error("accepted, though nothing is declared")
	}
	em.Declare(nil, false)
	if err := em.Check(&events.Event{Type: "user.registred"}); err != nil {
		t.Error(err)
	}
}

func BenchmarkCheckEvent(b *testing.B) {
	data := []byte(`{"name":"Ada Lovelace","email":"ada@example.com","age":36}`)
	for _, test := range []struct {
		name  string
		types []emitter.EventType
	}{{"nothing declared", nil}, {"another type declared", []emitter.EventType{func() emitter.EventType { t := userType(b); t.Type = "x"; return t }()}}, {"with a schema", []emitter.EventType{userType(b)}}} {
		b.Run(test.name, func(b *testing.B) {
			em := emitter.New(nil, 0)
			em.Declare(test.types, false)
			b.ReportAllocs()
			for b.Loop() {
				e := events.Event{ID: "1", Source: "/bench", Type: "user.registered", Data: data}
				if err := em.Check(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
