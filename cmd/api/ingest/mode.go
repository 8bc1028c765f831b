package ingest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"evrun/cmd/api/cloudevents"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
)

// Mode is how a request has its events.
type Mode int

// The modes of POST /v1/events.
const (
	Binary     Mode = iota // attributes in headers, data in the body
	Structured             // one event in JSON
	Batch                  // a list of events in JSON
	NDJSON                 // a line for each event in JSON
)

// ContentType is the header of a request.
type ContentType struct {
	Text    string // as it was sent; empty: there was none
	Media   string // in lower case, without parameters
	charset string
}

// ContentTypeOf reads it.
func ContentTypeOf(h http.Header) (c ContentType, err error) {
	values := h["Content-Type"]
	if len(values) > 1 {
		return c, shape.NewProblem(http.StatusBadRequest, "header content-type: given twice")
	}
	if len(values) == 0 || values[0] == "" {
		return c, nil
	}
	switch c.Text = values[0]; c.Text {
	case "application/json", cloudevents.Type, cloudevents.BatchType, ndjson.Type: // the usual ones need no parser
		c.Media = c.Text
		return c, nil
	}
	media, parameters, err := mime.ParseMediaType(c.Text)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return c, shape.NewProblem(http.StatusUnsupportedMediaType, "Content-Type: "+err.Error())
	}
	c.Media, c.charset = media, strings.ToLower(parameters["charset"])
	return c, nil
}

// UTF8 returns a problem if the text of a body isn't in UTF-8, as evrun reads it. The data of an event in binary mode may have any charset.
func (c ContentType) UTF8() error {
	switch c.charset {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	}
	return shape.NewProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type: the charset %s is not supported; send UTF-8", c.charset))
}

// ModeOf is the mode of a request, as CloudEvents' HTTP binding (1.0, 3) defines it: by the Content-Type, else by the headers with attributes.
func (c ContentType) ModeOf(h http.Header) (Mode, error) {
	switch {
	case c.Media == cloudevents.Type:
		return Structured, c.UTF8()
	case c.Media == cloudevents.BatchType:
		return Batch, c.UTF8()
	case strings.HasPrefix(c.Media, "application/cloudevents"):
		return 0, shape.NewProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("%s is not supported; send %s or %s", c.Media, cloudevents.Type, cloudevents.BatchType))
	case binary(h):
		return Binary, nil
	case c.Media == ndjson.Type:
		return NDJSON, c.UTF8()
	}
	return 0, shape.NewProblem(http.StatusUnsupportedMediaType, notEvents(c.Media))
}

// binary reports whether a request has one of the attributes that each event has.
func binary(h http.Header) bool {
	return len(h["Ce-Type"]) > 0 || len(h["Ce-Specversion"]) > 0 || len(h["Ce-Id"]) > 0 || len(h["Ce-Source"]) > 0
}

// Accepted are the media types of POST /v1/events.
const Accepted = cloudevents.Type + ", " + cloudevents.BatchType + ", " + ndjson.Type

// notEvents says how to send what is in a body without attributes of an event.
func notEvents(media string) string {
	const or = ", or the event's attributes as Ce- headers"
	switch media {
	case "application/json":
		return "this JSON has no event's type: POST plain data to /v1/events/TYPE, or send " + Accepted + or
	case "application/x-www-form-urlencoded":
		return "the body is a form, as curl -d sends it: POST plain JSON to /v1/events/TYPE with curl --json '{…}', or send " + Accepted + or
	}
	return "send " + Accepted + or + "; plain JSON goes to /v1/events/TYPE"
}
