package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// MarshalJSON implements [json.Marshaler] with AppendJSON. json.Marshal scans the result again and may escape < > & in Data. Call AppendJSON for the
// exact bytes or for speed.
func (e *Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(make([]byte, 0, 512+len(e.Data))) }

// AppendJSON appends the event to dst in CloudEvents' JSON format, on one line, without empty attributes. JSON data goes to "data" unchanged, except
// line breaks between tokens; other UTF-8 text goes to "data" as a string, and other bytes to "data_base64". In all other strings the characters that
// [EscapeControl] escapes are escaped; use [EscapeJSON] to escape them in the data, too.
//
// An event that [Event.Validate] accepts can be written. For other events the error is an [*AttributeError], or the result contains the event's
// invalid Data.
func (e *Event) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"specversion":"1.0"`...)
	dst = appendAttribute(dst, `,"id":`, e.ID)
	dst = appendAttribute(dst, `,"source":`, e.Source)
	dst = appendAttribute(dst, `,"type":`, e.Type)
	dst = appendAttribute(dst, `,"subject":`, e.Subject)
	if !e.Time.IsZero() {
		t, err := checkTime(e.Time)
		if err != nil {
			return nil, err
		}
		dst = append(dst, `,"time":"`...)
		dst = append(t.AppendFormat(dst, time.RFC3339Nano), '"')
	}
	dst = appendAttribute(dst, `,"datacontenttype":`, e.DataContentType)
	dst = appendAttribute(dst, `,"dataschema":`, e.DataSchema)
	if e.Sequence != 0 {
		dst = append(dst, `,"seq":"`...)
		dst = append(strconv.AppendInt(dst, e.Sequence, 10), '"')
	}
	if e.Chain != 0 {
		dst = append(dst, `,"chain":"`...)
		dst = append(strconv.AppendInt(dst, e.Chain, 10), '"')
	}
	if e.Hops != 0 {
		dst = append(dst, `,"hops":`...)
		dst = strconv.AppendInt(dst, int64(e.Hops), 10)
	}
	dst = appendAttribute(dst, `,"target":`, e.Target)
	if e.ReplayOf != 0 {
		dst = append(dst, `,"replayof":"`...)
		dst = append(strconv.AppendInt(dst, e.ReplayOf, 10), '"')
	}
	dst = appendAttribute(dst, `,"correlationid":`, e.CorrelationID)
	dst = appendAttribute(dst, `,"causationid":`, e.CausationID)
	if !e.ErasedAt.IsZero() {
		dst = append(dst, `,"erasedat":"`...)
		dst = append(e.ErasedAt.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
	}
	dst, err := e.appendExtensions(dst)
	if err == nil {
		dst, err = e.appendData(dst)
	}
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}

func (e *Event) appendExtensions(dst []byte) ([]byte, error) {
	if len(e.Extensions) == 0 {
		return dst, nil
	}
	var room [8]string
	names := room[:0]
	for name := range e.Extensions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := checkExtensionName(name); err != nil {
			return nil, err
		}
		dst = append(dst, ',', '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		switch v := e.Extensions[name].(type) {
		case string:
			dst = appendString(dst, v)
		case bool:
			dst = strconv.AppendBool(dst, v)
		case int64:
			dst = strconv.AppendInt(dst, v, 10)
		default:
			return nil, errExtensionValue(name, v)
		}
	}
	return dst, nil
}

func (e *Event) appendData(dst []byte) ([]byte, error) {
	switch {
	case e.Data == nil:
		return dst, nil
	case !e.IsJSON() && utf8.Valid(e.Data):
		return appendString(append(dst, `,"data":`...), string(e.Data)), nil
	case !e.IsJSON():
		dst = append(dst, `,"data_base64":"`...)
		return append(base64.StdEncoding.AppendEncode(dst, e.Data), '"'), nil
	case len(e.Data) == 0:
		return dst, nil
	}
	dst = append(dst, `,"data":`...)
	if !hasLineBreak(e.Data) {
		return append(dst, e.Data...), nil
	}
	b := bytes.NewBuffer(dst)
	if err := json.Compact(b, e.Data); err != nil {
		return nil, &AttributeError{"data", fmt.Sprintf("is not valid JSON: %v", err)}
	}
	return b.Bytes(), nil
}

// hasLineBreak reports whether JSON text has a line break. In JSON it can only be white space between tokens.
func hasLineBreak(text []byte) bool {
	return bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0
}

func appendAttribute(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(append(dst, key...), value)
}

// appendString writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // start of the part that is not yet written
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r > 0x9f && !hidden(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', byte(r))
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case utf8.RuneError:
			dst = append(dst, `\ufffd`...)
		default:
			dst = appendEscape(dst, r)
		}
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
