package cloudevents

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks/trace"
)

// notInBinaryMode lists the attributes that have no Ce- header, each with where binary mode has it.
var notInBinaryMode = map[string]string{
	"datacontenttype": "the content type of the data is the header Content-Type",
	"data":            "the data is the body",
	"data_base64":     "the data is the body",
}

// Binary reads an event in CloudEvents' binary mode (HTTP binding 1.0, 3.1): attributes in Ce- headers, data in the body. The
// attributes go through the JSON decoder, so that both modes have the same rules.
func Binary(h http.Header, body []byte) (*events.Event, error) {
	attributes := map[string]string{}
	for name, values := range h {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		if !ok {
			continue
		}
		if where, ok := notInBinaryMode[attribute]; ok {
			return nil, fmt.Errorf("header %s: %s", strings.ToLower(name), where)
		}
		traced := attribute == trace.AttributeParent || attribute == trace.AttributeState // no value of theirs is worth refusing an event
		if _, twice := attributes[attribute]; twice || len(values) > 1 {
			if traced {
				continue
			}
			return nil, fmt.Errorf("header %s: given twice", strings.ToLower(name))
		}
		text, ok := decodeAttribute(values[0])
		if !ok && traced {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("header %s: its percent-encoding is not valid UTF-8", strings.ToLower(name))
		}
		attributes[attribute] = text
	}
	text, err := events.MarshalJSON(attributes)
	if err != nil {
		return nil, err
	}
	e := new(events.Event)
	if err := e.UnmarshalJSON(text); err != nil {
		return nil, ofHeader(err)
	}
	if contentTypes := h["Content-Type"]; len(contentTypes) == 1 && contentTypes[0] != "application/json" {
		e.DataContentType = contentTypes[0]
	}
	if len(body) > 0 {
		e.Data = body
	}
	return e, nil
}

// Attributed reports which header has an attribute of an event in binary mode; empty: none has.
func Attributed(h http.Header) string {
	var found []string
	for name := range h {
		if strings.HasPrefix(name, "Ce-") {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// ofHeader is the error of an attribute whose place is a header, and not a byte of JSON.
func ofHeader(err error) error {
	var wrong *events.DecodeError
	if errors.As(err, &wrong) && wrong.Attribute != "" {
		return fmt.Errorf("header ce-%s: %s", wrong.Attribute, wrong.Msg)
	}
	return err
}

// decodeAttribute decodes a header's value as the HTTP binding (3.1.3.2) and its older versions encode it: as a quoted string, then
// percent-encoded. Not all senders encode, so a percent sign without two hexadecimal digits after it stays as it is, and so does
// a quote that doesn't enclose the whole value. ok is false if the result is not UTF-8.
func decodeAttribute(value string) (text string, ok bool) {
	if unquoted, ok := unquoteString(value); ok {
		value = unquoted
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '%' && i+2 < len(value) {
			if n, err := strconv.ParseUint(value[i+1:i+3], 16, 8); err == nil {
				c = byte(n)
				i += 2
			}
		}
		b.WriteByte(c)
	}
	return b.String(), utf8.ValidString(b.String())
}

// unquoteString decodes a quoted-string (RFC 9110, 5.6.4); ok is false if value isn't one.
func unquoteString(value string) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return "", false
	}
	inner := value[1 : len(value)-1]
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c == '"' {
			return "", false
		}
		if c == '\\' {
			if i++; i == len(inner) {
				return "", false
			}
			c = inner[i]
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
