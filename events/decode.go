package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeError says what is wrong with the JSON text of an event.
type DecodeError struct {
	Attribute string // empty for the text as a whole
	Offset    int64  // where the error is, in bytes
	Msg       string // what is wrong and what is expected
}

func (e *DecodeError) Error() string {
	_, message, _ := e.Fault()
	return fmt.Sprintf("%s (at byte %d)", message, e.Offset)
}

// Fault gives the parts of the error.
func (e *DecodeError) Fault() (offset int, message, hint string) {
	message = "not a CloudEvent in JSON: " + e.Msg
	if e.Attribute != "" {
		message = fmt.Sprintf("attribute %q: %s", e.Attribute, e.Msg)
	}
	return int(e.Offset), message, ""
}

// UnmarshalJSON reads one event in CloudEvents' JSON format and overwrites e with it. Text after the event is an error. The attribute type is
// required; id, source, specversion and time are optional, because the emitter fills them in. An attribute that is null or empty counts as missing.
// JSON data keeps its bytes, except line breaks between tokens; e does not keep text itself.
//
// seq, chain, hops, target and replayof are taken as given: the caller decides whether to trust them. After an error, a [*DecodeError], e is unchanged. A direct call
// is several times faster than json.Unmarshal.
func (e *Event) UnmarshalJSON(text []byte) error {
	before := *e
	*e = Event{}
	d := decoder{scanner: scanner{in: text}, event: e, known: new(payload)}
	err := d.decode()
	if err != nil {
		*e = before
	}
	return err
}

// Decoder decodes event after event as [Event.UnmarshalJSON] does, with fewer allocations: an event shares type and source with the one
// before where they are equal. The zero value is ready. Not safe for concurrent use.
type Decoder struct{ typ, source string }

// Decode returns a new event. The error is a [*DecodeError].
func (r *Decoder) Decode(text []byte) (*Event, error) {
	var x struct { // in one allocation
		event   Event
		payload payload
	}
	d := decoder{scanner: scanner{in: text}, event: &x.event, known: &x.payload, before: *r}
	if err := d.decode(); err != nil {
		return nil, err
	}
	r.typ, r.source = d.event.Type, d.event.Source
	return d.event, nil
}

// decoder decodes one event.
type decoder struct {
	scanner
	event  *Event   // empty
	known  *payload // of event, if it has JSON data
	before Decoder
	seen   [attrCount]bool

	data, base64 value // of data and data_base64
}

// value is a scanned JSON value: its text and its offset. An empty text means that there was no value.
type value struct {
	text []byte
	at   int
}

func (v value) null() bool { return string(v.text) == "null" }

// string gives the text of a value that must be a string. It may be part of the input.
func (v value) string() (text []byte, msg string) {
	if v.text[0] != '"' {
		return nil, "must be a string"
	}
	text, ok := unquote(v.text)
	if !ok {
		return nil, "has half of a surrogate pair"
	}
	return text, ""
}

func (d *decoder) decode() error {
	if !utf8.Valid(d.in) {
		return &DecodeError{"", int64(invalidUTF8(d.in)), "is not valid UTF-8"}
	}
	if d.next() != '{' {
		d.fail("must be an object: {…}")
		return d.syntax("")
	}
	d.pos++
	if d.next() == '}' {
		d.pos++
	} else if err := d.attributes(); err != nil {
		return err
	}
	if d.space(); d.pos < len(d.in) {
		d.fail("something follows the event: one event is one object")
		return d.syntax("")
	}
	if d.event.Type == "" {
		return &DecodeError{"type", int64(len(d.in)), "is missing: an event needs one, such as user.registered"}
	}
	for name, v := range d.event.Extensions {
		if v == nil { // it was null
			delete(d.event.Extensions, name)
		}
	}
	return d.payload()
}

func (d *decoder) attributes() error {
	for {
		d.space()
		at := d.pos
		key, ok := d.key()
		if !ok {
			return d.syntax("")
		}
		name := key[1 : len(key)-1]
		if d.escaped {
			name, ok = unquote(key)
		}
		if !ok {
			return &DecodeError{"", int64(at), "an attribute's name has half of a surrogate pair"}
		}
		d.space()
		v := value{at: d.pos}
		if string(name) == "data" {
			d.index, d.base = &d.known.index, d.pos
		}
		if !d.value(1) {
			return d.syntax(string(name))
		}
		d.index = nil
		v.text = d.in[v.at:d.pos]
		if err := d.attribute(name, at, v); err != nil {
			return err
		}
		switch more, ok := d.more('}'); {
		case !ok:
			return d.syntax("")
		case !more:
			return nil
		}
	}
}

// attribute reads one attribute, whose name begins at offset.
func (d *decoder) attribute(name []byte, at int, v value) error {
	a := attributeNumber(string(name))
	if a == attrExtension {
		return d.extension(string(name), at, v)
	}
	if d.seen[a] {
		return &DecodeError{string(name), int64(at), "is given twice"}
	}
	d.seen[a] = true
	switch {
	case a == attrData:
		d.data = v
		return nil
	case v.null():
		return nil
	case a == attrDataBase64:
		d.base64 = v
		return nil
	case a == attrSeq || a == attrChain || a == attrHops || a == attrReplayOf:
		return d.own(a, string(name), v)
	}
	text, msg := v.string()
	switch {
	case msg == "":
		msg = d.set(a, text)
	case a == attrTarget:
		msg += ": the name is evrun's own; choose another one for your attribute, or put it into data"
	}
	if msg != "" {
		return &DecodeError{string(name), int64(v.at), msg}
	}
	return nil
}

// own reads one of evrun's own attributes: a number, or a string with a number.
func (d *decoder) own(a int, name string, v value) error {
	text := v.text
	if text[0] == '"' {
		var msg string
		if text, msg = v.string(); msg != "" {
			return &DecodeError{name, int64(v.at), msg}
		}
		if len(text) == 0 {
			return nil
		}
	}
	bits := 63
	if a == attrHops {
		bits = 31
	}
	n, err := strconv.ParseUint(string(text), 10, bits)
	if err != nil {
		return &DecodeError{name, int64(v.at), `must be a number such as "42": the name is evrun's own; choose another one for your attribute, or put it into data`}
	}
	switch a {
	case attrSeq:
		d.event.Sequence = int64(n)
	case attrChain:
		d.event.Chain = int64(n)
	case attrHops:
		d.event.Hops = int(n)
	case attrReplayOf:
		d.event.ReplayOf = int64(n)
	}
	return nil
}

// shared returns text as a string: the one before, if it is the same.
func shared(before string, text []byte) string {
	if before == string(text) {
		return before
	}
	return string(text)
}

// set gives the attribute its value. The error says what the value must be.
func (d *decoder) set(a int, text []byte) (msg string) {
	if len(text) == 0 {
		return ""
	}
	e := d.event
	switch a {
	case attrSpecVersion:
		if string(text) != "1.0" {
			return fmt.Sprintf(`%q is not supported: it must be "1.0"`, clip(string(text)))
		}
	case attrID:
		e.ID = string(text)
	case attrSource:
		e.Source = shared(d.before.source, text)
	case attrType:
		e.Type = shared(d.before.typ, text)
	case attrSubject:
		e.Subject = string(text)
	case attrTime:
		t, ok := parseTime(text)
		if !ok {
			return "must be a time as in RFC 3339, such as 2026-12-24T18:00:00Z"
		}
		var err *AttributeError
		if e.Time, err = checkTime(t); err != nil {
			return err.Msg
		}
	case attrDataContentType:
		if e.DataContentType = "application/json"; string(text) != e.DataContentType { // the usual value is a constant: no copy
			e.DataContentType = string(text)
		}
	case attrDataSchema:
		e.DataSchema = string(text)
	case attrErasedAt:
		t, ok := parseTime(text)
		if !ok {
			return "must be a time: the name is evrun's own"
		}
		e.ErasedAt = t
	case attrTarget:
		e.Target = string(text)
	case attrCorrelationID:
		e.CorrelationID = string(text)
	case attrCausationID:
		e.CausationID = string(text)
	}
	return ""
}

func (d *decoder) extension(name string, at int, v value) error {
	if err := checkExtensionName(name); err != nil {
		if lower := strings.ToLower(name); attributeNumber(lower) != attrExtension {
			err.Msg += fmt.Sprintf("; do you mean %q?", lower)
		}
		return &DecodeError{clip(name), int64(at), err.Msg}
	}
	if d.event.Extensions == nil {
		d.event.Extensions = map[string]any{}
	} else if _, twice := d.event.Extensions[name]; twice {
		return &DecodeError{name, int64(at), "is given twice"}
	}
	x, msg := extensionValue(v)
	if msg != "" && name != attributeTraceParent && name != attributeTraceState {
		return &DecodeError{name, int64(v.at), msg}
	}
	d.event.Extensions[name] = x
	return nil
}

// The attributes of a trace context (W3C Trace Context): no value of theirs is worth refusing an event. What is not text is left out.
const (
	attributeTraceParent = "traceparent"
	attributeTraceState  = "tracestate"
)

// extensionValue reads the value of an extension. null is nil, until decode removes it; until then it detects names that are given twice.
func extensionValue(v value) (x any, msg string) {
	switch c := v.text[0]; c {
	case 'n':
		return nil, ""
	case 't', 'f':
		return c == 't', ""
	case '"':
		text, msg := v.string()
		if msg != "" {
			return nil, msg
		}
		return string(text), ""
	}
	n, err := strconv.ParseInt(string(v.text), 10, 64)
	if err != nil {
		return nil, "must be a string, a boolean or a whole number of 32 bits: other values belong in data"
	}
	return n, ""
}

// payload sets Data from data or data_base64. It needs the content type.
func (d *decoder) payload() error {
	e := d.event
	switch {
	case d.data.text != nil && d.base64.text != nil:
		return &DecodeError{"data_base64", int64(d.base64.at), "is given as well as data: send one of them"}
	case d.base64.text != nil:
		text, msg := d.base64.string()
		if msg != "" {
			return &DecodeError{"data_base64", int64(d.base64.at), msg}
		}
		var err error
		if e.Data, err = base64.StdEncoding.AppendDecode([]byte{}, text); err != nil {
			return &DecodeError{"data_base64", int64(d.base64.at), "must be standard base64 with padding"}
		}
		if !e.IsJSON() {
			return nil
		}
		if msg := checkJSON(e.Data, &d.known.index); msg != "" {
			return &DecodeError{"data_base64", int64(d.base64.at), msg}
		}
		d.checked(e.Data)
	case d.data.text == nil:
	case e.IsJSON():
		d.checked(d.data.text)
	case !d.data.null():
		text, msg := d.data.string()
		if msg != "" {
			return &DecodeError{"data", int64(d.data.at), fmt.Sprintf("%s when datacontenttype is %q", msg, clip(e.DataContentType))}
		}
		e.Data = append([]byte{}, text...)
	}
	return nil
}

// checked sets Data to valid JSON text, which the index is of.
func (d *decoder) checked(text []byte) {
	e, p := d.event, d.known
	e.Data = compact(text)
	if len(e.Data) != len(text) { // the index is of another text
		p.index = index{}
		checkJSON(e.Data, &p.index)
	}
	p.text, e.payload = e.Data, p
}

// syntax reports where the scanner failed.
func (d *decoder) syntax(name string) error { return &DecodeError{clip(name), int64(d.pos), d.msg} }

// compact copies valid JSON text and removes line breaks between tokens.
func compact(text []byte) json.RawMessage {
	if !hasLineBreak(text) {
		return bytes.Clone(text)
	}
	var b bytes.Buffer
	b.Grow(len(text))
	_ = json.Compact(&b, text) // fails on invalid text only
	return b.Bytes()
}
