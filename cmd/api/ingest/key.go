package ingest

import (
	"net/http"
	"strings"

	"evrun/cmd/api/shape"
	"evrun/events"
)

// IdempotencyKeyHeader names a request, so that sending it again does nothing (draft-ietf-httpapi-idempotency-key-header).
const IdempotencyKeyHeader = "Idempotency-Key"

// IdempotencyKey returns the key of a request; empty if it has none. The draft's form is a quoted string (RFC 9651, 3.3.3); most senders don't quote.
func IdempotencyKey(h http.Header) (string, error) {
	values := h[IdempotencyKeyHeader]
	if len(values) == 0 {
		return "", nil
	}
	wrong := func(detail string) (string, error) {
		return "", shape.NewProblem(http.StatusBadRequest, "header idempotency-key: "+detail)
	}
	if len(values) > 1 {
		return wrong("given twice")
	}
	key := strings.TrimSpace(values[0])
	if strings.HasPrefix(key, `"`) {
		text, ok := unquote(key)
		if !ok {
			return wrong(`the quoted string does not end where the value ends; write "abc", with \ before each quote and each \ in it`)
		}
		key = text
	}
	if key == "" {
		return wrong("it is empty")
	}
	return key, nil
}

// unquote reads a quoted string that ends with the text.
func unquote(text string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), i == len(text)-1
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// Identify gives events the request's key as their id: one event the key itself, those of a batch the key and their number, as [Defaults] has it. An event
// with an id keeps it.
func Identify(evs []*events.Event, key string, batch bool) {
	d := Defaults{ID: key}
	for i, e := range evs {
		switch {
		case batch:
			d.Apply(e, i+1)
		case e.ID == "":
			e.ID = key
		}
	}
}
