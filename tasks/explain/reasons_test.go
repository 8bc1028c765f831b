package explain

import (
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/expression"
)

// The reason of a skipped run names the part of the condition that was false, with the values that it read.
func TestReasonsOfSkippedRuns(t *testing.T) {
	r := &Reasons{Redact: func(text string) string { return strings.ReplaceAll(text, "hunter2", "[secret]") }}
	long := strings.Repeat("x", 500)
	for _, x := range []struct{ when, data, want string }{
		{`data.total > 100`, `{"total":42}`, `when: data.total > 100 is false: data.total is 42`},
		{`data.total > 100 and data.plan == "pro"`, `{"total":42,"plan":"pro"}`, `when: data.total > 100 is false: data.total is 42`},
		{`data.a == 1 or data.b == 2`, `{"a":0,"b":0}`, `when: data.a == 1 is false: data.a is 0; data.b == 2 is false: data.b is 0`},
		{`not data.test`, `{"test":true}`, `when: data.test is true`},
		{`data.password != "hunter2"`, `{"password":"hunter2"}`, `when: data.password != "[secret]" is false: data.password is "[secret]"`},
		{`data.n > data.m`, `{"n":1,"m":2}`, `when: data.n > data.m is false: data.n is 1, data.m is 2`},
		{`data.name == "x"`, `{"name":"` + long + `"}`, `when: data.name == "x" is false: data.name is "` + long[:58] + `…`},
		{`data.total > 100`, `{"total":142}`, `when: data.total > 100 was false, and is true today`},
		{`data.x.y == 1`, `{}`, `when: data.x.y == 1 was false, and can't be evaluated any more: `},
		{`gone(data.x)`, `{}`, `when: gone(data.x) was false, and can't be evaluated any more: `},
		{`data.a or data.b or data.c or data.d or data.e`, `{"a":false,"b":false,"c":false,"d":false,"e":false}`,
			`when: data.a is false; data.b is false; data.c is false; and 2 more`},
	} {
		for range 2 { // compiled, and kept
			got := r.Skipped(x.when, expression.NewEnv(&events.Event{Type: "a.b", Data: []byte(x.data)}))
			began := strings.HasSuffix(x.want, ": ") && strings.HasPrefix(got, x.want) // what follows is the error
			if got != x.want && !began {
				t.Errorf("%s with %s:\ngot  %s\nwant %s", x.when, x.data, got, x.want)
			}
		}
	}
	for _, x := range []struct{ when, data, want string }{
		{`data.total > 100`, `{"total":42}`, `{"text":"data.total > 100","value":false,"why":[{"part":"data.total > 100","value":false,"reads":[{"name":"data.total","value":42}]}]}`},
		{`data.total > 100`, `{"total":142}`, `{"text":"data.total > 100","value":true,"why":[{"part":"data.total > 100","value":true,"reads":[{"name":"data.total","value":142}]}]}`},
		{`data.p != "hunter2"`, `{"p":"hunter2"}`, `{"text":"data.p != \"[secret]\"","value":false,"why":[{"part":"data.p != \"[secret]\"","value":false,"reads":[{"name":"data.p","value":"\"[secret]\""}]}]}`},
		{`len(data.name) < 3`, `{"name":"` + long + long + long + `"}`, `{"text":"len(data.name) < 3","value":false,"why":[{"part":"len(data.name) < 3","value":false,"reads":[{"name":"data.name","value":"\"` + strings.Repeat("x", 998) + `…"}]}]}`},
	} {
		if text, err := events.MarshalJSON(r.Condition(x.when, expression.NewEnv(&events.Event{Type: "a.b", Data: []byte(x.data)}))); err != nil || string(text) != x.want {
			t.Errorf("%s:\ngot  %s\nwant %s", x.when, text, x.want)
		}
	}
	if got := r.Condition("data.x.y == 1", expression.NewEnv(&events.Event{Type: "a.b", Data: []byte("{}")})); got.Value || !strings.Contains(got.Error, "data.x is nil") {
		t.Errorf("%+v", got)
	}
	if got := r.Skipped("data.x", nil); got != "when: data.x was false" {
		t.Error(got)
	}
}
