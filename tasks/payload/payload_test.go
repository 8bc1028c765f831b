package payload

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"evrun/events"
)

func TestSetKeepsWhatItDoesNotChange(t *testing.T) {
	for _, tt := range []struct{ data, path, value, want string }{
		{`{"b": 9007199254740993 , "a":1.10}`, "a", `"x"`, `{"b": 9007199254740993 , "a":"x"}`},
		{`{"b":1}`, "currency", `"EUR"`, `{"b":1,"currency":"EUR"}`},
		{``, "a.b.c", `1`, `{"a":{"b":{"c":1}}}`},
		{`{}`, "a", `null`, `{"a":null}`},
		{`{"a":{"b":[{"p":1},{"p":2}]}, "z": 0}`, "a.b.1.p", `[3]`, `{"a":{"b":[{"p":1},{"p":[3]}]}, "z": 0}`},
		{`{"a.b":1,"a":{"b":2}}`, "a.b", `3`, `{"a.b":3,"a":{"b":2}}`},
		{`{"a":{"b":2}}`, `a\.b`, `3`, `{"a":{"b":2},"a.b":3}`},
		{`{"a":1,"a":2}`, "a", `3`, `{"a":1,"a":3}`},
		{`{"\u0061":1}`, "a", `2`, `{"\u0061":2}`},
		{`[1,2]`, "0", `5`, `[5,2]`},
		{`{"a":{}}`, "a.é<", `1`, `{"a":{"é<":1}}`},
	} {
		got, err := Set(json.RawMessage(tt.data), []Field{{tt.path, json.RawMessage(tt.value)}})
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s = %s: %s, %v", tt.data, tt.path, tt.value, got, err)
		}
	}
}

func TestSetSaysWhatIsInTheWay(t *testing.T) {
	for _, tt := range []struct{ data, path, value, want string }{
		{`{"a":"text"}`, "a.b", `1`, "a.b can't be set: a is a string"},
		{`5`, "a", `1`, "the data is a number"},
		{`{"a":[1]}`, "a.7", `1`, `a is a list of 1, and has no element "7"`},
		{`{}`, "", `1`, "path of a field"},
		{`{}`, "a..b", `1`, "path of a field"},
		{`{}`, "a", `{`, "the value of a"},
	} {
		if _, err := Set(json.RawMessage(tt.data), []Field{{tt.path, json.RawMessage(tt.value)}}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s = %s: %v", tt.data, tt.path, tt.value, err)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,{"c":2}]},"x":" \n"}`), "a.b.1.c", []byte(`"y"`))
	f.Add([]byte(`{"a.b":1}`), "a.b", []byte(`{}`))
	f.Add([]byte(" { \"a\" : [ ] } "), "a.b", []byte(`1`))
	f.Add([]byte(`{}`), "a.b", []byte(" 1 "))
	f.Fuzz(func(t *testing.T, data []byte, path string, value []byte) {
		if events.CheckJSON(data) != nil {
			return
		}
		got, err := Set(data, []Field{{path, value}})
		if err != nil {
			return
		}
		if err := events.CheckJSON(got); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		again, err := Set(got, []Field{{path, value}})
		if err != nil || string(again) != string(got) {
			t.Fatalf("first %s, then %s: %v", got, again, err)
		}
	})
}

func TestDiffShowsWhatChanged(t *testing.T) {
	for _, tt := range []struct{ before, after, want string }{
		{`{"a":1,"b":2,"c":3,"d":4}`, `{"a":1,"b":2,"c":5,"d":4}`, "…| \"b\": 2,|- \"c\": 3,|+ \"c\": 5,| \"d\": 4|…"},
		{`{}`, `{"a":1}`, "-{}|+{|+ \"a\": 1|+}"},
		{`{"a":1}`, `{"a":1}`, "…"},
		{``, `1`, "+1"},
		{"plain\ntext", `"x"`, "-plain|-text|+\"x\""},
	} {
		var got []string
		for _, l := range Diff([]byte(tt.before), []byte(tt.after), 1) {
			got = append(got, strings.TrimSpace(strings.Replace(string(l.Mark)+l.Text, "  ", " ", 1)))
		}
		want := strings.ReplaceAll(tt.want, "| ", "|")
		if fmt.Sprint(strings.Join(got, "|")) != want {
			t.Errorf("%s to %s: %s, want %s", tt.before, tt.after, strings.Join(got, "|"), want)
		}
	}
}
