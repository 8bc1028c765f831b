package trace

import (
	"encoding/hex"
	"net/http"
	"strings"
)

// Context says which span is the parent of what follows: see https://www.w3.org/TR/trace-context. The zero value is none.
type Context struct {
	TraceID TraceID
	SpanID  SpanID
	Flags   byte
	State   string // tracestate, valid; empty: none
}

// TraceID and SpanID are the ids of traces and spans; all zero: none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

func (id TraceID) String() string { return hex.EncodeToString(id[:]) }
func (id SpanID) String() string  { return hex.EncodeToString(id[:]) }

// The flags of a context. Sampled: the sender may have recorded its span. Random: the id of the trace is a random number.
const (
	Sampled byte = 1
	Random  byte = 2
)

// Valid reports whether there is a context.
func (c Context) Valid() bool { return c.TraceID != TraceID{} && c.SpanID != SpanID{} }

// Sampled reports whether the sender may have recorded its span.
func (c Context) Sampled() bool { return c.Flags&Sampled != 0 }

// SetIn sets the context in the headers of a request, unless they have a traceparent.
func (c Context) SetIn(h http.Header) {
	if _, other := h["Traceparent"]; other || !c.Valid() {
		return
	}
	h["Traceparent"] = []string{c.Parent()}
	if delete(h, "Tracestate"); c.State != "" {
		h["Tracestate"] = []string{c.State}
	}
}

// lenParent is the length of a traceparent of version 00, and of the part of a later version that has the same meaning.
const lenParent = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// Parse reads a traceparent and a tracestate. ok is false if the traceparent is not valid; a tracestate that is not valid counts as none. Of a later
// version than 00, what version 00 knows is read.
func Parse(traceparent, tracestate string) (c Context, ok bool) {
	s := strings.Trim(traceparent, " \t")
	if len(s) < lenParent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	if !unhex(version[:], s[:2]) || !unhex(c.TraceID[:], s[3:35]) || !unhex(c.SpanID[:], s[36:52]) || !unhex(flags[:], s[53:55]) || !c.Valid() {
		return Context{}, false
	}
	switch {
	case version[0] == 0xff, version[0] == 0 && len(s) > lenParent, len(s) > lenParent && s[lenParent] != '-':
		return Context{}, false
	}
	c.Flags = flags[0] & (Sampled | Random)
	c.State = cleanState(tracestate)
	return c, true
}

// unhex decodes lower-case hexadecimal digits, twice as many as dst has bytes.
func unhex(dst []byte, s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(s))
	return err == nil
}

// Parent writes the context as a traceparent of version 00.
func (c Context) Parent() string {
	b := make([]byte, 0, lenParent)
	b = append(b, "00-"...)
	b = append(hex.AppendEncode(b, c.TraceID[:]), '-')
	b = append(hex.AppendEncode(b, c.SpanID[:]), '-')
	return string(hex.AppendEncode(b, []byte{c.Flags}))
}
