package expression

import (
	"errors"
	"fmt"
	"testing"

	"evrun/events"
)

func TestExpandLetsTheCallerEscape(t *testing.T) {
	env := NewEnv(&events.Event{Type: "a.b", Data: []byte(`{"s":"x y","n":7,"z":null}`)})
	bracket := func(before, value string) (string, error) { return fmt.Sprintf("<%d:%s>", len(before), value), nil }
	for src, want := range map[string]string{
		"plain":                       "plain",
		"$${ data.s }":                "${ data.s }",
		"${ data.s }":                 "<0:x y>",
		"a${ data.s }b${ data.n }":    "a<1:x y>b<9:7>",
		"${ event.type }${ data.n }c": "<0:a.b><7:7>c",
	} {
		x, err := CompileTemplate(src, HandlerWith)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Expand(env, bracket); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", src, got, err, want)
		}
	}

	x, err := CompileTemplate("a${ data.z }", HandlerWith)
	if err != nil {
		t.Fatal(err)
	}
	var fault *Error
	if _, err := x.Expand(env, bracket); !errors.As(err, &fault) || fault.Offset != 3 {
		t.Errorf("nil: %v", err)
	}
	refusal := errors.New("no")
	x, err = CompileTemplate("a${ data.s }", HandlerWith)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Expand(env, func(string, string) (string, error) { return "", refusal }); !errors.Is(err, refusal) {
		t.Errorf("the caller's error: %v", err)
	}
}

func TestATemplateTellsWhatItIsMadeOf(t *testing.T) {
	for src, want := range map[string]struct {
		prefix  string
		ofEvent bool
	}{
		"":                        {"", false},
		"plain":                   {"plain", false},
		"$${x":                    {"${x", false},
		"a${ data.s }":            {"a", true},
		"${ data.s }a":            {"", true},
		"${ event.type }":         {"", true},
		`a${ env("X") }`:          {"a", false},
		`${ env("X") + "/" }b`:    {"", false},
		`${ env(data.name) }`:     {"", true},
		`${ upper(data.name) }`:   {"", true},
		`${ let a = data; a.s }`:  {"", true},
		`${ 1 + 1 }`:              {"", false},
		`${ file("x") }${ data }`: {"", true},
	} {
		x, err := CompileTemplate(src, HandlerWith)
		if err != nil {
			t.Fatal(err)
		}
		if x.Prefix() != want.prefix || x.OfEvent() != want.ofEvent {
			t.Errorf("%s: prefix %q, of the event: %v", src, x.Prefix(), x.OfEvent())
		}
	}
}
