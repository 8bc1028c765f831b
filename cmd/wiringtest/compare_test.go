package wiringtest

import (
	"fmt"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/fault"
)

func TestMappingsHaveTheKeysThatCountAndListsAreWhole(t *testing.T) {
	for _, test := range []struct{ want, got, told string }{
		{`{"a":1}`, `{"a":1,"b":2}`, ""},
		{`{}`, `{"a":1}`, ""},
		{`{"a":1.0,"big":9007199254740993}`, `{"a":1,"big":9007199254740993}`, ""},
		{`{"big":9007199254740992}`, `{"big":9007199254740993}`, "big: 9007199254740992, 9007199254740993"},
		{`{"a":null}`, `{}`, ""},
		{`{"a":1}`, `{}`, "a: 1, nothing"},
		{`{"a":1}`, `{"a":"1"}`, `a: 1, "1"`},
		{`{"a":{"b":[1,{"c":2}]}}`, `{"a":{"b":[1,{"c":3,"d":4}]}}`, "a.b[1].c: 2, 3"},
		{`{"a":[1,2]}`, `{"a":[1]}`, "a: [1,2], [1]"},
		{`{"a":[]}`, `{"a":null}`, "a: [], null"},
		{`{"a":{}}`, `{"a":[]}`, "a: {}, []"},
		{`{"a":true}`, `{"a":{"b":1}}`, `a: true, {"b":1}`},
		{`{"error":"no answer"}`, `{"error":"call: no answer from x"}`, ""},
		{`{"with":{"error":"no"}}`, `{"with":{"error":"no answer"}}`, `with.error: "no", "no answer"`},
	} {
		var told []string
		c := comparison{}
		diff(decoded(t, test.want), decoded(t, test.got), nil, func(path []any, want, got string) {
			told = append(told, fmt.Sprintf("%s: %s, %s", fault.Path(path), want, got))
		}, c.text)
		if got := strings.Join(told, "; "); got != test.told {
			t.Errorf("%s against %s: %q, want %q", test.want, test.got, got, test.told)
		}
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	v, err := events.ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsGeneralLeavesTheParticularItsMatch(t *testing.T) {
	fits := [][]int{{0, 1, 2}, {0}, {0, 1}} // what each of three would take
	match := assign(3, 3, func(i, j int) bool {
		for _, f := range fits[i] {
			if f == j {
				return true
			}
		}
		return false
	})
	if fmt.Sprint(match) != "[2 0 1]" {
		t.Error(match)
	}
	if match := assign(2, 1, func(int, int) bool { return true }); fmt.Sprint(match) != "[0 -1]" {
		t.Error(match)
	}
}
