package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

func fit() *Event {
	return &Event{ID: "1", Source: "/shop", Type: "user.created", Subject: "é", Data: json.RawMessage(`{"a": [1, 2]}`),
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Extensions: map[string]any{"a": "x", "b": true, "c": int64(1)}}
}

func TestFitEventsAreAccepted(t *testing.T) {
	for _, change := range []func(*Event){
		func(*Event) {},
		func(e *Event) { e.Data = nil },
		func(e *Event) { e.DataContentType, e.Data = "text/plain", []byte("\xff") },
		func(e *Event) { e.DataContentType, e.Data = "text/plain", []byte{} },
		func(e *Event) {
			e.ID, e.Source, e.Subject = strings.Repeat("i", 256), "/"+strings.Repeat("s", 511), strings.Repeat("j", 1024)
		},
		func(e *Event) { e.Source = "urn:shop:checkout?a=b#c" },
		func(e *Event) { e.Source = "https://example.com/ümlaut" },
		func(e *Event) { e.Type = "evrun.run.dead" },
		func(e *Event) { e.Time = time.Time{} },
		func(e *Event) { e.Extensions["c"] = int64(math.MinInt32) },
		func(e *Event) { e.Extensions["c"] = int64(math.MaxInt32) },
		func(e *Event) { e.DataSchema = "https://example.com/schema.json#order" },
		func(e *Event) { e.DataSchema = "urn:shop:order" },
		func(e *Event) { e.Subject = "\ufffd\U0001f600\ufdcf\ufdf0" },
	} {
		e := fit()
		change(e)
		if err := e.Validate(); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

func TestUnfitEventsAreRefusedWithTheAttribute(t *testing.T) {
	for _, tt := range []struct {
		change         func(*Event)
		attribute, msg string
	}{
		{func(e *Event) { e.Type = "" }, "type", "empty"},
		{func(e *Event) { e.Type = "user.*" }, "type", "wildcard"},
		{func(e *Event) { e.Type = strings.Repeat("a", 256) }, "type", "255"},
		{func(e *Event) { e.ID = "" }, "id", "missing"},
		{func(e *Event) { e.ID = strings.Repeat("i", 257) }, "id", "256"},
		{func(e *Event) { e.ID = "a\nb" }, "id", "U+000A"},
		{func(e *Event) { e.ID = "a\u0085b" }, "id", "U+0085"},
		{func(e *Event) { e.ID = "a\xff" }, "id", "UTF-8"},
		{func(e *Event) { e.Source = "" }, "source", "missing"},
		{func(e *Event) { e.Source = "my shop" }, "source", "URI"},
		{func(e *Event) { e.Source = "a%zz" }, "source", "URI"},
		{func(e *Event) { e.Source = strings.Repeat("s", 513) }, "source", "512"},
		{func(e *Event) { e.Subject = strings.Repeat("s", 1025) }, "subject", "1024"},
		{func(e *Event) { e.CorrelationID = "\x00" }, "correlationid", "U+0000"},
		{func(e *Event) { e.DataContentType = "json" }, "datacontenttype", "text/plain"},
		{func(e *Event) { e.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "time", "years"},
		{func(e *Event) { e.Data = json.RawMessage(`{"a":}`) }, "data", "at byte 5"},
		{func(e *Event) { e.Data = json.RawMessage(`{} {}`) }, "data", "follows"},
		{func(e *Event) { e.Data = json.RawMessage{} }, "data", "empty"},
		{func(e *Event) { e.Data = json.RawMessage("\"\xff\"") }, "data", "UTF-8"},
		{func(e *Event) { e.Extensions["seq"] = "1" }, "seq", "field"},
		{func(e *Event) { e.Extensions["X"] = "1" }, "X", "a-z"},
		{func(e *Event) { e.Extensions["x"] = 1 }, "x", "the number 1"},
		{func(e *Event) { e.Extensions["x"] = map[string]any{} }, "x", "an object"},
		{func(e *Event) { e.Extensions["x"] = "\x1b[31m" }, "x", "U+001B"},
		{func(e *Event) { e.Extensions["x"] = int64(math.MaxInt32 + 1) }, "x", "32 bits"},
		{func(e *Event) { e.Extensions["x"] = int64(math.MinInt32 - 1) }, "x", "32 bits"},
		{func(e *Event) { e.Extensions["x"] = "a\ufdd0" }, "x", "U+FDD0"},
		{func(e *Event) { e.Subject = "a\uffff" }, "subject", "U+FFFF, which is not a character (at byte 1)"},
		{func(e *Event) { e.ID = "a\U0010fffe" }, "id", "U+10FFFE"},
		{func(e *Event) { e.DataSchema = "/schema.json" }, "dataschema", "absolute URI"},
		{func(e *Event) { e.DataSchema = "urn:a b" }, "dataschema", "absolute URI"},
		{func(e *Event) {
			for i := range 65 {
				e.Extensions[fmt.Sprintf("x%d", i)] = true
			}
		}, "extensions", "64"},
	} {
		e := fit()
		tt.change(e)
		var ae *AttributeError
		if err := e.Validate(); !errors.As(err, &ae) || ae.Attribute != tt.attribute || !strings.Contains(err.Error(), tt.msg) {
			t.Errorf("want %s … %s: %v", tt.attribute, tt.msg, err)
		}
	}
}

func TestContentTypeSaysWhetherDataIsJSON(t *testing.T) {
	for contentType, want := range map[string]bool{
		"": true, "application/json": true, "Application/JSON; charset=UTF-8": true, "application/cloudevents+json": true, "text/json": true,
		"application/vnd.a+b+json ;x=y": true, "text/plain": false, "application/jsonl": false, "application/x+jsons": false, "json": false,
		"application/xml;a=/json": false,
	} {
		if e := (&Event{DataContentType: contentType}); e.IsJSON() != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

func TestWhatIsValidFitsIntoAnEvent(t *testing.T) {
	e := fit()
	e.Data = json.RawMessage(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	decode(t, encode(t, e))
	e.Data = json.RawMessage("[" + string(e.Data) + "]")
	if err := e.Validate(); err == nil || !strings.Contains(err.Error(), "deeply") {
		t.Errorf("one deeper: %v", err)
	}
	if err := new(Event).UnmarshalJSON([]byte(`{"type":"a","data":` + string(e.Data) + `}`)); err == nil || !strings.Contains(err.Error(), "deeply") {
		t.Errorf("one deeper, decoded: %v", err)
	}
}

func TestTerminalSeesNoControlCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 😀 \\n":               "plain é 😀 \\n",
		"a\x1b[31m\n\r\t\x00b":        `a\u001b[31m\n\r\t\u0000b`,
		"\x7f\u0080\u009b\u00a0":      "\\u007f\\u0080\\u009b\u00a0",
		"\x9b31m\xff":                 `\x9b31m\xff`,
		"a\u202eb\u2066\u2028":        `a\u202eb\u2066\u2028`,
		"\ufffd":                      "\ufffd",
		"a\u200bb\u200dc\ufeff\u00ad": `a\u200bb\u200dc\ufeff\u00ad`,
		"\U000e0041é\u0600":           `\udb40\udc41é` + "\u0600",
		"":                            "",
	} {
		if got := EscapeControl(text); got != want {
			t.Errorf("EscapeControl(%q) = %q", text, got)
		}
	}
}

func TestIDsAreUniqueAndSorted(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			last := ""
			for range 1000 {
				id := NewID()
				if len(id) != 36 || id[14] != '7' || id <= last {
					t.Errorf("%s after %s", id, last)
				}
				last = id
				mu.Lock()
				if seen[id] {
					t.Errorf("%s was there before", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}
