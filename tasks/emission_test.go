package tasks_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
	"evrun/tasks/schema"
)

// heavy is an expression with more work than a transaction allows, and little for a worker; %s is the value that it reads.
const heavy = `${ count(1..30000, {# %% 7 == %s}) }`

// tooMuch is the error for it in a transaction.
const tooMuch = "more than 100,000 steps, the most that may be done with a handler's result in the transaction that settles its run; " +
	"emit less, or the result as it is, and compute in a handler of that event"

// emitting compiles a handler's emit.
func emitting(t testing.TB, data any) []emission.Entry {
	t.Helper()
	em := emission.Entry{}
	var err error
	if em.Type, err = expression.CompileTemplate("b", expression.HandlerEmit); err != nil {
		t.Fatal(err)
	}
	if data != nil {
		var faults []*fault.Fault
		if em.Data, faults = expression.CompileValue(data, expression.HandlerEmit); len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	return []emission.Entry{em}
}

// In the writer's transaction work is counted and limited, so a handler with a costly emit only harms itself. The effect is undone, and the error
// says what to do.
func TestAnEmitThatComputesWithTheResultIsBounded(t *testing.T) {
	large := strings.Repeat("x", 900<<10)
	for name, data := range map[string]any{
		"a loop":             fmt.Sprintf(heavy, "result.row.n"),
		"a loop in a tree":   map[string]any{"a": []any{"plain", fmt.Sprintf(heavy, "result.row.n")}},
		"many small ones":    slicesOf(200, `${ count(1..1000, # == result.row.n) }`),
		"a quadratic filter": `${ count(data.list, # in data.list and # != result.row.n) }`,
		"long texts":         slicesOf(100, `${ data.big contains result.row.text }`),
		"a pattern":          `${ data.big matches result.row.text }`,
		"texts in texts":     slicesOf(1000, `x ${ data.big } ${ result.row.n }`),
	} {
		t.Run(name, func(t *testing.T) {
			h := sqlHandler(t, map[string]any{"statement": "INSERT INTO seen (n) VALUES (1) RETURNING n, 'y' AS text", "migrate": "CREATE TABLE seen (n INTEGER)"})
			h.Emit = emitting(t, data)
			at := path(t)
			d := start(t, at, h)
			list, _ := json.Marshal(make([]int, 5000))
			e := &events.Event{Type: "user.registered", ID: "1", Source: "/test", Data: json.RawMessage(`{"big":"` + large + `","list":` + string(list) + `}`)}
			if _, err := d.emitter.Emit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			run := d.settled(1)[0]
			if run.State != store.Dead || run.Attempt != 1 || !strings.HasPrefix(run.Error, "emit: ") || !strings.HasSuffix(run.Error, tooMuch) {
				t.Errorf("%v: %s", run.State, run.Error)
			}
			if rows := rowsOf(t, reader(t, at), "SELECT n FROM seen"); len(rows) != 0 {
				t.Errorf("%d rows of a run that is dead", len(rows))
			}
			if got := d.ofType("evrun.run.dead"); len(got) != 1 {
				t.Errorf("it was announced %d times", len(got))
			}
		})
	}
}

func slicesOf(n int, v any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// Parts that don't need the result are not evaluated in the transaction, so its limit doesn't apply to them.
func TestAnEmitThatDoesNotNeedTheResultIsMadeBeforeTheTransaction(t *testing.T) {
	s, faults := schema.Compile(map[string]any{"properties": map[string]any{"list": map[string]any{"items": map[string]any{"type": "integer"}}}})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	for name, test := range map[string]struct {
		data any
		want string
	}{
		"all of it":     {map[string]any{"n": fmt.Sprintf(heavy, "0"), "list": `${ map(1..40000, #) }`}, `"n":4285`},
		"a part of it":  {map[string]any{"n": fmt.Sprintf(heavy, "0"), "email": "${ result.email }"}, `{"email":"1@example.com","n":4285}`},
		"what it reads": {`${ len(data.id) + len(result.email) }`, "14"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: emitting(t, test.data)}
			d := start(t, path(t), h)
			d.emitter.Declare([]emitter.EventType{{Type: "b", Schema: s}}, false)
			d.emit("a", "1")
			if run := d.settled(1)[0]; run.State != store.Succeeded {
				t.Fatalf("%v: %s", run.State, run.Error)
			}
			if got := d.ofType("b"); len(got) != 1 || !strings.Contains(string(got[0].Data), test.want) {
				t.Errorf("%d events, %.100s", len(got), got[0].Data)
			}
		})
	}
}

func TestAnEmitThatFailsBeforeTheTransactionLeavesNoEffect(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: emitting(t, "${ data.x.y }")})
	d.emit("a", "1")
	run := d.settled(1)[0]
	if run.State != store.Dead || run.Attempt != 1 || !strings.HasPrefix(run.Error, "emit: data: data.x is nil") || users(t, d) != 0 {
		t.Errorf("%v: %s; %d users", run.State, run.Error, users(t, d))
	}
}

// Checking the schema of an event with the result has the same limit.
func TestASchemaIsBoundedInTheTransaction(t *testing.T) {
	s, faults := schema.Compile(map[string]any{"properties": map[string]any{"rows": map[string]any{"items": map[string]any{
		"anyOf": slicesOf(40, map[string]any{"type": "object", "required": []any{"none"}})}}}})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	h := sqlHandler(t, map[string]any{"migrate": "CREATE TABLE seen (n INTEGER)",
		"statement": "INSERT INTO seen WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 1000) SELECT i FROM c RETURNING n"})
	h.Emit = emitting(t, nil)
	d := start(t, path(t), h)
	d.emitter.Declare([]emitter.EventType{{Type: "b", Schema: s}}, false)
	d.emit("user.registered", "1")
	if run := d.settled(1)[0]; run.State != store.Dead || !strings.HasSuffix(run.Error, tooMuch) {
		t.Errorf("%v: %s", run.State, run.Error)
	}

	// With an ordinary schema, the maximum number of rows is within the limit.
	d.emitter.Declare(nil, false)
	d.emit("user.registered", "2")
	if run := d.settled(2)[1]; run.State != store.Succeeded {
		t.Errorf("%v: %s", run.State, run.Error)
	}
}

// A user's attributes may be as large as an event; they are emitted unchanged.
func TestALargeUserIsEmitted(t *testing.T) {
	action, faults := handlers.Build("user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }", "attributes": "${ data.attributes }"}, handlers.Deps{})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	h := &tasks.Handler{Name: "h", On: on("user.registered"), Kind: "user.insert", Action: action, Emit: emitting(t, nil)}
	d := start(t, path(t), h)
	var attributes strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&attributes, `,"k%d":%d`, i, i)
	}
	e := &events.Event{Type: "user.registered", ID: "1", Source: "/test", Data: json.RawMessage(`{"name":"Ada","email":"ada@example.com","attributes":{` + attributes.String()[1:] + `}}`)}
	if _, err := d.emitter.Emit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if run := d.settled(1)[0]; run.State != store.Succeeded {
		t.Fatalf("%v: %s", run.State, run.Error)
	}
	if got := d.ofType("b"); len(got) != 1 || !strings.Contains(string(got[0].Data), `"k59999":59999`) {
		t.Errorf("%d events", len(got))
	}
}

// No file is read in the transaction, even if an event has the text of a file and the result.
func TestFilesAreReadBeforeTheTransaction(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(file, []byte("a note"), 0o600); err != nil {
		t.Fatal(err)
	}
	em := emission.Entry{}
	var err error
	scope := expression.HandlerEmit.In(dir, nil)
	if em.Type, err = expression.CompileTemplate("b", scope); err != nil {
		t.Fatal(err)
	}
	var faults []*fault.Fault
	if em.Data, faults = expression.CompileValue(`${ file("note.txt") } for ${ result.id }: ${ file("note.txt") + result.id }`, scope); len(faults) > 0 {
		t.Fatal(faults)
	}
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Emit: []emission.Entry{em}, Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{Write: func(store.Tx) (any, error) { return map[string]any{"id": "x"}, os.Remove(file) }}, nil
	})})
	d.emit("a", "1")
	if run := d.settled(1)[0]; run.State != store.Succeeded {
		t.Fatalf("%v: %s", run.State, run.Error)
	}
	if got := d.ofType("b"); string(got[0].Data) != `"a note for x: a notex"` {
		t.Errorf("%s", got[0].Data)
	}
}

// The failure of an effect is only known in the transaction. The work of an on_dead that uses it is limited; evrun.run.dead is published even if that
// limit is exceeded.
func TestOnDeadOfAnEffectIsBounded(t *testing.T) {
	fails := insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
		return tasks.Effect{Write: func(store.Tx) (any, error) { return nil, tasks.Permanent(fmt.Errorf("no")) }}, nil
	})
	for name, test := range map[string]struct {
		action tasks.Action
		data   any
		err    string
	}{
		"of the failure":      {fails, fmt.Sprintf(heavy, "len(error)"), "no\non_dead: data: it takes " + tooMuch},
		"beside the failure":  {fails, map[string]any{"n": fmt.Sprintf(heavy, "1"), "error": "${ error }"}, "no"},
		"that can't be made":  {fails, map[string]any{"n": "${ data.x.y }", "error": "${ error }"}, `no` + "\n" + `on_dead: data: data.x is nil, so it has no "y"; "?." reads on where there may be nothing`},
		"of an outside kind":  {failing, fmt.Sprintf(heavy, "len(error)"), "attempt 3 went wrong"},
		"that is evrun's own": {fails, nil, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Kind: "sql", Action: test.action, OnDead: onDeadEntry(t, "gave.up", test.data)})
			d.emit("a", "1")
			if run := d.settled(1)[0]; run.State != store.Dead || run.Error != test.err {
				t.Errorf("%v: %s", run.State, run.Error)
			}
			want := 1
			if strings.Contains(test.err, "on_dead") {
				want = 0
			}
			if got := d.ofType("gave.up"); len(got) != want {
				t.Errorf("on_dead made %d events", len(got))
			}
			if got := d.ofType("evrun.run.dead"); len(got) != 1 {
				t.Errorf("it was announced %d times", len(got))
			}
		})
	}
}

// An emit that uses up the budget leaves on_dead a full one.
func TestOnDeadHasItsOwnBudget(t *testing.T) {
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: emitting(t, fmt.Sprintf(heavy, "result.id")),
		OnDead: onDeadEntry(t, "gave.up", map[string]any{"why": "${ error }"})})
	d.emit("a", "1")
	run := d.settled(1)[0]
	if got := d.ofType("gave.up"); run.State != store.Dead || len(got) != 1 || !strings.Contains(string(got[0].Data), "100,000 steps") || users(t, d) != 0 {
		t.Errorf("%v: %s; %v; %d users", run.State, run.Error, got, users(t, d))
	}
}

// A handler whose emitted event violates the schema has not succeeded: its effect is undone, and it is not retried.
func TestAHandlerThatEmitsWhatBreaksTheSchemaIsDeadAtOnce(t *testing.T) {
	s, faults := schema.Compile(map[string]any{"required": []any{"name", "email"}})
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	for name, test := range map[string]struct{ typ, want string }{
		"schema": {"user.registered", `emit: the data doesn't fit the schema of user.registered: /email: is missing; /name: is missing`},
		"strict": {"user.registred", `emit: type "user.registred" is not declared, and strict_types refuses such; did you mean "user.registered"?`},
	} {
		t.Run(name, func(t *testing.T) {
			typ, err := expression.CompileTemplate(test.typ, expression.HandlerEmit)
			if err != nil {
				t.Fatal(err)
			}
			data, faults := expression.CompileValue(map[string]any{"id": "${ data.id }"}, expression.HandlerEmit)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a"), Action: saveUser, Emit: []emission.Entry{{Type: typ, Data: data}}})
			d.emitter.Declare([]emitter.EventType{{Type: "user.registered", Schema: s}, {Type: "a"}}, true)
			d.emit("a", "1")
			run := d.settled(1)[0]
			if run.State != store.Dead || run.Attempt != 1 || run.Error != test.want {
				t.Errorf("%+v", run)
			}
			if n := users(t, d); n != 0 {
				t.Errorf("%d users", n)
			}
			// evrun's own types need no declaration: the dead run is reported.
			if head, err := d.store.Head(t.Context()); head != 2 || err != nil {
				t.Errorf("%d events, %v", head, err)
			}
		})
	}
}
