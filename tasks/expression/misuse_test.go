package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"evrun/events"
)

// Each mistake is explained when it is compiled, or else when it is evaluated, and what the hint says compiles and can be evaluated.
func TestMisuseIsExplained(t *testing.T) {
	text, number, truth := &Type{Kind: KindString}, &Type{Kind: KindNumber}, &Type{Kind: KindBool}
	data := NewData(&Type{Kind: KindMap, Closed: true, Fields: map[string]*Type{
		"email": text, "name": text, "n": number, "total": number, "ok": truth, "tags": {Kind: KindList, Elem: text}}})
	e := &events.Event{Type: "a", Data: json.RawMessage(`{"email":"ada@example.com","name":"12","n":5,"ok":true,"tags":["a"],"json":"{}"}`)}
	t.Setenv("HOME", "/home/ada")
	for _, test := range []struct {
		src           string
		typed         string // the hint if the type of the data is known
		untyped       string // empty: the same; "-": it can't be seen
		atRunTime     bool   // the untyped one
		typedTooAsRun bool
	}{
		{src: `data.email.contains("@")`, typed: `data.email contains "@"`, untyped: `data.email contains "@", or for a list "@" in data.email`},
		{src: `data.tags.contains("a")`, typed: `"a" in data.tags`, untyped: `data.tags contains "a", or for a list "a" in data.tags`},
		{src: `data.tags.includes("a") and data.ok`, typed: `"a" in data.tags and data.ok`, untyped: `data.tags contains "a" and data.ok, or for a list "a" in data.tags and data.ok`},
		{src: `data.tags contains "a"`, typed: `"a" in data.tags`, atRunTime: true},
		{src: `data.email.startsWith("a")`, typed: `data.email startsWith "a"`},
		{src: `data.email.startswith("a")`, typed: `data.email startsWith "a"`},
		{src: `data.email.endsWith('.com')`, typed: `data.email endsWith '.com'`},
		{src: `data.email.matches("^a")`, typed: `data.email matches "^a"`},
		{src: `data.email =~ "^a"`, typed: `data.email matches "^a"`},
		{src: `data.name.length > 3`, typed: `len(data.name) > 3`, atRunTime: true},
		{src: `data.tags.length > 3`, typed: `len(data.tags) > 3`, atRunTime: true},
		{src: `data.tags.size() > 3`, typed: `len(data.tags) > 3`},
		{src: `len data.name > 3`, typed: `len(data.name) > 3`},
		{src: `length(data.name) > 3`, typed: `len(data.name) > 3`},
		{src: `data.name.toLowerCase() == "x"`, typed: `lower(data.name) == "x"`},
		{src: `data.name.lower() == "x"`, typed: `lower(data.name) == "x"`},
		{src: `data.name?.toUpperCase() == "X"`, typed: `upper(data.name) == "X"`},
		{src: `data.name.trim().lower() == "x"`, typed: `lower(trim(data.name)) == "x"`},
		{src: `data.name.split(",")[0] == "a"`, typed: `split(data.name, ",")[0] == "a"`},
		{src: `data.name.indexOf("x") >= 0`, typed: `indexOf(data.name, "x") >= 0`},
		{src: `data.name.replace("a", "b") == ""`, typed: `replace(data.name, "a", "b") == ""`},
		{src: `data.name.substring(0, 2) == "12"`, typed: `data.name[0: 2] == "12"`},
		{src: `data.tags.join(",") == "a"`, typed: `join(data.tags, ",") == "a"`},
		{src: `data.tags[0].upper() == "A"`, typed: `upper(data.tags[0]) == "A"`},
		{src: `data.name = "x"`, typed: `data.name == "x"`},
		{src: `data.name === "x"`, typed: `data.name == "x"`},
		{src: `data.name !== "x = y"`, typed: `data.name != "x = y"`},
		{src: `data.name <> "x"`, typed: `data.name != "x"`},
		{src: `data.ok & data.ok`, typed: `data.ok and data.ok`},
		{src: `data.ok | data.ok`, typed: `data.ok or data.ok`},
		{src: `data.ok AND NOT data.ok`, typed: `data.ok and not data.ok`},
		{src: `data.ok and data.name`, typed: `data.ok and data.name != ""`, atRunTime: true},
		{src: `data.name and "x"`, typed: `data.name == "x"`},
		{src: `data.ok and "x"`, typed: ``, untyped: `data.ok == "x"`},
		{src: `data.name == "x" or "y"`, typed: `data.name in ["x", "y"]`},
		{src: `!data.name`, typed: `data.name == ""`, atRunTime: true},
		{src: `not data.n`, typed: `data.n == 0`, atRunTime: true},
		{src: `"x" in "text"`, typed: `"text" contains "x"`},
		{src: `"x" in data.name`, typed: `data.name contains "x"`, atRunTime: true},
		{src: `"a" + 1 == "a1"`, typed: `"a" + string(1) == "a1"`},
		{src: `data.name + data.n == ""`, typed: `data.name + string(data.n) == ""`, atRunTime: true},
		{src: `data.n == "5"`, typed: `data.n == 5`, untyped: "-"},
		{src: `data.ok == "true"`, typed: `data.ok == true`, untyped: "-"},
		{src: `data.n > "5"`, typed: `data.n > 5`, atRunTime: true},
		{src: `data.name > 5`, typed: `int(data.name) > 5`, atRunTime: true},
		{src: `data.total > 100`, typed: `(data?.total ?? 0) > 100`, atRunTime: true, typedTooAsRun: true},
		{src: `100 < data.total`, typed: `100 < (data?.total ?? 0)`, atRunTime: true, typedTooAsRun: true},
		{src: `data.total * 2 > 100`, typed: `(data?.total ?? 0) * 2 > 100`, atRunTime: true, typedTooAsRun: true},
		{src: `data.name == null`, typed: `data.name == nil`},
		{src: `data.name is not None`, typed: `data.name != nil`},
		{src: `undefined != data.name`, typed: `nil != data.name`},
		{src: `data.ok == True`, typed: `data.ok == true`},
		{src: `exists(data.name)`, typed: `data.name != nil`},
		{src: `isEmpty(data.name)`, typed: `len(data.name) == 0`},
		{src: `if data.ok { true } elif data.n > 1 { false } else { true }`, typed: `if data.ok { true } else if data.n > 1 { false } else { true }`},
		{src: `any(data.tags, x => x == "a")`, typed: `any(data.tags, # == "a")`},
		{src: `any(data.tags, (x) => x.startsWith("a"))`, typed: `any(data.tags, # startsWith "a")`},
		{src: `${ data.ok }`, typed: `data.ok`},
		{src: `${data.name} == "x"`, typed: `data.name == "x"`},
		{src: `{{ data.name }} == "x"`, typed: `data.name == "x"`},
		{src: `$data.name == "x"`, typed: `data.name == "x"`},
		{src: `env.HOME == "x"`, typed: `env("HOME") == "x"`},
		{src: `now > date("2020-01-01")`, typed: `now() > date("2020-01-01")`},
		{src: `event.time < now()`, typed: `date(event.time) < now()`, atRunTime: true, typedTooAsRun: true},
		{src: `event.time.Year() == 2026`, typed: `date(event.time).Year() == 2026`, atRunTime: true, typedTooAsRun: true},
		{src: `parseInt(data.name) > 1`, typed: `int(data.name) > 1`},
		{src: `JSON.parse(data.email).x == 1`, typed: `fromJSON(data.email).x == 1`, untyped: `fromJSON(data.email).x == 1`},
		{src: `Math.round(data.n) == 1`, typed: `round(data.n) == 1`},
		{src: `email == "x"`, typed: `data.email == "x"`},
		{src: `payload.email == "x"`, typed: `data.email == "x"`},
		{src: `event.data.email == "x"`, typed: `data.email == "x"`},
		{src: `$.email == "x"`, typed: `data.email == "x"`},
		{src: `process.env.HOME == "x"`, typed: `env("HOME") == "x"`},
		{src: `os.environ["HOME"] == "x"`, typed: `env("HOME") == "x"`},
		{src: `data.name | lower == "x"`, typed: `data.name | lower() == "x"`},
		{src: `(data.missing | default("x")) == "x"`, untyped: `(data.missing ?? "x") == "x"`},
		{src: `true if data.ok else false`, typed: `data.ok ? true : false`},
		{src: `coalesce(data.name, "x") == "x"`, typed: `(data.name ?? "x") == "x"`},
		{src: `data.name.slice(1) == "2"`, typed: `data.name[1:] == "2"`},
		{src: `startsWith(data.name, "x")`, typed: `data.name startsWith "x"`},
		{src: `now().format("%Y") == "2026"`, typed: `strftime(now(), "%Y") == "2026"`},
		{src: `  data.name + 5 == ""`, typed: `data.name + string(5) == ""`, atRunTime: true},
	} {
		for _, typed := range []bool{true, false} {
			scope, want, atRunTime := HandlerWith.Condition(), test.untyped, test.atRunTime
			if typed {
				scope, want, atRunTime = scope.WithData(data), test.typed, test.typedTooAsRun
			} else if want == "" {
				want = test.typed
			}
			x, err := Compile(test.src, scope)
			if (err == nil) != (atRunTime || want == "-") && want != "" {
				t.Errorf("%s (typed: %v): compiled: %v", test.src, typed, err)
			}
			if want == "-" {
				continue
			}
			if err == nil {
				_, err = x.Bool(NewEnv(e))
			}
			var fault *Error
			if !errors.As(err, &fault) {
				t.Errorf("%s (typed: %v): %v", test.src, typed, err)
				continue
			}
			hint, ok := strings.CutPrefix(fault.Hint, "write ")
			if hint != want && (want != "" || ok) {
				t.Errorf("%s (typed: %v): %v; want the hint %s", test.src, typed, err, want)
				continue
			}
			if want == "" || strings.Contains(test.src, "JSON") {
				continue
			}
			right := 0
			for _, instead := range strings.Split(hint, ", or for a list ") {
				x, err := Compile(instead, scope)
				if err != nil {
					t.Errorf("%s (typed: %v): the hint: %v", test.src, typed, err)
					continue
				}
				if _, err := x.Bool(NewEnv(e)); err == nil {
					right++
				}
			}
			if right == 0 {
				t.Errorf("%s (typed: %v): what the hint says can't be evaluated: %s", test.src, typed, hint)
			}
		}
	}
}

// A hint is found for what can be read at a glance, and the search for it is bounded.
func TestNoHintIsBetterThanAWrongOne(t *testing.T) {
	for _, src := range []string{`data.name like "x%"`, `data.a b`, `data.x.frobnicate(1)`, `uper(data.x) | lower`, strings.Repeat(`data.a = `, 2000) + `1`, strings.Repeat(`a.b(`, 200)} {
		var e *Error
		if _, err := Compile(src, HandlerWhen); !errors.As(err, &e) || strings.HasPrefix(e.Hint, "write data") {
			t.Errorf("%.50s: %v", src, err)
		}
	}
}

// A value that is not a condition may have a default; spaces around it, as ${ … } has them, change nothing.
func TestMisuseInTextsIsExplained(t *testing.T) {
	for src, want := range map[string]string{
		`${ data.name or "none" }`:  `"or" needs true or false on both sides, not a value and a text; write data?.name ?? "none"`,
		`${data.name || "none"}`:    `"||" needs true or false on both sides, not a value and a text; write data?.name ?? "none"`,
		`${ "a" + 5 }`:              `"+" can't take a text and a number; write "a" + string(5)`,
		`${ data.user-name }`:       `unknown name "name"; write data["user-name"]`,
		`${HOME:-/root}`:            "if a shell's variable is meant, write $${ in place of ${",
		`${#list[@]}`:               "if a shell's variable is meant, write $${ in place of ${",
		`${ data.n // 2 }`:          `"//" begins a comment`,
		`${ $HOME }`:                `env('HOME')`,
		`${ map(data.a, x => {}) }`: `# is the element of a list`,
	} {
		_, err := CompileTemplate(src, HandlerWith)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}

// An expression keeps the last hint that was found for it, and gives it for the same mistake alone.
func TestEachFailureOfAnExpressionHasItsOwnHint(t *testing.T) {
	x, err := Compile(`data.ok or data.n > 3 or data.n`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range []struct{ data, want string }{
		{`{"ok": false, "n": "5"}`, `"write data.ok or int(data.n) > 3 or data.n"`},
		{`{"ok": false, "n": "6"}`, `"write data.ok or int(data.n) > 3 or data.n"`},
		{`{"ok": false, "n": 2}`, `"write data.ok or data.n > 3 or data.n != 0"`},
		{`{"ok": "yes", "n": 2}`, `"write data.ok != \"\" or data.n > 3 or data.n"`},
		{`{"ok": false, "n": "5"}`, `"write data.ok or int(data.n) > 3 or data.n"`},
	} {
		var fault *Error
		_, err := x.Bool(NewEnv(&events.Event{Data: []byte(test.data)}))
		if !errors.As(err, &fault) || fmt.Sprintf("%q", fault.Hint) != test.want {
			t.Errorf("%d: %v, want the hint %s", i, err, test.want)
		}
	}
}
