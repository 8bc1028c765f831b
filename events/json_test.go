package events

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestWrittenJSONHasNoHiddenCharacters(t *testing.T) {
	const hiddenOnes = "\x7f\u0080\u009b\u00ad\u061c\u180e\u200b\u200d\u200f\u2028\u202e\u2066\ufeff\ufff9\U000e0041"
	value := map[string]any{"a" + hiddenOnes: "é😀" + hiddenOnes + "<&>\ufffd", "event": &Event{Type: "a", Subject: hiddenOnes, Data: json.RawMessage(`"` + hiddenOnes + `"`)}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"WriteJSON":  func(b *bytes.Buffer) error { return WriteJSON(b, value) },
		"IndentJSON": func(b *bytes.Buffer) error { return IndentJSON(b, value) },
		"JSONWriter": func(b *bytes.Buffer) error {
			text, err := MarshalJSON(value)
			if err == nil {
				_, err = JSONWriter{b}.Write(text)
			}
			return err
		},
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("\n", "").Replace(b.String())
		if EscapeControl(text) != text || !strings.Contains(text, "é😀") || !strings.Contains(text, "<&>\ufffd") {
			t.Errorf("%s wrote %q", name, text)
		}
		var got, want any
		plain, _ := MarshalJSON(value)
		if json.Unmarshal(b.Bytes(), &got) != nil || json.Unmarshal(plain, &want) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed the value: %s", name, text)
		}
	}
	if text := []byte(`{"a":"é"}`); &EscapeJSON(text)[0] != &text[0] {
		t.Error("a text without such characters is copied")
	}
}

func TestErrorsOfJSONNameNoGoTypes(t *testing.T) {
	var v struct {
		List []struct {
			Number int64 `json:"number,string"`
		} `json:"list"`
	}
	for _, text := range []string{`{"list":5}`, `{"list":[{"number":true}]}`, `[]`, `"a"`, `{"list":[`} {
		if err := DecodeJSON([]byte(text), &v); err == nil || strings.Contains(err.Error(), "Go") || strings.Contains(err.Error(), "struct") || strings.Contains(err.Error(), "int64") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzEscapeJSON(f *testing.F) {
	f.Add("a\u202e\x7f\U000e0041\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		text, err := MarshalJSON(s)
		if err != nil {
			t.Fatal(err)
		}
		escaped := EscapeJSON(text)
		var before, after string
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(escaped, &after) != nil || before != after {
			t.Fatalf("%q became %q", before, after)
		}
		if got := EscapeControl(string(escaped)); got != string(escaped) {
			t.Fatalf("%q is left", escaped)
		}
	})
}
