package hook

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"evrun/events"
)

// What bodies may take of the memory.
const (
	maxHeld   = 128 << 20 // of all large bodies that are being read or worked on
	maxShare  = 32 << 20  // of those from one address
	maxFields = 1000      // of a form
)

// body is the body of a request, and what it is.
type body struct {
	raw  []byte
	kind string // the media type, without parameters; empty: none, or one that can't be read
	form bool
}

func newBody(raw []byte, h http.Header) *body {
	b := &body{raw: raw}
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil {
		b.kind = media
	}
	// curl -d says that what it sends is a form. In a form, { is written %7B.
	b.form = b.kind == "application/x-www-form-urlencoded" && (len(raw) == 0 || raw[0] != '{' && raw[0] != '[')
	return b
}

// value decodes the body for expressions: of JSON or a form its value; else a text; nil if it is empty.
func (b *body) value() (any, error) {
	switch {
	case len(b.raw) == 0:
		return nil, nil
	case b.form:
		return b.fields()
	case b.isJSON():
		v, err := events.ParseJSON(b.raw)
		if err != nil {
			return nil, errors.New("the body is not valid JSON: it " + err.Error())
		}
		return v, nil
	case !utf8.Valid(b.raw):
		return nil, errors.New("the body is neither JSON nor a form nor a text in UTF-8")
	}
	return string(b.raw), nil
}

// isJSON reports whether the body is JSON: it says so, or it says nothing, and looks like it.
func (b *body) isJSON() bool {
	switch b.kind {
	case "":
		return events.CheckJSON(b.raw) == nil
	case "application/x-www-form-urlencoded":
		return !b.form
	}
	e := events.Event{DataContentType: b.kind}
	return e.IsJSON()
}

// fields are those of a form: a text, or a list of texts for a field that is given more than once.
func (b *body) fields() (map[string]any, error) {
	if !utf8.Valid(b.raw) {
		return nil, errors.New("the form is not valid UTF-8")
	}
	if strings.Count(string(b.raw), "&") >= maxFields {
		return nil, errors.New("the form has too many fields")
	}
	values, err := url.ParseQuery(string(b.raw))
	if err != nil {
		return nil, errors.New("the form is not valid: " + strings.TrimPrefix(err.Error(), "invalid URL escape "))
	}
	fields := make(map[string]any, len(values))
	for name, texts := range values {
		list := make([]any, len(texts))
		for i, text := range texts {
			if !utf8.ValidString(text) || !utf8.ValidString(name) {
				return nil, errors.New("a field of the form is not valid UTF-8")
			}
			list[i] = text
		}
		if fields[name] = list; len(list) == 1 {
			fields[name] = list[0]
		}
	}
	return fields, nil
}

// data is the body as the data of an event, and its content type.
func (b *body) data() (data []byte, contentType string, err error) {
	switch {
	case len(b.raw) == 0:
		return nil, "", nil
	case b.form:
		fields, err := b.fields()
		if err != nil {
			return nil, "", err
		}
		data, err = events.MarshalJSON(fields)
		return data, "", err
	case b.isJSON():
		if b.kind == "" || b.kind == "application/x-www-form-urlencoded" || b.kind == "application/json" {
			return b.raw, "", nil
		}
		return b.raw, b.kind, nil
	case b.kind != "":
		return b.raw, b.kind, nil
	case utf8.Valid(b.raw):
		return b.raw, "text/plain", nil
	}
	return b.raw, "application/octet-stream", nil
}
