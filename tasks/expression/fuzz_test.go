package expression

import (
	"errors"
	"strings"
	"testing"
)

// FuzzTemplate: no text makes compiling or evaluating panic, faults point into the text, and a text without ${ is itself.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		``, `plain`, `$${x}`, `$$${x}`, `${`, `${}`, `${ data.name }`, `a ${ {"a": "}"}.a } b`, `${ '\'}' }`, "${ `}``` }", `${ data.items[0].sku ?? "x" }`,
		`${ map(data.items, .price + 1) }`, `${ let a = data; a.name }`, `${ /* } */ 1 }`, `${ event.type + event.id }`, `${ 1 / 0 }!`, `${ data.x.y }`,
		`${ [1,2][5] }`, `${ #}`, `${ "\u{41}" }`, `${ if data.ok {1} else {2} }`, `${ date(event.time).Year() }`, `${ -9223372036854775808 }`,
		`${ sprintf("%5.2f|%-10s", data.ratio, data.name) }`, `${ strftime(now(), "%F", "UTC") }`, `${ round(data.huge, 2) }`, `${ urlencode(data) }`,
		`${ hmac("sha256", data.name, "x") + sha256(uuid()) + run.id }`, `${ data.name.contains("x") }`, `${ x => x.y === null }`, `${ data.total > 100 and "x" }`,
		`${ b"\xff" }`, `${ groupBy(data.tags, #) } x`, `${ $env }`, `${ 1..3 }`, `${ data.tags | join("-") }`, `${ data?.[0] }`, `${ sum([]) }`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 2000 {
			return
		}
		tmpl, err := CompileTemplate(src, Scope{names: HandlerWith.names &^ nameSources})
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
