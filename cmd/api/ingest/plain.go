package ingest

import (
	"fmt"
	"net/http"
	"strings"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
)

// Plain makes an event of plain JSON: the whole body is its data, and an empty one means none. media is the type of the body without its
// parameters, and contentType the header's value.
func Plain(typ, media, contentType string, body []byte) (*events.Event, error) {
	e := &events.Event{Type: typ}
	if contentType == "" && len(body) == 0 {
		return e, nil
	}
	e.DataContentType = contentType
	if media == "application/json" {
		e.DataContentType = ""
	}
	if !e.IsJSON() || strings.HasPrefix(media, "application/cloudevents") || contentType == "" {
		return nil, shape.NewProblem(http.StatusUnsupportedMediaType, notPlain(typ, media))
	}
	if len(body) > 0 {
		e.Data = body
	}
	return e, nil
}

// notPlain says what to do with a body that is not plain JSON.
func notPlain(typ, media string) string {
	switch {
	case media == "":
		return "the body has no Content-Type; if it is JSON, send Content-Type: application/json, as curl --json does"
	case media == "application/x-www-form-urlencoded":
		return "the body is a form, as curl -d sends it; send JSON: curl --json '{…}'"
	case strings.HasPrefix(media, "application/cloudevents"), media == ndjson.Type:
		return fmt.Sprintf("%s goes to POST /v1/events; here the whole body is the data of one event, in JSON", media)
	}
	return fmt.Sprintf("%s is not JSON; to send other data, POST it to /v1/events with the headers Ce-Specversion: 1.0, Ce-Type: %s, Ce-Source and Ce-Id", media, typ)
}

// Extensions reads parameters KEY=VALUE as extension attributes of an event.
func Extensions(e *events.Event, pairs []string) error {
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return shape.NewProblem(http.StatusBadRequest, fmt.Sprintf("ext: write NAME=VALUE, not %q", pair))
		}
		if _, twice := e.Extensions[name]; twice {
			return shape.NewProblem(http.StatusBadRequest, fmt.Sprintf("ext: %s is given twice", name))
		}
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions[name] = text
	}
	return nil
}
