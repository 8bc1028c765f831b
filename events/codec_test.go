package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Readers that hold to CloudEvents refuse an event with an attribute whose name has anything but letters and digits.
func TestTheNamesOfWrittenAttributesAreThoseOfCloudEvents(t *testing.T) {
	now := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	e := Event{Sequence: 2, ID: "1", Source: "/s", Type: "a.b", Subject: "s", Time: now, DataContentType: "image/png", DataSchema: "urn:a:b", Data: []byte("\xff"), Chain: 1, Hops: 1,
		Cause: 1, Target: "h", ReplayOf: 1, AcceptedAt: now, ErasedAt: now, CorrelationID: "c", CausationID: "d", Extensions: map[string]any{"x": "y"}}
	for i, v := 0, reflect.ValueOf(e); i < v.NumField(); i++ {
		if v.Type().Field(i).IsExported() && v.Field(i).IsZero() {
			t.Errorf("%s has no value", v.Type().Field(i).Name)
		}
	}
	var attributes map[string]any
	if err := json.Unmarshal([]byte(encode(t, &e)), &attributes); err != nil {
		t.Fatal(err)
	}
	for name := range attributes {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" && name != "data_base64" {
			t.Errorf("%q is not the name of an attribute", name)
		}
	}
}

func decode(t *testing.T, text string) *Event {
	t.Helper()
	var e Event
	if err := e.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return &e
}

func encode(t *testing.T, e *Event) string {
	t.Helper()
	text, err := e.AppendJSON(nil)
	if err != nil {
		t.Fatalf("encode %+v: %v", e, err)
	}
	return string(text)
}

func TestEveryAttributeGoesThroughJSON(t *testing.T) {
	e := &Event{
		Sequence: math.MaxInt64, ID: "1", Source: "/a", Type: "user.created", Subject: "<é> & \"q\"\\\n", DataContentType: "application/json; charset=utf-8",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC), DataSchema: "urn:s", CorrelationID: "c", CausationID: "p", Hops: 3, Chain: math.MaxInt64 - 1, Target: "save-<é>", ReplayOf: 41,
		Data:       json.RawMessage(`{"b": 9007199254740993, "a": 1.10, "é<": "\u00e9\u0085"}`),
		Extensions: map[string]any{"zone": "eu", "urgent": true, "count": int64(-5), "off": false, "none": "", "sequence": "0007"},
	}
	want := `{"specversion":"1.0","id":"1","source":"/a","type":"user.created","subject":"<é> & \"q\"\\\n","time":"2026-01-02T03:04:05.6789Z",` +
		`"datacontenttype":"application/json; charset=utf-8","dataschema":"urn:s","seq":"9223372036854775807","chain":"9223372036854775806","hops":3,"target":"save-<é>","replayof":"41","correlationid":"c","causationid":"p",` +
		`"count":-5,"none":"","off":false,"sequence":"0007","urgent":true,"zone":"eu","data":{"b": 9007199254740993, "a": 1.10, "é<": "\u00e9\u0085"}}`
	got := encode(t, e)
	if got != want {
		t.Errorf("encoded\n%s\nwant\n%s", got, want)
	}
	back := decode(t, got)
	if back.payload = nil; !reflect.DeepEqual(back, e) {
		t.Errorf("decoded\n%+v\nwant\n%+v", back, e)
	}
}

func TestWhatIsEmptyIsLeftOut(t *testing.T) {
	if got := encode(t, &Event{Type: "a"}); got != `{"specversion":"1.0","type":"a"}` {
		t.Errorf("encoded %s", got)
	}
	got := decode(t, ` { "type" : "a" , "id":"", "source":null, "time":null, "hops":null, "seq":null, "chain":"", "target":null, "replayof":"", "sequence":null, "data_base64":null, "ext":null, "specversion":null } `)
	if len(got.Extensions) != 0 {
		t.Errorf("extensions %v", got.Extensions)
	}
	got.Extensions = nil
	if !reflect.DeepEqual(got, &Event{Type: "a"}) {
		t.Errorf("decoded %+v", got)
	}
}

func TestDataKeepsItsForm(t *testing.T) {
	for _, tt := range []struct {
		name, contentType string
		data              []byte
		member            string
	}{
		{"JSON", "", []byte(`[1e400,-0.0]`), `"data":[1e400,-0.0]`},
		{"JSON null", "", []byte(`null`), `"data":null`},
		{"JSON string", "application/vnd.x+json", []byte(`"a"`), `"data":"a"`},
		{"text", "text/plain", []byte("a\u009b\x7f\x00\n"), `"data":"a\u009b\u007f\u0000\n"`},
		{"empty text", "text/plain", []byte{}, `"data":""`},
		{"JSON text of another type", "text/plain", []byte(`{"a":1}`), `"data":"{\"a\":1}"`},
		{"bytes", "image/png", []byte("\x89PNG"), `"data_base64":"iVBORw=="`},
		{"none", "text/plain", nil, `"text/plain"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := encode(t, &Event{Type: "a", DataContentType: tt.contentType, Data: tt.data})
			if !strings.Contains(text, tt.member) {
				t.Errorf("encoded %s", text)
			}
			if back := decode(t, text); !bytes.Equal(back.Data, tt.data) || (back.Data == nil) != (tt.data == nil) {
				t.Errorf("decoded %q", back.Data)
			}
		})
	}
}

func TestEventIsOneLine(t *testing.T) {
	data := "{\r\n \"a\" : [1,\n2], \"b\":\"x\\ny \"}"
	const want = `{"a":[1,2],"b":"x\ny "}`
	if got := decode(t, "{\"data\":"+data+",\n\"type\":\"a\"}"); string(got.Data) != want {
		t.Errorf("decoded %s", got.Data)
	}
	if got := encode(t, &Event{Type: "a", Data: json.RawMessage(data)}); !strings.HasSuffix(got, `"data":`+want+"}") {
		t.Errorf("encoded %s", got)
	}
}

func TestBase64OfJSONIsJSON(t *testing.T) {
	if got := decode(t, `{"type":"a","datacontenttype":"application/json","data_base64":"eyJhIjoxfQ=="}`); string(got.Data) != `{"a":1}` {
		t.Errorf("decoded %s", got.Data)
	}
}

func TestEscapesAreDecoded(t *testing.T) {
	got := decode(t, `{"t\u0079pe":"a","subject":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000","source":"é😀"}`)
	if want := "\"\\/\b\f\n\r\té😀\x00"; got.Subject != want || got.Source != "é😀" {
		t.Errorf("decoded %q, %q", got.Subject, got.Source)
	}
}

func TestTimesAreUTCInMicroseconds(t *testing.T) {
	got := decode(t, `{"type":"a","time":"2026-12-24T19:00:00.123456789+01:00"}`)
	if want := time.Date(2026, 12, 24, 18, 0, 0, 123456000, time.UTC); !got.Time.Equal(want) || got.Time.Location() != time.UTC {
		t.Errorf("decoded %v", got.Time)
	}
	local := &Event{Type: "a", Time: time.Date(2026, 1, 1, 0, 30, 0, 999, time.FixedZone("", 3600))}
	if text := encode(t, local); !strings.Contains(text, `"2025-12-31T23:30:00Z"`) {
		t.Errorf("encoded %s", text)
	}
}

func TestDecodeErrorsNameTheAttribute(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	for _, tt := range []struct {
		text, attribute string
		offset          int64 // -1: somewhere
		msg             string
	}{
		{``, "", 0, "ends in the middle"},
		{`null`, "", 0, "object"},
		{`[]`, "", 0, "object"},
		{`{`, "", 1, "ends in the middle"},
		{`{"type":"a"`, "", 11, "ends in the middle"},
		{`{"type":"a",}`, "", 12, "key"},
		{`{"type":"a" "id":"1"}`, "", 12, "comma"},
		{`{"type" "a"}`, "", 8, "colon"},
		{`{"type":"a"} x`, "", 13, "follows"},
		{`{"type":"a"}{"type":"b"}`, "", 12, "follows"},
		{"{\"type\":\"a\xff\"}", "", 10, "UTF-8"},
		{`{"\ud800":1}`, "", 1, "surrogate"},
		{`{}`, "type", 2, "missing"},
		{`{"type":null}`, "type", -1, "missing"},
		{`{"type":""}`, "type", -1, "missing"},
		{`{"type":5}`, "type", 8, "string"},
		{`{"type":"a","type":"a"}`, "type", 12, "twice"},
		{`{"type":"a","t\u0079pe":"a"}`, "type", 12, "twice"},
		{`{"type":"a","id":"x\ud800"}`, "id", 17, "surrogate"},
		{`{"type":"a","id":"x\ud800\u0041"}`, "id", 17, "surrogate"},
		{`{"type":"a","id":"x\q"}`, "id", 20, "escape"},
		{`{"type":"a","id":"\u00g0"}`, "id", 22, "hexadecimal"},
		{"{\"type\":\"a\",\"id\":\"x\n\"}", "id", 19, "control"},
		{`{"type":"a","id":["1"]}`, "id", 17, "string"},
		{`{"type":"a","id":tru}`, "id", 20, "misspelt"},
		{`{"type":"a","specversion":"0.3"}`, "specversion", -1, `"1.0"`},
		{`{"type":"a","specversion":1.0}`, "specversion", -1, "string"},
		{`{"type":"a","time":"yesterday"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24T18:00:00,5Z"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24T8:00:00.0Z"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24T18:00:00+24:00"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24T18:00:00+01:60"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24T18:00:00"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":"2026-12-24"}`, "time", 19, "RFC 3339"},
		{`{"type":"a","time":1764000000}`, "time", 19, "string"},
		{`{"type":"a","time":"0000-01-01T00:00:00+23:00"}`, "time", -1, "years"},
		{`{"type":"a","time":"9999-12-31T23:00:00-23:00"}`, "time", -1, "years"},
		{`{"type":"a","sequence":1.5}`, "sequence", 23, "whole number"},
		{`{"type":"a","seq":"x"}`, "seq", 18, "evrun's own"},
		{`{"type":"a","seq":"-1"}`, "seq", -1, "must be a number"},
		{`{"type":"a","seq":"9223372036854775808"}`, "seq", -1, "must be a number"},
		{`{"type":"a","seq":"\ud800"}`, "seq", -1, "surrogate"},
		{`{"type":"a","chain":"ethereum"}`, "chain", 20, "evrun's own"},
		{`{"type":"a","chain":true}`, "chain", -1, "must be a number"},
		{`{"type":"a","hops":1.5}`, "hops", -1, "must be a number"},
		{`{"type":"a","hops":-1}`, "hops", -1, "must be a number"},
		{`{"type":"a","target":5}`, "target", -1, "evrun's own"},
		{`{"type":"a","replayof":"yes"}`, "replayof", -1, "evrun's own"},
		{`{"type":"a","target":"a","target":"b"}`, "target", -1, "given twice"},
		{`{"type":"a","x-y":"1"}`, "x-y", 12, "a-z"},
		{`{"type":"a","Type":"b"}`, "Type", 12, `"type"`},
		{`{"type":"a","":"b"}`, "", 12, "characters"},
		{`{"type":"a","` + strings.Repeat("x", 41) + `":"b"}`, strings.Repeat("x", 40) + "…", 12, "characters"},
		{`{"type":"a","ext":1.5}`, "ext", 18, "whole number"},
		{`{"type":"a","ext":{}}`, "ext", 18, "whole number"},
		{`{"type":"a","ext":9223372036854775808}`, "ext", 18, "32 bits"},
		{`{"type":"a","ext":null,"ext":1}`, "ext", 23, "twice"},
		{`{"type":"a","data":{"a":01}}`, "data", 25, "comma"},
		{`{"type":"a","data":{"a":1}`, "", -1, "ends in the middle"},
		{`{"type":"a","data":{"a" 1}}`, "data", 24, "colon"},
		{`{"type":"a","data":-}`, "data", 20, "misspelt"},
		{`{"type":"a","data":` + deep, "data", -1, "deeply"},
		{`{"type":"a","data":1,"data":1}`, "data", 21, "twice"},
		{`{"type":"a","data":1,"data_base64":"AA=="}`, "data_base64", 35, "as well as data"},
		{`{"type":"a","data_base64":"AA"}`, "data_base64", 26, "base64"},
		{`{"type":"a","data_base64":"AA=="}`, "data_base64", 26, "JSON"},
		{`{"type":"a","data_base64":"/w=="}`, "data_base64", 26, "UTF-8"},
		{`{"type":"a","data_base64":1}`, "data_base64", 26, "string"},
		{`{"type":"a","data":{},"datacontenttype":"text/plain"}`, "data", 19, "text/plain"},
	} {
		e := Event{ID: "before"}
		err := e.UnmarshalJSON([]byte(tt.text))
		var de *DecodeError
		if !errors.As(err, &de) {
			t.Errorf("%.60s: %v", tt.text, err)
			continue
		}
		if de.Attribute != tt.attribute || tt.offset >= 0 && de.Offset != tt.offset || !strings.Contains(de.Msg, tt.msg) ||
			!strings.Contains(err.Error(), tt.attribute) || !strings.Contains(err.Error(), de.Msg) {
			t.Errorf("%.60s: %v", tt.text, err)
		}
		if !reflect.DeepEqual(e, Event{ID: "before"}) {
			t.Errorf("%.60s: the event was changed", tt.text)
		}
	}
}

func TestDecodedEventOwnsItsMemory(t *testing.T) {
	text := []byte(`{"type":"a","id":"1","data":{"a":1},"ext":"x"}`)
	var e Event
	if err := e.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	clear(text)
	if e.Type != "a" || e.ID != "1" || string(e.Data) != `{"a":1}` || e.Extensions["ext"] != "x" {
		t.Errorf("changed with the input: %+v", e)
	}
}

func TestEventWorksWithEncodingJSON(t *testing.T) {
	var list []Event
	if err := json.Unmarshal([]byte(`[{"type":"a"},{"type":"b","data":{"x":[]}}]`), &list); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]*Event{"event": &list[1]})
	if err != nil || string(text) != `{"event":{"specversion":"1.0","type":"b","data":{"x":[]}}}` {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := json.Marshal(&Event{Type: "a", Data: json.RawMessage(`{`)}); err == nil {
		t.Error("json.Marshal takes data that is not JSON")
	}
}

func TestUnfitEventsAreNotEncoded(t *testing.T) {
	for _, e := range []Event{
		{Extensions: map[string]any{"a": 1.5}},
		{Extensions: map[string]any{"id": "x"}},
		{Extensions: map[string]any{`a":1,"b`: "x"}},
		{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Data: json.RawMessage("{\n")},
	} {
		var ae *AttributeError
		if text, err := e.AppendJSON(nil); !errors.As(err, &ae) {
			t.Errorf("encoded %s, %v", text, err)
		}
	}
}

func TestStringsNeverHoldControlCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\u0000\u001b\u007f\u0080\u009f\u00a0\u00ff\"\\é😀\ufffd")))).Draw(t, "s")
		text := appendString(nil, s)
		for _, r := range string(text) {
			if r < ' ' || r >= 0x7f && r <= 0x9f {
				t.Fatalf("%q has %U", text, r)
			}
		}
		var back string
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Fatalf("%s: %q, %v", text, back, err)
		}
	})
	if got := string(appendString(nil, "a\xffb\xc2")); got != `"a\ufffdb\ufffd"` {
		t.Errorf("invalid UTF-8 became %s", got)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	seed, _ := benchEvent.AppendJSON(nil)
	f.Add(seed)
	for _, s := range []string{
		`{"type":"a","data":{"a":[1,2.5e-3,"\ud83d\ude00",null,true]},"ext":"x","n":-5,"b":true,"z":null}`,
		`{"type":"a","datacontenttype":"text/plain","data":"\u009b\n"}`, `{"type":"a","datacontenttype":"image/png","data_base64":"iVBORw=="}`,
		`{"type":"a","target":"save-\u0085<x>","replayof":"41","seq":"42"}`, `{"type":"a","target":null,"replayof":9223372036854775807}`,
		`[{"type":"a"}, 1 ,[]]`, ` [ ] `, `{"type":"a","time":"2026-12-24T8:00:00,5+24:00"}`,
		`{"type":"a","time":"0000-01-01T00:00:00+23:59"}`, "{\"type\":\"a\",\n\"data\":\n[\r1]}", `{"type":"a","datacontenttype":"x/y+JSON;a=b","data_base64":"e30="}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if msg := checkJSON(text, nil); utf8.Valid(text) && (msg == "") != json.Valid(text) && !strings.Contains(msg, tooDeep) {
			t.Fatalf("checkJSON: %q, json.Valid: %v", msg, json.Valid(text))
		}
		list, err := Elements(text, 1<<20)
		var raw []json.RawMessage
		if jerr := json.Unmarshal(text, &raw); err == nil && (jerr != nil || !slices.EqualFunc(list, raw, slices.Equal)) {
			t.Fatalf("Elements: %q, json.Unmarshal: %q, %v", list, raw, jerr)
		} else if err != nil && jerr == nil && raw != nil && !strings.Contains(err.Error(), tooDeep) {
			t.Fatalf("Elements: %v, json.Unmarshal: %q", err, raw)
		}
		var first, second Event
		if err := first.UnmarshalJSON(text); err != nil {
			var de *DecodeError
			if !errors.As(err, &de) || de.Offset < 0 || de.Offset > int64(len(text)) || de.Msg == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatal("took text that is not JSON")
		}
		once, err := first.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(once) || hasLineBreak(once) {
			t.Fatalf("encoded %q", once)
		}
		if err := second.UnmarshalJSON(once); err != nil {
			t.Fatalf("decode %s: %v", once, err)
		}
		if len(first.Extensions) == 0 {
			first.Extensions = nil
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("first %+v\nthen %+v", first, second)
		}
		if twice, _ := second.AppendJSON(nil); !bytes.Equal(once, twice) {
			t.Fatalf("first %s\nthen %s", once, twice)
		}
		_ = first.Validate()
		decodedAlike(t, text, &first)
	})
}
