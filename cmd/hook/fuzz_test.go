package hook

import (
	"net/http"
	"net/url"
	"testing"

	"evrun/tasks/expression"
	"evrun/tasks/signature"
)

// What strangers send becomes an event or an error, and never a panic; an event has what its hook says.
func FuzzRequest(f *testing.F) {
	text := func(src string) *expression.Template {
		t, err := expression.CompileTemplate(src, expression.HookRequest)
		if err != nil {
			f.Fatal(err)
		}
		return t
	}
	when, err := expression.Compile(`header("X-Event") != "ping" and len(raw) > 0`, expression.HookRequest)
	if err != nil {
		f.Fatal(err)
	}
	h := &Hook{
		Name: "fuzzed", Verify: &signature.Verify{Scheme: signature.None}, When: when, Type: text(`a.${ body.kind ?? header("X-Event") }`),
		ID: text(`${ query("id") ?? "x" }`), Subject: text(`${ body.list[0] ?? "" }`), Time: text(`${ body.time ?? 0 }`),
	}
	for _, seed := range []string{"", "{}", `{"kind":"x","list":[1],"time":1}`, "kind=x&list=a", `{"kind":"x","kind":"y"}`, "[[[[", "\xff", `{"time":"2026-01-01"}`, "%zz=1"} {
		f.Add("application/json", "push", "id=1", []byte(seed))
		f.Add("application/x-www-form-urlencoded", "ping", "id=%00", []byte(seed))
		f.Add("", "", "", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, kind, event, query string, raw []byte) {
		header := http.Header{"Content-Type": {kind}, "X-Event": {event}}
		values, _ := url.ParseQuery(query)
		q := &request{header: header, query: values, method: http.MethodPost, body: newBody(raw, header)}
		e, err := h.event(q.env(h), q)
		if err != nil || e == nil {
			return
		}
		if e.Source != "/hooks/fuzzed" || e.ID == "" || e.Type == "" {
			t.Errorf("%+v", e)
		}
		_ = e.Validate() // the emitter refuses what it says
	})
}
