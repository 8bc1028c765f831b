package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// How long attributes may be, in bytes, and how many extensions an event may have. Data has no limit here.
const (
	MaxIDLen            = 256  // also of CorrelationID and CausationID
	MaxSourceLen        = 512  // also of DataSchema
	MaxSubjectLen       = 1024 // also of an extension's text
	MaxExtensionNameLen = 40
	MaxExtensions       = 64
)

// AttributeError says which attribute of an event is invalid, and what to do about it.
type AttributeError struct {
	Attribute string // as in CloudEvents: "id", "datacontenttype", …
	Msg       string
}

func (e *AttributeError) Error() string { return e.Attribute + " " + e.Msg }

// Fault gives the parts of the error: the message names the attribute.
func (e *AttributeError) Fault() (offset int, message, hint string) { return 0, e.Error(), "" }

// Validate checks whether the event can be accepted: type, id and source are given and well-formed; no attribute is too long or has a character or a
// number that CloudEvents excludes; Data is JSON if the content type says so. Time and the attributes that the journal sets may be empty. Validate
// does not check whether the type is [Reserved], nor the number of hops. The error is an [*AttributeError].
func (e *Event) Validate() error {
	if err := checkTokens(e.Type, false); err != nil {
		return &AttributeError{"type", err.detail()}
	}
	for _, a := range [...]struct {
		name, text string
		limit      int
	}{
		{"id", e.ID, MaxIDLen},
		{"source", e.Source, MaxSourceLen},
		{"subject", e.Subject, MaxSubjectLen},
		{"datacontenttype", e.DataContentType, MaxIDLen},
		{"dataschema", e.DataSchema, MaxSourceLen},
		{"correlationid", e.CorrelationID, MaxIDLen},
		{"causationid", e.CausationID, MaxIDLen},
		{"target", e.Target, MaxIDLen},
	} {
		if err := checkText(a.name, a.text, a.limit); err != nil {
			return err
		}
	}
	switch {
	case e.ID == "":
		return &AttributeError{"id", "is missing: give each event of a source its own"}
	case e.Source == "":
		return &AttributeError{"source", "is missing: say where the event comes from, such as /shop/checkout"}
	}
	if err := checkSource(e.Source); err != nil {
		return err
	}
	if err := checkSchema(e.DataSchema); err != nil {
		return err
	}
	if _, err := checkTime(e.Time); err != nil {
		return err
	}
	if err := e.checkExtensions(); err != nil {
		return err
	}
	return e.checkData()
}

func (e *Event) checkExtensions() error {
	if len(e.Extensions) > MaxExtensions {
		return &AttributeError{"extensions", fmt.Sprintf("are %d: an event may have %d; put the rest into data", len(e.Extensions), MaxExtensions)}
	}
	for name, v := range e.Extensions {
		if err := checkExtensionName(name); err != nil {
			return err
		}
		switch v := v.(type) {
		case string:
			if err := checkText(name, v, MaxSubjectLen); err != nil {
				return err
			}
		case int64:
			if v != int64(int32(v)) {
				return &AttributeError{name, fmt.Sprintf("is %d: an integer has 32 bits in CloudEvents; send it as a string, or put it into data", v)}
			}
		case bool:
		default:
			return errExtensionValue(name, v)
		}
	}
	return nil
}

func (e *Event) checkData() error {
	media, _, _ := strings.Cut(e.DataContentType, ";")
	if kind, subtype, _ := strings.Cut(strings.TrimSpace(media), "/"); e.DataContentType != "" && (kind == "" || subtype == "") {
		return &AttributeError{"datacontenttype", fmt.Sprintf("%q is not a media type: write type/subtype, such as text/plain", e.DataContentType)}
	}
	if e.Data == nil || !e.IsJSON() {
		return nil
	}
	if len(e.Data) == 0 {
		return &AttributeError{"data", "is empty, which is not JSON: leave it out, or send null"}
	}
	if e.isChecked() {
		return nil
	}
	p := &payload{text: e.Data}
	if msg := checkJSON(e.Data, &p.index); msg != "" {
		return &AttributeError{"data", msg + "; say in datacontenttype if it is something else"}
	}
	e.payload = p
	return nil
}

// CheckJSON checks JSON text by the rules for an event's data. The error says what is wrong and where.
func CheckJSON(text []byte) error {
	if msg := checkJSON(text, nil); msg != "" {
		return errors.New(msg)
	}
	return nil
}

// checkJSON says what is wrong with JSON text, and fills in the index of an object, which may be nil.
func checkJSON(text []byte, x *index) (msg string) {
	if !utf8.Valid(text) {
		return fmt.Sprintf("is not valid UTF-8 (at byte %d)", invalidUTF8(text))
	}
	s := scanner{in: text, index: x}
	if s.whole() {
		return ""
	}
	return s.fault()
}

// checkText wants UTF-8 of at most limit bytes, without control characters and noncharacters.
func checkText(attribute, text string, limit int) error {
	if len(text) > limit {
		return &AttributeError{attribute, fmt.Sprintf("is %d bytes long: %d are allowed", len(text), limit)}
	}
	for i := 0; i < len(text); {
		if c := text[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &AttributeError{attribute, fmt.Sprintf("is not valid UTF-8 (at byte %d)", i)}
		case unicode.IsControl(r):
			return &AttributeError{attribute, fmt.Sprintf("has the control character %U (at byte %d): leave it out, or put the text into data", r, i)}
		case noncharacter(r):
			return &AttributeError{attribute, fmt.Sprintf("has %U, which is not a character (at byte %d): leave it out, or put the text into data", r, i)}
		}
		i += size
	}
	return nil
}

// checkSource wants a URI reference (RFC 3986); letters beyond ASCII are allowed.
func checkSource(source string) error {
	if isPlain(source, "/-_.") { // most sources are, and url.Parse allocates
		return nil
	}
	_, err := url.Parse(source)
	if i := strings.IndexFunc(source, unicode.IsSpace); i >= 0 || err != nil {
		return &AttributeError{"source", fmt.Sprintf("%q is not a URI reference: write a path or a URI, such as /shop/checkout or urn:shop:checkout", source)}
	}
	return nil
}

// isPlain reports whether a text has only digits, lower-case letters and these other characters.
func isPlain(text, others string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// noncharacter reports whether a code point is one that Unicode never assigns.
func noncharacter(r rune) bool { return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef }

// checkSchema wants a URI with a scheme (RFC 3986), or nothing.
func checkSchema(schema string) error {
	if schema == "" {
		return nil
	}
	u, err := url.Parse(schema)
	if err != nil || !u.IsAbs() || strings.ContainsFunc(schema, unicode.IsSpace) {
		return &AttributeError{"dataschema", fmt.Sprintf("%q is not an absolute URI: begin it with a scheme, such as https://example.com/schema.json or urn:shop:order", schema)}
	}
	return nil
}

// ParseTime reads an RFC 3339 time strictly. [time.Parse] accepts more: an hour of one digit, a comma in the seconds, a zone of 99 hours.
func ParseTime(text string) (t time.Time, ok bool) { return parseTime([]byte(text)) }

func parseTime(text []byte) (t time.Time, ok bool) {
	const zone = len("+01:00")
	if len(text) < len("2006-01-02T15:04:05Z") || text[len("2006-01-02T15")] != ':' || bytes.IndexByte(text, ',') >= 0 {
		return t, false
	}
	if at := len(text) - zone; text[len(text)-1] != 'Z' && (string(text[at+1:at+3]) > "23" || string(text[at+4:]) > "59") {
		return t, false
	}
	err := t.UnmarshalText(text)
	return t, err == nil
}

// The Unix times of the first and of the last second of the years 0 to 9999.
var (
	firstSecond = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// checkTime returns t in UTC with microseconds. RFC 3339 has four digits for the year.
func checkTime(t time.Time) (time.Time, *AttributeError) {
	t = t.UTC().Truncate(time.Microsecond)
	if s := t.Unix(); s < firstSecond || s > lastSecond {
		return time.Time{}, &AttributeError{"time", "must be between the years 0 and 9999 in UTC"}
	}
	return t, nil
}

// checkExtensionName wants a name that CloudEvents allows and that no field of Event has.
func checkExtensionName(name string) *AttributeError {
	if attributeNumber(name) != attrExtension {
		return &AttributeError{name, "is an attribute with a field of its own, not an extension"}
	}
	if name == "" || len(name) > MaxExtensionNameLen {
		return &AttributeError{clip(name), fmt.Sprintf("is not a valid attribute name: it must have 1 to %d characters", MaxExtensionNameLen)}
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return &AttributeError{name, "is not a valid attribute name: it may have lower-case letters and digits (a-z, 0-9) only"}
		}
	}
	return nil
}

func errExtensionValue(name string, v any) error {
	what := "a value of another kind"
	switch v.(type) {
	case nil:
		what = "null"
	case float64, int, json.Number:
		what = fmt.Sprintf("the number %v", v)
	case []any:
		what = "a list"
	case map[string]any:
		what = "an object"
	}
	return &AttributeError{name, fmt.Sprintf("is %s: an extension is a string, a boolean or a whole number of 32 bits; put the rest into data", what)}
}

func invalidUTF8(text []byte) (at int) {
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return at
}

// clip shortens untrusted text for a message. It never cuts a character in half.
func clip(s string) string {
	const room = 40
	if len(s) <= room {
		return s
	}
	end := room
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
