package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// events are those that each mode sends.
func events(mode string) []cloudevents.Event {
	var all []cloudevents.Event
	add := func(id string, set func(*cloudevents.Event)) {
		e := cloudevents.NewEvent()
		e.SetID(mode + "-" + id)
		e.SetSource(source)
		e.SetType("sdk.sent")
		set(&e)
		all = append(all, e)
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	add("json", func(e *cloudevents.Event) {
		e.SetTime(time.Date(2026, 12, 24, 18, 0, 0, 123456000, time.UTC))
		e.SetSubject("orders/1")
		e.SetDataSchema("https://example.com/schema.json")
		e.SetExtension("text", "a b")
		must(e.SetData("application/json", map[string]any{"name": "Ada <\"Ü€😀\">", "n": 9007199254740993}))
	})
	add("none", func(*cloudevents.Event) {})
	add("text", func(e *cloudevents.Event) { must(e.SetData("text/plain; charset=utf-8", "hello 100%")) })
	add("xml", func(e *cloudevents.Event) { must(e.SetData("text/xml", []byte("<a>ü</a>"))) })
	add("bytes", func(e *cloudevents.Event) {
		must(e.SetData("application/octet-stream", []byte{0, 0xff, 0xfe, '\n', 1}))
	})
	// The SDK sends these as they are: it doesn't encode the values of headers.
	add("percent", func(e *cloudevents.Event) { e.SetSubject("100% of it, 5 %") })
	add("letters", func(e *cloudevents.Event) { e.SetSubject("Zürich €") })
	add("numbers", func(e *cloudevents.Event) {
		e.SetExtension("number", 42)
		e.SetExtension("yes", true)
	})
	return all
}

// same compares a read event with the sent one. evrun adds extensions of its own, and a time.
func same(got, want cloudevents.Event, mode string) error {
	if err := got.Validate(); err != nil {
		return fmt.Errorf("what was read is invalid: %w", err)
	}
	for name, v := range want.Extensions() {
		have := got.Extensions()[name]
		if mode == "binary" { // headers have no types
			v = fmt.Sprint(v)
		}
		if fmt.Sprint(have) != fmt.Sprint(v) {
			return fmt.Errorf("%s: the extension %s became %#v, not %#v", got.ID(), name, have, v)
		}
	}
	if !want.Time().IsZero() && !got.Time().Equal(want.Time()) {
		return fmt.Errorf("%s: the time became %v", got.ID(), got.Time())
	}
	for _, x := range []struct{ name, got, want string }{
		{"id", got.ID(), want.ID()},
		{"source", got.Source(), want.Source()},
		{"type", got.Type(), want.Type()},
		{"subject", got.Subject(), want.Subject()},
		{"dataschema", got.DataSchema(), want.DataSchema()},
		{"specversion", got.SpecVersion(), want.SpecVersion()},
	} {
		if x.got != x.want {
			return fmt.Errorf("%s: %s became %q, not %q", want.ID(), x.name, x.got, x.want)
		}
	}
	// JSON is the default: evrun doesn't write its type.
	if media := got.DataContentType(); media != want.DataContentType() && (media != "" || want.DataContentType() != "application/json") {
		return fmt.Errorf("%s: the content type became %q, not %q", want.ID(), media, want.DataContentType())
	}
	if strings.Contains(want.DataContentType(), "json") {
		var a, b any
		if err := decode(got.Data(), &a); err != nil {
			return err
		}
		if err := decode(want.Data(), &b); err != nil {
			return err
		}
		if !reflect.DeepEqual(a, b) {
			return fmt.Errorf("%s: the data became %s, not %s", want.ID(), got.Data(), want.Data())
		}
		return nil
	}
	if !bytes.Equal(got.Data(), want.Data()) {
		return fmt.Errorf("%s: the data became %q, not %q", want.ID(), got.Data(), want.Data())
	}
	return nil
}

// decode keeps numbers as they are written.
func decode(text []byte, v *any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}
