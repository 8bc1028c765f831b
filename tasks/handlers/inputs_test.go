package handlers

import (
	"slices"
	"testing"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fields"
)

// sample has an input of each type; the kinds to come use them.
type sample struct {
	Every  time.Duration                   `key:"every" default:"30s" doc:"D."`
	Count  int                             `key:"count" doc:"D."`
	Loud   bool                            `key:"loud" doc:"D."`
	Args   []*expression.Template          `key:"args" doc:"D."`
	Header map[string]*expression.Template `key:"header" doc:"D."`
	Text   *expression.Template            `key:"text" doc:"D."`
	Plain  string                          `key:"plain" doc:"D."`
}

func decodeSample(with map[string]any) (sample, []toldFault) {
	var s sample
	return s, faultsOf(fields.Decode(&s, with, fields.Options{Owner: "sample", Context: expression.HandlerWith}))
}

func TestInputsOfEveryType(t *testing.T) {
	s, faults := decodeSample(map[string]any{
		"every": "1m30s", "count": int64(3), "loud": true, "args": []any{"-x", int64(5), "${ data.a }"}, "header": map[string]any{"A": "b", "N": 1.5},
		"text": false, "plain": "${ as it is",
	})
	if faults != nil {
		t.Fatal(faults)
	}
	texts := func(ts ...*expression.Template) (list []string) {
		for _, t := range ts {
			list = append(list, t.String())
		}
		return list
	}
	if s.Every != 90*time.Second || s.Count != 3 || !s.Loud || s.Plain != "${ as it is" ||
		!slices.Equal(texts(s.Args...), []string{"-x", "5", "${ data.a }"}) ||
		!slices.Equal(texts(s.Header["A"], s.Header["N"], s.Text), []string{"b", "1.5", "false"}) {
		t.Errorf("%+v", s)
	}
	if s, faults := decodeSample(map[string]any{"args": "one"}); faults != nil || len(s.Args) != 1 || s.Every != 30*time.Second {
		t.Errorf("%+v, %v", s, faults)
	}
	if s, faults := decodeSample(map[string]any{"args": int64(5)}); faults != nil || len(s.Args) != 1 || s.Args[0].String() != "5" {
		t.Errorf("%+v, %v", s, faults)
	}
	if s, faults := decodeSample(map[string]any{"text": float64(1000000)}); faults != nil || s.Text.String() != "1000000" {
		t.Errorf("%+v, %v", s, faults)
	}
}

func TestWrongInputsOfEveryType(t *testing.T) {
	for _, test := range []struct {
		with map[string]any
		want []toldFault
	}{
		{map[string]any{"every": int64(5)}, []toldFault{{path: "every", msg: `"every": a duration needs a unit`, hint: "write 5s, if seconds are meant"}}},
		{map[string]any{"every": true}, []toldFault{{path: "every", msg: `"every": "true" is not a valid duration`, hint: "write it with its unit: 500ms, 5s, 10m, 2h or 30d"}}},
		{map[string]any{"every": "soon"}, []toldFault{{path: "every", msg: `"every": "soon" is not a valid duration`, hint: "write it with its unit: 500ms, 5s, 10m, 2h or 30d"}}},
		{map[string]any{"every": "-1s"}, []toldFault{{path: "every", msg: `"every": a duration can't be negative`}}},
		{map[string]any{"count": "3"}, []toldFault{{path: "count", msg: `"count" must be a whole number, not the text "3"`}}},
		{map[string]any{"count": 1.5}, []toldFault{{path: "count", msg: `"count" must be a whole number, not the number 1.5`}}},
		{map[string]any{"count": uint64(1) << 63}, []toldFault{{path: "count", msg: `"count" can be 9223372036854775807 at most`}}},
		{map[string]any{"loud": "yes"}, []toldFault{{path: "loud", msg: `"loud" must be true or false, not the text "yes"`, hint: "write true"}}},
		{map[string]any{"args": map[string]any{}}, []toldFault{{path: "args", msg: `"args" must be a text or a list, not a mapping`}}},
		{map[string]any{"args": []any{"a", nil, "${ x }"}}, []toldFault{
			{path: "args[1]", msg: `an item of "args" is empty`, hint: "leave its dash out", key: true}, {path: "args[2]", msg: `unknown name "x"`, hint: "write data.x", offset: 3},
		}},
		{map[string]any{"args": "${"}, []toldFault{{path: "args", msg: `"${" is not closed`, hint: `close it with "}", or write "$${" for a plain "${"`}}},
		{map[string]any{"header": []any{}}, []toldFault{{path: "header", msg: `"header" must be a mapping, not a list`}}},
		{map[string]any{"header": map[string]any{"a": "${}"}}, []toldFault{{path: "header.a", msg: "the expression is empty", offset: 2}}},
		{map[string]any{"plain": int64(1)}, []toldFault{{path: "plain", msg: `"plain" must be a text, not the number 1`, hint: `quote it: "1"`}}},
		{map[string]any{"other": int64(1)}, []toldFault{{path: "other", msg: `unknown key "other" in sample`, hint: "its keys are every, count, loud, args, header, text and plain", key: true}}},
	} {
		if _, got := decodeSample(test.with); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got  %+v\n want %+v", test.with, got, test.want)
		}
	}
}
