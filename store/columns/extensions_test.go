package columns

import (
	"fmt"
	"testing"

	"evrun/events"
)

func TestExtensionsGoThroughTheirColumn(t *testing.T) {
	for _, e := range []*events.Event{
		{},
		{Extensions: map[string]any{"a": "x", "n": int64(9007199254740993), "yes": true}},
		{Target: "save", ReplayOf: 41},
		{Target: "save<\u0085>", ReplayOf: 1, Extensions: map[string]any{"a": "@target"}},
		{ReplayOf: 7},
	} {
		v, err := EncodeExtensions(e)
		if err != nil {
			t.Fatal(err)
		}
		var got events.Event
		if text, ok := v.(string); ok {
			if err := DecodeExtensions(&got, text); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", *e) {
			t.Errorf("%+v became %v and then %+v", *e, v, got)
		}
	}
}

// Events of an older evrun may have extensions with the names that targeted events have now.
func TestExtensionsWithNamesThatAreTakenAreRenamed(t *testing.T) {
	var e events.Event
	if err := DecodeExtensions(&e, `{"target":"save","replayof":5,"x":"y"}`); err != nil {
		t.Fatal(err)
	}
	if e.Target != "" || e.ReplayOf != 0 || fmt.Sprint(e.Extensions) != "map[senderreplayof:5 sendertarget:save x:y]" {
		t.Errorf("%+v", e)
	}
	e.Type = "a"
	if _, err := e.AppendJSON(nil); err != nil {
		t.Error(err)
	}
}
