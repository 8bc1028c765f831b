package tasks_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// forEach decodes an entry of emit with a for_each.
func forEach(t testing.TB, keys map[string]any) emission.Entry {
	t.Helper()
	var in struct {
		Type    *expression.Template `key:"type" doc:"x"`
		Subject *expression.Template `key:"subject" doc:"x"`
		Data    *expression.Value    `key:"data" doc:"x"`
		ForEach *expression.List     `key:"for_each" doc:"x"`
	}
	if faults := fields.Decode(&in, keys, fields.Options{Owner: "it", Context: expression.HandlerEmit.WithItem()}); len(faults) > 0 {
		t.Fatal(faults)
	}
	return emission.Entry{Type: in.Type, Subject: in.Subject, Data: in.Data, ForEach: in.ForEach}
}

// outline writes events in the order of the journal, without those of a type.
func (d *daemon) outline(without string) (lines []string) {
	d.t.Helper()
	evs, err := store.AllEvents(context.Background(), d.store, store.EventQuery{})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range evs {
		if e.Type != without {
			_, name, _ := strings.Cut(e.ID, ".")
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", name, e.Type, e.Subject, e.Data)))
		}
	}
	return lines
}

func seenRows(t testing.TB, emit ...emission.Entry) *tasks.Handler {
	t.Helper()
	h := sqlHandler(t, map[string]any{"statement": "INSERT INTO seen (n) VALUES (1), (2) RETURNING n", "migrate": "CREATE TABLE seen (n INTEGER)"})
	h.Emit = emit
	return h
}

// Whether the list is known before the effect or not, there is one event for each element, in order, in the transaction of the run.
func TestForEachElementThereIsAnEvent(t *testing.T) {
	plain := emits(t, "plain")[0]
	const data = `{"list": ["a", {"k": 1}], "none": []}`
	outside := func(emit ...emission.Entry) *tasks.Handler {
		return &tasks.Handler{Name: "h", On: on("x"), Emit: emit, Action: outsideFunc(func(context.Context, *tasks.Delivery) (any, error) {
			return map[string]any{"rows": []any{map[string]any{"n": 1}, map[string]any{"n": 2}}}, nil
		})}
	}
	for name, test := range map[string]struct {
		h    *tasks.Handler
		want []string
	}{
		"an outside handler": {
			outside(forEach(t, map[string]any{"type": "y", "for_each": "data.list"})),
			[]string{`1.1 y  "a"`, `1.2 y  {"k":1}`},
		},
		"its result": {
			outside(plain, forEach(t, map[string]any{"type": "y.${ item.n }", "for_each": "result.rows", "subject": "${ index }"}), plain),
			[]string{`1 plain  {"rows":[{"n":1},{"n":2}]}`, `2.1 y.1 0 {"n":1}`, `2.2 y.2 1 {"n":2}`, `3 plain  {"rows":[{"n":1},{"n":2}]}`},
		},
		"a list that is known before the effect": {
			seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "data.list", "data": map[string]any{"i": "${ index }", "it": "${ item }"}}), emits(t, "z")[0]),
			[]string{`1.1 y  {"i":0,"it":"a"}`, `1.2 y  {"i":1,"it":{"k":1}}`, `2 z  {"changes":2,"row":{"n":1},"rows":[{"n":1},{"n":2}]}`},
		},
		"a list that is known, of events with the result": {
			seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "data.list", "data": "${ [result.changes, item, data.list[0]] }"})),
			[]string{`1.1 y  [2,"a","a"]`, `1.2 y  [2,{"k":1},"a"]`},
		},
		"the rows of a statement": {
			seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "result.rows", "data": map[string]any{"n": "${ item.n * 10 + index }", "first": "${ data.list[0] }"}})),
			[]string{`1.1 y  {"first":"a","n":10}`, `1.2 y  {"first":"a","n":21}`},
		},
		"an empty list": {
			seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "data.none"}), forEach(t, map[string]any{"type": "y", "for_each": "filter(result.rows, .n > 2)"}), plain),
			[]string{`3 plain  {"changes":2,"row":{"n":1},"rows":[{"n":1},{"n":2}]}`},
		},
		"two lists": {
			seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "data.list"}), forEach(t, map[string]any{"type": "z", "for_each": "result.rows"})),
			[]string{`1.1 y  "a"`, `1.2 y  {"k":1}`, `2.1 z  {"n":1}`, `2.2 z  {"n":2}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.h.On = on("x")
			d := start(t, path(t), test.h)
			if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", ID: "e", Source: "/test", Data: []byte(data)}); err != nil {
				t.Fatal(err)
			}
			if run := d.settled(1)[0]; run.State != store.Succeeded {
				t.Fatal(run.Error)
			}
			if got := d.outline("x"); !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// What the list decides is bounded, wherever it comes from; the run is dead at once, its effect is undone, and the error says what to do.
func TestTheEventsOfAForEachAreBounded(t *testing.T) {
	const most = "these are 1001 events, and one run emits at most 1000; emit parts of the list, such as data.list[:500], and take each part apart in a second handler"
	emit := func(keys map[string]any) *tasks.Handler {
		action, faults := handlers.Build("emit", keys, handlers.Deps{})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		return &tasks.Handler{Name: "h", Kind: "emit", Action: action}
	}
	long := strings.Repeat("x", 400<<10)
	for name, test := range map[string]struct {
		h    *tasks.Handler
		want string
	}{
		"the kind emit":           {emit(map[string]any{"type": "y", "for_each": "0..1000"}), most},
		"several of the kind":     {emit(map[string]any{"events": []any{map[string]any{"type": "y", "for_each": "1..500"}, map[string]any{"type": "y", "for_each": "0..500"}}}), most},
		"before the effect":       {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "0..1000"})), most},
		"several":                 {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "1..500"}), forEach(t, map[string]any{"type": "y", "for_each": "0..500"})), most},
		"in the transaction":      {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "map(0..1000, result.changes)"})), most},
		"data":                    {emit(map[string]any{"type": "y", "for_each": "1..20", "data": "${ data.long }"}), "the events have more than 4194304 bytes of data together; emit less for each element"},
		"data of a handler":       {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "1..20", "data": "${ data.long }"})), "the events have more than 4194304 bytes of data together; emit less for each element"},
		"work":                    {emit(map[string]any{"type": "y", "for_each": "1..1000", "data": "${ count(1..100000, # == index) }"}), "it takes more than 2,000,000 steps, the most that the events of a for_each may take together"},
		"work in the transaction": {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "1..1000", "data": "${ count(1..1000, # == result.changes) }"})), tooMuch},
		"nil":                     {emit(map[string]any{"type": "y", "for_each": "data.missing"}), "for_each: data.missing is nil; write 'data.missing ?? []', with the quotes, if there may be none"},
		"nil of a handler":        {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "result.missing"})), "emit: for_each: result.missing is nil; write 'result.missing ?? []', with the quotes, if there may be none"},
		"a map":                   {seenRows(t, forEach(t, map[string]any{"type": "y", "for_each": "result.row"})), "result.row is a map of 1 key, and a list is needed; toPairs(result.row)"},
		"an element":              {emit(map[string]any{"type": "y", "for_each": "[1, 2]", "data": "${ item.x }"}), "for_each, element 0: data: item is the number 1, so it has no \"x\""},
		"a type":                  {seenRows(t, forEach(t, map[string]any{"type": "evrun.${ item }", "for_each": "[\"a\"]"})), `emit: for_each, element 0: type "evrun.a" is evrun's own`},
	} {
		t.Run(name, func(t *testing.T) {
			test.h.On = on("x")
			d := start(t, path(t), test.h)
			if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", ID: "e", Source: "/test", Data: []byte(`{"long": "` + long + `"}`)}); err != nil {
				t.Fatal(err)
			}
			if run := d.settled(1)[0]; run.State != store.Dead || !strings.Contains(run.Error, test.want) || run.Attempt != 1 {
				t.Errorf("after %d attempts: %s", run.Attempt, run.Error)
			}
			if got := d.outline("x"); len(got) != 1 || !strings.Contains(got[0], "evrun.run.dead") {
				t.Errorf("events %.200q", got)
			}
		})
	}
}

// Data that a list repeats is not encoded for each element before it is refused: that would be 1000 times the largest event.
func TestTooMuchDataIsRefusedBeforeItIsMade(t *testing.T) {
	action, faults := handlers.Build("emit", map[string]any{"type": "y", "for_each": "1..1000", "data": "${ data.long }"}, handlers.Deps{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	outside := outsideFunc(func(context.Context, *tasks.Delivery) (any, error) { return nil, nil })
	for name, h := range map[string]*tasks.Handler{
		"the kind emit": {Kind: "emit", Action: action},
		"a handler":     {Action: outside, Emit: []emission.Entry{forEach(t, map[string]any{"type": "y", "for_each": "1..1000", "data": "${ data.long }"})}},
	} {
		t.Run(name, func(t *testing.T) {
			h.Name, h.On = "h", on("x")
			d := start(t, path(t), h)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := d.emitter.Emit(t.Context(), &events.Event{Type: "x", ID: "e", Source: "/test", Data: []byte(`{"long": "` + strings.Repeat("x", 900<<10) + `"}`)}); err != nil {
				t.Fatal(err)
			}
			if run := d.settled(1)[0]; run.State != store.Dead || !strings.Contains(run.Error, "bytes of data together") {
				t.Error(run.State, run.Error)
			}
			runtime.ReadMemStats(&after)
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 {
				t.Errorf("%d MiB were allocated", mib)
			}
		})
	}
}

// Many runs that emit many events each are settled in parts, so that no transaction takes long.
func TestManyRunsWithManyEventsAreSettledInParts(t *testing.T) {
	const runs, each = 40, 900
	for name, entry := range map[string]emission.Entry{
		"foreseen":        forEach(t, map[string]any{"type": "y", "for_each": "1..900", "data": "${ item }"}),
		"with the result": forEach(t, map[string]any{"type": "y", "for_each": "1..900", "data": "${ result.id }"}),
		"from the result": forEach(t, map[string]any{"type": "y", "for_each": "map(1..900, result.id)"}),
	} {
		t.Run(name, func(t *testing.T) {
			var most, all atomic.Int64
			wrote := func(w store.Written) {
				most.Store(max(most.Load(), int64(w.Events)))
				all.Add(int64(w.Events))
			}
			d := startWith(t, path(t), sqlite.Options{Options: store.Options{Wrote: wrote}}, &tasks.Handler{Name: "h", On: on("x"), Action: saveUser, Emit: []emission.Entry{entry}})
			var evs []*events.Event
			for i := range runs {
				evs = append(evs, &events.Event{Type: "x", ID: fmt.Sprint(i), Source: "/test"})
			}
			if _, err := d.emitter.Emit(t.Context(), evs...); err != nil {
				t.Fatal(err)
			}
			for _, run := range d.settled(runs) {
				if run.State != store.Succeeded {
					t.Fatal(run.Error)
				}
			}
			d.stop() // what was written is told after its commit
			if all.Load() != runs*(each+1) || most.Load() > 6000 {
				t.Errorf("%d events, %d of them in one transaction", all.Load(), most.Load())
			}
		})
	}
}
