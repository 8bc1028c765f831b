package handlers

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/fault"
)

func TestATypeThatIsWrittenOutHasToBeGood(t *testing.T) {
	_, errs := Build("emit", map[string]any{"events": []any{map[string]any{"type": "a"}, map[string]any{"type": "a..b"}}}, Deps{})
	if len(errs) != 1 || fault.Path(errs[0].Path) != "events[1].type" || errs[0].Message == "" {
		t.Errorf("%v", errs)
	}
	if _, errs := Build("emit", map[string]any{"type": "${ data.type }"}, Deps{}); errs != nil {
		t.Errorf("%v", errs)
	}
}

func TestEmitGivesOneEvent(t *testing.T) {
	for _, test := range []struct {
		with  map[string]any
		event emission.Draft
	}{
		{map[string]any{"type": "a.${ data.kind }"}, emission.Draft{Type: "a.x", Data: json.RawMessage(`{"kind":"x","n":1}`)}},
		{map[string]any{"type": "a", "subject": "s/${ data.n }", "data": map[string]any{"m": "${ data.n + 1 }"}},
			emission.Draft{Type: "a", Subject: "s/1", Data: map[string]any{"m": 2}}},
		{map[string]any{"type": "a", "data": nil}, emission.Draft{Type: "a"}},
		{map[string]any{"type": "a", "data": "${ data.kind }"}, emission.Draft{Type: "a", Data: "x"}},
	} {
		got := emitOnce(t, test.with, delivery(`{"kind":"x","n":1}`))
		if want := (&emission.WithEvents{Events: []emission.Draft{test.event}, Result: map[string]any{"events": 1}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %+v, want %+v", test.with, got, want)
		}
	}

	d := delivery("")
	if got := emitOnce(t, map[string]any{"type": "a"}, d); got.(*emission.WithEvents).Events[0].Data != nil {
		t.Errorf("data of an event without: %+v", got)
	}
	d = delivery("plain")
	d.Event.DataContentType = "text/plain"
	if got := emitOnce(t, map[string]any{"type": "a"}, d); got.(*emission.WithEvents).Events[0].Data != "plain" {
		t.Errorf("data of a text event: %+v", got)
	}
}

func TestEmitGivesManyEvents(t *testing.T) {
	with := map[string]any{"events": []any{
		map[string]any{"type": "a", "data": int64(1)},
		map[string]any{"type": "b", "data": []any{"${ data.n }"}, "subject": "s"},
	}}
	want := &emission.WithEvents{
		Events: []emission.Draft{{Type: "a", Data: int64(1)}, {Type: "b", Subject: "s", Data: []any{2}}},
		Result: map[string]any{"events": 2},
	}
	if got := emitOnce(t, with, delivery(`{"n":2}`)); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	action := build[tasks.Computed](t, "emit", with, Deps{})
	if _, err := action.Compute(delivery(`3`)); err == nil || !strings.HasPrefix(err.Error(), "events[1].data: data is the number 3") {
		t.Errorf("%v", err)
	}
}

func emitOnce(t *testing.T, with map[string]any, d *tasks.Delivery) any {
	t.Helper()
	result, err := build[tasks.Computed](t, "emit", with, Deps{}).Compute(d)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
