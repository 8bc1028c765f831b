package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzTemplate: no text makes compiling or evaluating panic, faults point into the text, and a text without ${ is itself.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		``, `plain`, `$${x}`, `$$${x}`, `${`, `${}`, `${ data.name }`, `a ${ {"a": "}"}.a } b`, `${ '\'}' }`, "${ `}``` }", `${ data.items[0].sku ?? "x" }`,
		`${ map(data.items, .price + 1) }`, `${ let a = data; a.name }`, `${ /* } */ 1 }`, `${ event.type + event.id }`, `${ 1 / 0 }!`, `${ data.x.y }`,
		`${ [1,2][5] }`, `${ #}`, `${ "\u{41}" }`, `${ if data.ok {1} else {2} }`, `${ date(event.time).Year() }`, `${ -9223372036854775808 }`,
		`${ b"\xff" }`, `${ groupBy(data.tags, #) } x`, `${ $env }`, `${ 1..3 }`, `${ data.tags | join("-") }`, `${ data?.[0] }`, `${ sum([]) }`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 2000 {
			return
		}
		tmpl, err := CompileTemplate(src, HandlerWhen)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Msg == "" || e.Offset < -1 || e.Offset > len(src) {
				t.Fatalf("%q: %#v", src, err)
			}
			return
		}
		env := adaEnv()
		v, evalErr := tmpl.Eval(env)
		text, textErr := tmpl.Text(env)
		if evalErr != nil && textErr == nil {
			t.Fatalf("%q: Text gives %q where Eval gives %v", src, text, evalErr)
		}
		for _, err := range []error{evalErr, textErr} {
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Offset > len(src)) {
				t.Fatalf("%q: %#v", src, err)
			}
		}
		constant, ok := tmpl.Constant()
		if ok && (v != constant || text != constant || constant != strings.ReplaceAll(src, "$${", "${")) {
			t.Fatalf("%q: Constant %q, Eval %q, Text %q", src, constant, v, text)
		}
		if !strings.Contains(src, "${") && (!ok || constant != src) {
			t.Fatalf("%q: Constant %q, %v", src, constant, ok)
		}
	})
}

// FuzzDecodeJSON holds DecodeJSON to encoding/json.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,1.5,1e3,9007199254740993,1e400,true,false,null,"x\n\u00e9\ud800"],"a":2}`, ` [ ] `, `{ }`, "\"\xff\"", `01`, `1.`, `-`, `"a`, `{"a"}`, `[1,]`,
		"\"\x00\"", `tru`, `1 2`, `"\q"`, `123456789012345678901234567890`, "\ufeff1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeJSON(b)
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var want any
		if valid := json.Valid(b); valid != (err == nil) {
			t.Fatalf("%q: valid is %v, error %v", b, valid, err)
		} else if !valid {
			return
		}
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if want = numbers(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %#v, want %#v", b, got, want)
		}
	})
}

// numbers does to a decoded tree what DecodeJSON promises.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			if n, err := v.Int64(); err == nil {
				return int(n)
			}
		} else if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
