package expression

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks/expression/format"
)

func TestATemplateGivesAValueOrAText(t *testing.T) {
	for _, test := range []struct {
		src  string
		want any
	}{
		{``, ``},
		{`plain`, `plain`},
		{`${ data.age }`, 36},
		{`${data.tags}`, []any{"a", "b"}},
		{`${ data.none }`, nil},
		{` ${ data.age }`, ` 36`},
		{`New user ${ data.name } <${ data.email }>`, `New user Ada <ada@example.com>`},
		{`${ data.big }!`, `9007199254740993!`},
		{`${ data.huge }!`, `123456789012345678901234567890!`},
		{`${ data.ratio }${ data.ok }`, `0.5true`},
		{`${ 1e21 } ${ 1e20 } ${ 0.0000001 } ${ 3.0 }`, `1e+21 100000000000000000000 1e-07 3`},
		{`${ data.tags }: ${ {"a<b": 1} }`, `["a","b"]: {"a<b":1}`},
		{`${ date("2026-01-02") } ${ duration("90s") }`, `2026-01-02T00:00:00Z 1m30s`},
		{`$${ data.name }`, `${ data.name }`},
		{`$$${x}`, `$${x}`},
		{`$5 and $$ and {}`, `$5 and $$ and {}`},
		{`costs $${x} ${ data.age }$`, `costs ${x} 36$`},
		{`${ {"a": "}"}.a }`, `}`},
		{`${ {"a": {"b": 1}}.a.b }`, 1},
		{`${ "\"}" + '\'}' + ` + "`}``}`" + ` }`, "\"}'}}`}"},
		{`${ data.age /* } */ }`, 36},
		{"${ data.age // }\n }", 36},
		{`it's ${ data.name }'s`, `it's Ada's`},
		{`${ data.absent ?? "nobody" } is here`, `nobody is here`},
		{`früh ${ data.name } spät`, `früh Ada spät`},
	} {
		tmpl, err := CompileTemplate(test.src, HandlerWith)
		if err != nil {
			t.Errorf("%s: %v", test.src, err)
			continue
		}
		got, err := tmpl.Eval(adaEnv())
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.src, got, err, test.want)
		}
		if tmpl.String() != test.src {
			t.Errorf("String() = %q", tmpl.String())
		}
		text, constant := tmpl.Constant()
		if constant && text != test.want || constant == strings.Contains(strings.ReplaceAll(test.src, "$${", ""), "${") {
			t.Errorf("%s: Constant() = %q, %v", test.src, text, constant)
		}
	}
}

func TestATemplateIsWrittenAsText(t *testing.T) {
	for src, want := range map[string]string{
		`${ data.age }`:  `36`,
		`${ data.name }`: `Ada`,
		`${ data.tags }`: `["a","b"]`,
		`${ result.id }`: `3`,
		`plain`:          `plain`,
	} {
		tmpl, err := CompileTemplate(src, HandlerEmit)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Text(adaEnv()); got != want || err != nil {
			t.Errorf("%s = %q, %v; want %q", src, got, err, want)
		}
	}
}

func TestATemplateSaysWhereItsFaultIs(t *testing.T) {
	for _, test := range []struct {
		src    string
		offset int
		want   string
	}{
		{`a ${ data.x`, 2, `"${" is not closed; close it with "}", or write "$${" for a plain "${"`},
		{`a ${ {"x": 1 }`, 2, `"${" is not closed; close it with "}", or write "$${" for a plain "${"`},
		{`a ${ /* }`, 2, `"${" is not closed; close it with "}", or write "$${" for a plain "${"`},
		{`a ${ "b } c`, 5, `a text that begins with " is not closed, so neither is its "${"; it needs the same quote at its end`},
		{`a ${}`, 4, `the expression is empty`},
		{`é ${ dat.x }`, 6, `unknown name "dat"; did you mean "data"?`},
		{`${ data.x } ${ data. }`, 20, `the expression ends too early`},
	} {
		_, err := CompileTemplate(test.src, HandlerWith)
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Offset != test.offset {
			t.Errorf("%s:\n got  %+v\n want %d %s", test.src, err, test.offset, test.want)
			if e != nil {
				t.Log(e.Offset)
			}
		}
	}
}

func TestATextNeedsAllItsParts(t *testing.T) {
	for _, test := range []struct {
		src    string
		offset int
		want   string
	}{
		{`hello ${ data.absent }`, 8, `data.absent is nil, so it can't be written into a text; ${ data.absent ?? "…" } gives it a default`},
		{`${ data.absent }`, 2, `data.absent is nil, so it can't be written into a text; ${ data.absent ?? "…" } gives it a default`},
		{`hello ${ data.absent.name }`, 21, `data.absent is nil, so it has no "name"; "?." reads on where there may be nothing`},
		{`hello ${ 1 / 0 }`, 8, `1 / 0 is not a finite number (a division by zero?), so it can't be written into a text`},
	} {
		tmpl, err := CompileTemplate(test.src, HandlerWith)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tmpl.Text(adaEnv())
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want || e.Offset != test.offset {
			t.Errorf("%s:\n got  %+v\n want %d %s", test.src, err, test.offset, test.want)
		}
	}
}

func TestAFileIsReadFromTheBaseFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("token", "first line\nsecond\r\n")
	write("large", strings.Repeat("x", maxFile+1))
	write("full", strings.Repeat("x", maxFile))
	var secrets Secrets
	read := func(name string) (any, error) {
		tmpl, err := CompileTemplate(`${ file("`+name+`") }`, HandlerWith.In(dir, &secrets))
		if err != nil {
			return nil, err
		}
		return tmpl.Eval(NewEnv(&events.Event{}))
	}
	if got, err := read("token"); got != "first line\nsecond" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got := secrets.Redact("log: first line\nsecond; json: \"first line\\nsecond\""); got != `log: [secret]; json: "[secret]"` {
		t.Error(got)
	}
	if _, err := read("full"); err != nil {
		t.Error(err)
	}

	// A file that can't be read is found when the wiring file is loaded.
	for name, want := range map[string]string{
		"large":  "larger than 1 MiB",
		"absent": `file("absent"): ` + filepath.Join(dir, "absent") + ": no such file or directory",
		".":      "not a regular file",
	} {
		_, err := CompileTemplate(`at ${ file("`+name+`") }`, HandlerWith.In(dir, nil))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, want) || e.Offset != len("at ${ file(") {
			t.Errorf("%s: %+v", name, err)
		}
	}
	tmpl, err := CompileTemplate(`${ file("token") }`, HandlerWith.In(dir, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Eval(NewEnv(&events.Event{})); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that went away: %v", err)
	}
}

func TestNamesOfFilesAndVariablesAreWrittenOut(t *testing.T) {
	for src, offset := range map[string]int{
		`file("tpl/" + data.lang)`: 5,
		`env(data.name)`:           4,
		`env("A" + "B")`:           4,
		`"x" + file(event.type)`:   11,
		`let n = "x"; env(n)`:      17,
		`data.name | env()`:        0,
		`map(["a"], env(#))`:       15,
		`env("A", "B")`:            0,
		`env()`:                    0,
		`file("")`:                 5,
	} {
		_, err := Compile(src, HandlerWith.In(t.TempDir(), nil))
		var e *Error
		if !errors.As(err, &e) || e.Offset < offset || e.Offset > offset+6 || !strings.Contains(e.Msg, "()") {
			t.Errorf("%s: %+v", src, err)
		}
	}
}

func TestAValueIsEvaluatedInAllItsStrings(t *testing.T) {
	tree := map[string]any{
		"name": "${ data.name }", "n": int64(3), "none": nil, "text": "plain", "escaped": "$${x}",
		"list":      []any{"${ data.age }", "x-${ data.age }", 1.5, []any{}, map[string]any{}},
		"constants": map[string]any{"a": []any{"b", true}},
		"${ key }":  "as it is",
	}
	v, faults := CompileValue(tree, HandlerWith)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := map[string]any{
		"name": "Ada", "n": int64(3), "none": nil, "text": "plain", "escaped": "${x}",
		"list":      []any{36, "x-36", 1.5, []any{}, map[string]any{}},
		"constants": map[string]any{"a": []any{"b", true}},
		"${ key }":  "as it is",
	}
	if got, err := v.Eval(adaEnv()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v, %v\nwant %#v", got, err, want)
	}

	for in, want := range map[any]any{nil: nil, "x": "x", "${ data.tags }": []any{"a", "b"}} {
		v, faults := CompileValue(in, HandlerWith)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if got, err := v.Eval(adaEnv()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v = %#v, %v", in, got, err)
		}
	}
}

func TestAllFaultsOfAValueAreFound(t *testing.T) {
	_, faults := CompileValue(map[string]any{
		"ok": "${ data.x }",
		"b":  []any{"fine", map[string]any{"c": "x ${ dat }"}},
		"a":  "${",
	}, HandlerWith)
	if len(faults) != 2 {
		t.Fatal(faults)
	}
	if f := faults[0]; !reflect.DeepEqual(f.Path, []any{"a"}) || !strings.Contains(f.Error(), `a: "${" is not closed`) {
		t.Error(f)
	}
	if f := faults[1]; f.Error() != `b[1].c: unknown name "dat"; did you mean "data"?` || f.Offset != 5 {
		t.Error(f, f.Offset)
	}
	var inner *Error
	if !errors.As(faults[0], &inner) {
		t.Error("no *Error inside")
	}
}

func TestAFaultInAValueWhileRunning(t *testing.T) {
	v, faults := CompileValue(map[string]any{"a": []any{"${ data.x.y }"}}, HandlerWith)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var e *Error
	if _, err := v.Eval(adaEnv()); !errors.As(err, &e) || e.Msg != `data.x is nil, so it has no "y"` {
		t.Error(err)
	}
}

func TestNumbersAreDescribedAsTheyAre(t *testing.T) {
	for want, v := range map[string]any{
		"the number 0.1": 0.1, "true": true, "a list of 1 element": []string{"a"}, "a map of 2 keys": map[string]int{"a": 1, "b": 2},
		"the duration 1s": time.Second, "the number +Inf": math.Inf(1), "a function": func() {},
	} {
		if got := format.Describe(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if got := format.Describe(strings.Repeat("é", 100)); utf8.RuneCountInString(got) > 80 {
		t.Error(got)
	}
}
