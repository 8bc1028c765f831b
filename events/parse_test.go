package events

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzParseJSON compares ParseJSON with encoding/json.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,1.5,1e3,9007199254740993,1e400,true,false,null,"x\n\u00e9\ud800"],"a":2}`, ` [ ] `, `{ }`, "\"\xff\"", `01`, `1.`, `-`, `"a`, `{"a"}`, `[1,]`,
		"\"\x00\"", `tru`, `1 2`, `"\q"`, `123456789012345678901234567890`, "\ufeff1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseJSON(b)
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

// numbers does to a decoded tree what ParseJSON promises.
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

// What is known of data goes with the event and its copies, and not with other data.
func TestDataIsCheckedAndDecodedOnce(t *testing.T) {
	e := decode(t, `{"type":"a","id":"1","source":"/t","data":{"n":1}}`)
	first, err := e.Value()
	if err != nil {
		t.Fatal(err)
	}
	copied := *e
	for _, same := range []*Event{e, &copied} {
		if err := same.Validate(); err != nil {
			t.Fatal(err)
		}
		again, err := same.Value()
		if err != nil || reflect.ValueOf(again).Pointer() != reflect.ValueOf(first).Pointer() {
			t.Errorf("%v, %v: decoded again", again, err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = e.Value(); _ = e.Validate() }); n != 0 {
		t.Errorf("%v allocations to see it again", n)
	}

	e.Data = json.RawMessage(`{"n":2}`)
	if v, err := e.Value(); err != nil || !reflect.DeepEqual(v, map[string]any{"n": 2}) {
		t.Errorf("other data: %v, %v", v, err)
	}
	if e.Data = json.RawMessage(`{"n":`); e.Validate() == nil {
		t.Error("other data was not checked")
	}
	if v, _ := copied.Value(); !reflect.DeepEqual(v, map[string]any{"n": 1}) {
		t.Errorf("the copy has %v", v)
	}
}

// The decoded form of large data is many times larger, so it doesn't stay with the event.
func TestLargeDataIsNotKeptDecoded(t *testing.T) {
	e := &Event{Type: "a", ID: "1", Source: "/t", Data: json.RawMessage(`{"x":"` + strings.Repeat("x", maxShared) + `"}`)}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if v, err := e.Value(); err != nil || v == nil || e.payload.decoded.Load() != nil {
		t.Errorf("%v, kept %v", err, e.payload.decoded.Load() != nil)
	}
}
