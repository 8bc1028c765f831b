package handlers

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/events"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// setEventHeaders sets an event's attributes as headers (CloudEvents HTTP binding, binary mode).
func setEventHeaders(header http.Header, e *events.Event) {
	values := make([]string, 0, 16)
	set := func(canonical, value string) {
		if value != "" {
			values = append(values, value)
			header[canonical] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	for name, value := range e.Extensions {
		set(http.CanonicalHeaderKey("ce-"+name), encodeAttribute(fmt.Sprint(value)))
	}
	set("Ce-Specversion", "1.0")
	set("Ce-Id", encodeAttribute(e.ID))
	set("Ce-Source", encodeAttribute(e.Source))
	set("Ce-Type", encodeAttribute(e.Type))
	set("Ce-Subject", encodeAttribute(e.Subject))
	set("Ce-Dataschema", encodeAttribute(e.DataSchema))
	set("Ce-Correlationid", encodeAttribute(e.CorrelationID))
	set("Ce-Causationid", encodeAttribute(e.CausationID))
	if !e.Time.IsZero() {
		set("Ce-Time", e.Time.UTC().Format(time.RFC3339Nano))
	}
	if e.Sequence > 0 {
		set("Ce-Seq", strconv.FormatInt(e.Sequence, 10))
	}
	if e.Chain > 0 {
		set("Ce-Chain", strconv.FormatInt(e.Chain, 10))
	}
	if e.Hops > 0 {
		set("Ce-Hops", strconv.Itoa(e.Hops))
	}
	if e.ReplayOf > 0 {
		set("Ce-Replayof", strconv.FormatInt(e.ReplayOf, 10))
	}
	switch {
	case len(e.Data) == 0:
	case e.DataContentType == "" || checkHeaderValue(e.DataContentType) != nil:
		set("Content-Type", "application/json")
	default:
		set("Content-Type", e.DataContentType)
	}
}

// encodeAttribute percent-encodes everything but printable ASCII, and the space, the quote and the percent sign (CloudEvents HTTP
// binding 1.0, 3.1.3.2).
func encodeAttribute(s string) string {
	reserved := func(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }
	plain := 0
	for plain < len(s) && !reserved(s[plain]) {
		plain++
	}
	if plain == len(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; reserved(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ownHeaders are the headers that the kind or the transport sets.
var ownHeaders = map[string]string{
	"Idempotency-Key":   "it is the run's id, the same at every attempt",
	"Host":              "it is the url's",
	"Content-Length":    "it is the body's",
	"Transfer-Encoding": "it is the connection's",
	"Connection":        "it is the connection's",
	"Keep-Alive":        "it is the connection's",
	"Upgrade":           "it is the connection's",
	"Trailer":           "it is the connection's",
	"Te":                "it is the connection's",
	"Expect":            "it is the connection's",
}

func checkHeaderName(name, canonical string) (msg, hint string) {
	if name == "" {
		return "the header has no name", ""
	}
	for _, r := range name {
		if !expression.IsHeaderName(string(r)) {
			return fmt.Sprintf("%s is not a valid header: it has a %q in its name", fault.Quote(name), r), ""
		}
	}
	if hint, own := ownHeaders[canonical]; own {
		return fmt.Sprintf("the header %s can't be set", canonical), hint
	}
	return "", ""
}

// checkHeaders checks the constant parts of the headers, and takes note of those of the signature.
func (h *httpRequest) checkHeaders() (faults []*fault.Fault) {
	var signed []string
	if h.Sign != nil {
		h.Sign.Hide(h.secrets)
		signed = h.Sign.Names()
		for i, name := range signed {
			if hint, own := ownHeaders[name]; own {
				faults = append(faults, fault.At([]any{"sign", []string{"header", "timestamp"}[i]}, "the header %s can't be set", name).Hinting("%s", hint))
			}
		}
	}
	h.way.Signed = signed
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		msg, hint := checkHeaderName(name, canonical)
		if msg == "" && slices.Contains(signed, canonical) {
			msg, hint = fmt.Sprintf("the header %s can't be set", canonical), "it is the signature's: see sign"
		}
		if other, twice := seen[canonical]; twice && msg == "" {
			msg = fmt.Sprintf("the header is given twice: also as %s", other)
		}
		seen[canonical] = name
		if msg != "" {
			faults = append(faults, &fault.Fault{Path: []any{"headers", name}, Key: true, Message: msg, Hint: hint})
		} else if value, constant := h.Headers[name].Constant(); constant {
			if err := checkHeaderValue(value); err != nil {
				faults = append(faults, &fault.Fault{Path: []any{"headers", name}, Message: err.Error()})
			}
		}
	}
	return faults
}

// checkHeaderValue refuses characters that would end the header and begin another.
func checkHeaderValue(value string) error {
	for _, r := range value {
		if r < ' ' && r != '\t' || r == 0x7f {
			hint := ""
			if strings.TrimSpace(value) != "" && strings.ContainsRune("\r\n", r) {
				hint = " (trim(…) takes it off an end)"
			}
			return fmt.Errorf("a header can't have a %q in it%s", r, hint)
		}
	}
	return nil
}

// statusRange is an inclusive range of statuses.
type statusRange struct{ from, to int }

// parseStatuses takes 204, 2xx and 200-204.
func parseStatuses(t *expression.Template) (statusRange, bool) {
	text, ok := t.Constant()
	if !ok {
		return statusRange{}, false
	}
	first, last, isRange := strings.Cut(strings.ToLower(text), "-")
	if !isRange {
		last = first
	}
	from, err1 := strconv.Atoi(strings.ReplaceAll(first, "xx", "00"))
	to, err2 := strconv.Atoi(strings.ReplaceAll(last, "xx", "99"))
	if err1 != nil || err2 != nil || len(first) != 3 || len(last) != 3 || from < 200 || to > 599 || from > to {
		return statusRange{}, false
	}
	return statusRange{from, to}, true
}

func (h *httpRequest) expected(status int) bool {
	for _, r := range h.expect {
		if r.from <= status && status <= r.to {
			return true
		}
	}
	return false
}

func isJSON(contentType string) bool {
	return contentType != "" && (&events.Event{DataContentType: contentType}).IsJSON()
}
