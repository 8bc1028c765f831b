package events

import (
	"bytes"
	"encoding/json"
	"io"
)

// MarshalJSON is how evrun writes all JSON that it makes: as [json.Marshal] does, but < > & stay as they are, in what
// implements [json.Marshaler] too. Nothing of ours is put into an HTML page, and people read \u003c with difficulty.
func MarshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := WriteJSON(&b, v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// WriteJSON writes a value as MarshalJSON does, and a line break.
func WriteJSON(w io.Writer, v any) error { return jsonEncoder(w).Encode(v) }

// IndentJSON is WriteJSON for people: each member on a line of its own, indented by two spaces a level.
func IndentJSON(w io.Writer, v any) error {
	enc := jsonEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func jsonEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w) //nolint:forbidigo // the one place
	enc.SetEscapeHTML(false)
	return enc
}
