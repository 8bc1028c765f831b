package expression

import (
	"errors"
	"fmt"
	"testing"

	"evrun/events"
)

func TestExpandLetsTheCallerEscape(t *testing.T) {
	env := NewEnv(&events.Event{Type: "a.b", Data: []byte(`{"s":"x y","n":7,"z":null}`)})
	bracket := func(p Piece) (string, error) { return fmt.Sprintf("<%d:%s>", len(p.Before), p.Value), nil }
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
	if _, err := x.Expand(env, func(Piece) (string, error) { return "", refusal }); !errors.Is(err, refusal) {
		t.Errorf("the caller's error: %v", err)
	}
}

func TestAPrefixIsWhatStandsBeforeTheFirstValue(t *testing.T) {
	for src, want := range map[string]string{
		"": "", "plain": "plain", "$${x": "${x", "a${ data.s }b": "a", "$${a${ data.s }": "${a", "${ data.s }a": "", "${ data.s }": "",
	} {
		x, err := CompileTemplate(src, HandlerWith)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Prefix(); got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

func TestAPieceTellsWhetherItIsOfTheEvent(t *testing.T) {
	t.Setenv("EVRUN_TEST_X", "x")
	env := NewEnv(&events.Event{Type: "a", Data: []byte(`{"s":"EVRUN_TEST_X"}`)})
	for src, want := range map[string]bool{
		"data.s": true, "event.type": true, `env("EVRUN_TEST_X")`: false, `env("EVRUN_TEST_X") + "/"`: false,
		"upper(data.s)": true, "let a = data; a.s": true, "1 + 1": false, `env("EVRUN_TEST_X") + event.type`: true,
	} {
		x, err := CompileTemplate("${ "+src+" }", HandlerWith)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Expand(env, func(p Piece) (string, error) {
			if p.OfEvent != want {
				t.Errorf("%s: %v", src, p.OfEvent)
			}
			return "", nil
		}); err != nil {
			t.Error(err)
		}
	}
}
