package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MarshalJSON writes all JSON that evrun produces. It works like [json.Marshal] but does not escape < > &, not even in the output of a
// [json.Marshaler]: people read \u003c with difficulty, and evrun puts no JSON into an HTML page.
func MarshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := jsonEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// AppendJSONText appends a string as MarshalJSON writes it, much faster if it is plain ASCII.
func AppendJSONText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := MarshalJSON(s) // can't fail for a string
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// WriteJSON writes a value as MarshalJSON does, with control characters escaped (see [EscapeJSON]), and a line break.
func WriteJSON(w io.Writer, v any) error { return encodeTo(w, v, "") }

// IndentJSON is WriteJSON for people: one line per member, indented by two spaces per level.
func IndentJSON(w io.Writer, v any) error { return encodeTo(w, v, "  ") }

func encodeTo(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := jsonEncoder(&b)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(EscapeJSON(b.Bytes()))
	return err
}

func jsonEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w) //nolint:forbidigo // the one place
	enc.SetEscapeHTML(false)
	return enc
}

// EscapeJSON makes valid JSON text safe for a terminal without changing its values. It writes the characters that EscapeControl escapes, and that
// JSON allows raw in strings, as \u009b. A text without such characters is returned unchanged, not copied.
func EscapeJSON(text []byte) []byte {
	i := hiddenInJSON(text)
	if i < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for ; i >= 0; i = hiddenInJSON(text) {
		r, size := utf8.DecodeRune(text[i:])
		out = appendEscape(append(out, text[:i]...), r)
		text = text[i+size:]
	}
	return append(out, text...)
}

func hiddenInJSON(text []byte) int {
	for i := 0; i < len(text); {
		if text[i] < 0x7f { // strings have no raw C0 characters; between tokens they are white space
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if hidden(r) {
			return i
		}
		i += size
	}
	return -1
}

// appendEscape writes \u and four digits, twice beyond U+FFFF.
func appendEscape(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendEscape(appendEscape(dst, high), low)
	}
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// JSONWriter passes JSON through [EscapeJSON]. Each Write must hold whole values.
type JSONWriter struct{ W io.Writer }

func (w JSONWriter) Write(text []byte) (int, error) {
	if _, err := w.W.Write(EscapeJSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// DecodeJSON is [json.Unmarshal] with errors that don't name Go's types.
func DecodeJSON(text []byte, v any) error {
	err := json.Unmarshal(text, v)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := ""
		if wrong.Field != "" {
			where = fmt.Sprintf("%q: ", wrong.Field)
		}
		return fmt.Errorf("%sa value of another kind than %s is expected (at byte %d)", where, wrong.Value, wrong.Offset)
	}
	if err != nil && strings.HasPrefix(err.Error(), "json: ") { // a number in a string: its errors have no type
		return errors.New("a value of another kind is expected")
	}
	return err
}
