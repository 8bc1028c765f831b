package ingest

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"evrun/events"
)

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "a", `"a"`, `"a\"b\\"`, `"`, `"a`, `"\`, " a ", "ü", "\xff", `a"b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := IdempotencyKey(http.Header{IdempotencyKeyHeader: {value}})
		if err != nil {
			if key != "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q, %v", key, err)
			}
			return
		}
		if key == "" || len(key) > len(value) {
			t.Fatalf("%q is the key of %q", key, value)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, err := IdempotencyKey(http.Header{IdempotencyKeyHeader: {quoted}}); err != nil || again != key {
			t.Fatalf("%s became %q, %v", quoted, again, err)
		}
	})
}

func FuzzContentType(f *testing.F) {
	for _, seed := range []string{"", "application/json", "application/cloudevents+json; charset=utf-8", "a/b;c", ";", "text/plain; charset=\xff", "APPLICATION/X-NDJSON"} {
		f.Add(seed, "a.b", []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, value, typ string, body []byte) {
		h := http.Header{"Content-Type": {value}}
		c, err := ContentTypeOf(h)
		if err != nil {
			return
		}
		if c.Media != strings.ToLower(c.Media) {
			t.Fatalf("the media type of %q is %q", value, c.Media)
		}
		if mode, err := c.ModeOf(h); err == nil && mode == Binary {
			t.Fatalf("%q is binary mode, without a header of it", value)
		}
		e, err := Plain(typ, c.Media, c.Text, body)
		if err != nil {
			if !strings.Contains(err.Error(), "JSON") && !strings.Contains(err.Error(), "POST /v1/events") {
				t.Fatalf("no hint: %v", err)
			}
			return
		}
		if !e.IsJSON() || string(e.Data) != string(body) {
			t.Fatalf("%+v", e)
		}
		e.ID, e.Source = "1", "/s"
		if e.Validate() != nil {
			return
		}
		text, err := e.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := new(events.Event).UnmarshalJSON(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
