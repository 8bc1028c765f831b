package events

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// decodedAlike checks that a Decoder gives what UnmarshalJSON gave, and Member what Value gives.
func decodedAlike(t *testing.T, text []byte, want *Event) {
	t.Helper()
	var d Decoder
	for range 2 { // the second event shares strings with the first
		got, err := d.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Extensions) == 0 {
			got.Extensions = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("a Decoder gives %+v, and not %+v", got, want)
		}
		membersAlike(t, got)
	}
}

// membersAlike checks each member of the data, and returns how many needed no decoding of the rest.
func membersAlike(t *testing.T, e *Event) (quick int) {
	t.Helper()
	value, err := ParseJSON(e.Data)
	m, _ := value.(map[string]any)
	if err != nil || m == nil || !e.IsJSON() {
		if v, ok := e.Member("a"); ok {
			t.Fatalf("%.200s has a member %v", e.Data, v)
		}
		return 0
	}
	for _, absent := range []string{"-", ""} { // most likely
		if _, ok := m[absent]; !ok {
			m[absent] = nil
		}
	}
	for name, want := range m {
		got, ok := e.Member(name)
		if ok && !reflect.DeepEqual(got, want) {
			t.Fatalf("%.200s: the member %q is %#v, and not %#v", e.Data, name, got, want)
		}
		if ok && want != nil {
			quick++
		}
	}
	return quick
}

func TestMemberIsWhatValueHas(t *testing.T) {
	for data, quick := range map[string]int{
		`{"name":"Ada","n":1,"x":2.5,"b":true,"z":null}`:                             4,
		"{\n\t\"a\" : \"b\",\r\n\t\"c\" :\t-1\n}":                                    2,
		`{"a":"first","b":1,"a":"last"}`:                                             2,
		`{"a":"first","a":{}}`:                                                       0,
		`{"é":"\u00e9\ud83d\ude00","big":123456789012345678901234567890,"":"empty"}`: 3,
		`{"a":"x","\u0061":"y"}`:                                                     0,
		`{"a":1,"list":[1,{"a":2}],"map":{"a":3}}`:                                   1,
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1}`:                          8,
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1}`:                    0,
		`{"a":1,"long":"` + strings.Repeat("x", maxShared) + `"}`:                    0,
		`{"long":"` + strings.Repeat("x", 1<<16) + `","a":1}`:                        0,
		`{}`: 0, `[{"a":1}]`: 0, `"a"`: 0, `null`: 0,
	} {
		text := []byte(`{"type":"t","id":"1","source":"/t","more":"x","data":` + data + `}`)
		var read Event
		if err := read.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		decodedAlike(t, text, &read)
		checked := &Event{Type: "t", ID: "1", Source: "/t", Data: json.RawMessage(data)}
		if _, ok := checked.Member("a"); ok {
			t.Errorf("%.100s was not checked, and has members", data)
		}
		if err := checked.Validate(); err != nil {
			t.Fatal(err)
		}
		for what, e := range map[string]*Event{"decoded": &read, "checked": checked} {
			if n := membersAlike(t, e); n != quick {
				t.Errorf("%.100s, %s: %d members without Value, want %d", data, what, n, quick)
			}
		}
		if _, err := read.Value(); err != nil {
			t.Fatal(err)
		}
		membersAlike(t, &read)
	}
}

// What is known of data is not known of other data.
func TestMemberOfOtherData(t *testing.T) {
	e := decode(t, `{"type":"a","id":"1","source":"/t","data":{"n":1}}`)
	if v, ok := e.Member("n"); v != 1 || !ok {
		t.Fatalf("%v, %v", v, ok)
	}
	e.DataContentType = "text/plain"
	if v, ok := e.Member("n"); ok {
		t.Errorf("text has the member %v", v)
	}
	e.DataContentType, e.Data = "", json.RawMessage(`{"n":2}`)
	if v, ok := e.Member("n"); ok {
		t.Errorf("other data has the member %v", v)
	}
}

// An event shares no memory with the text, and strings only with an event whose attributes are equal.
func TestDecoderSharesEqualStringsOnly(t *testing.T) {
	var d Decoder
	text := []byte(`{"type":"a.b","source":"/s","data":{"n":"x"}}`)
	first, err := d.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	copy(text, `{"type":"c.d","source":"/t","data":{"n":"y"}}`)
	second, err := d.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	for e, want := range map[*Event][4]string{first: {"a.b", "/s", `{"n":"x"}`, "x"}, second: {"c.d", "/t", `{"n":"y"}`, "y"}} {
		n, _ := e.Member("n")
		if got := [4]any{e.Type, e.Source, string(e.Data), n}; got != [4]any{want[0], want[1], want[2], want[3]} {
			t.Errorf("%v, want %v", got, want)
		}
	}
	line := []byte(`{"type":"user.registered","source":"/shop","data":{"name":"Ada"}}`)
	if _, err := d.Decode(line); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = d.Decode(line) }); n > 2 {
		t.Errorf("%v allocations for an event like the one before: one is for the event, one for its data", n)
	}
}
