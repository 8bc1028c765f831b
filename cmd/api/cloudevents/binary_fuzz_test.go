package cloudevents

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"evrun/events"
)

func FuzzBinaryMode(f *testing.F) {
	for _, seed := range []string{"", "a%20b", `"a\"b"`, "100%", "%C3%BC", "%FF", "ü", "\xff", `"`, `"a\"`, "2026-12-24T18:00:00Z", "%25%", "5"} {
		f.Add("subject", seed, "text/plain", []byte(`{}`))
		f.Add("time", seed, "application/json", []byte(nil))
		f.Add("ext", seed, "text/plain", []byte("x"))
		f.Add("id", seed, seed, []byte("x"))
		f.Add("type", seed, "application/vnd.a+json; charset=utf-8", []byte("[1,\n2]"))
		f.Add("traceparent", seed, "image/png", []byte("\xff"))
	}
	f.Fuzz(func(t *testing.T, name, value, contentType string, body []byte) {
		h := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/test"}, "Ce-Type": {"a.b"}, "Content-Type": {contentType}}
		h[http.CanonicalHeaderKey("ce-"+name)] = []string{value}
		e, err := Binary(h, body)
		if err != nil {
			if err.Error() == "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		stored := contentType
		if stored == "application/json" { // it is the default
			stored = ""
		}
		if string(e.Data) != string(body) || e.DataContentType != stored {
			t.Fatalf("the data became %+v", e)
		}
		for _, text := range []string{e.ID, e.Source, e.Type, e.Subject} {
			if !utf8.ValidString(text) {
				t.Fatalf("%q is not UTF-8", text)
			}
		}
		if e.Validate() != nil {
			return
		}
		text, err := e.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		var again events.Event
		if err := again.UnmarshalJSON(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again.ID != e.ID || again.Subject != e.Subject || again.DataContentType != e.DataContentType || !e.IsJSON() && string(again.Data) != string(e.Data) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}
