package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/cmd/output"
	"evrun/events"
)

// functions are what templates can call.
var functions = template.FuncMap{
	"ago":     ago,
	"at":      at,
	"in":      in,
	"state":   state,
	"num":     num,
	"plural":  plural,
	"bytes":   func(n int64) string { return humanize.IBytes(uint64(max(0, n))) },
	"ms":      ms,
	"json":    indented,
	"dotted":  dotted,
	"runid":   runID,
	"seg":     url.PathEscape,
	"query":   changed,
	"icon":    icon,
	"static":  assetPath,
	"list":    func(items ...any) []any { return items },
	"dict":    dict,
	"title":   capitalised,
	"brief":   brief,
	"source":  shortSource,
	"visible": visible,
	"compact": compact,
}

// timeOf returns the time that a template names, if there is one.
func timeOf(v any) (time.Time, bool) {
	switch t := v.(type) {
	case time.Time:
		return t, !t.IsZero()
	case *time.Time:
		if t != nil {
			return *t, !t.IsZero()
		}
	}
	return time.Time{}, false
}

// ago is how long ago a time was, or in how long it will be, which a script keeps current: 3m ago. It is empty without a time.
func ago(v any) template.HTML {
	t, ok := timeOf(v)
	if !ok {
		return ""
	}
	return timeElement(t, "data-ago", agoWords(time.Since(t)))
}

// agoWords says how long ago something was; a negative time: in how long it will be. lib/format.js says the same.
func agoWords(d time.Duration) string {
	words := output.Duration(d.Abs().Round(time.Second))
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + words
	}
	return words + " ago"
}

// in is in how long a time will be, which a script keeps current: in 3m. What has passed is due now.
func in(v any) template.HTML {
	t, ok := timeOf(v)
	if !ok {
		return ""
	}
	return timeElement(t, "data-in", inWords(time.Until(t)))
}

// inWords says in how long something will be, as lib/format.js does.
func inWords(d time.Duration) string {
	if d = d.Round(time.Second); d > 0 {
		return "in " + output.Duration(d)
	}
	return "now"
}

// at is a time, which a script shows in the zone of the browser.
func at(v any) template.HTML {
	t, ok := timeOf(v)
	if !ok {
		return ""
	}
	return timeElement(t, "data-at", t.UTC().Format("2006-01-02 15:04:05.000 UTC"))
}

func timeElement(t time.Time, attribute, text string) template.HTML {
	stamp := t.UTC().Format(time.RFC3339Nano)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" %s>%s</time>`, stamp, stamp, attribute, html.EscapeString(text)))
}

// state is the state of a run as a badge: its colour, and its name.
func state(s string) template.HTML {
	name := html.EscapeString(s)
	return template.HTML(fmt.Sprintf(`<span class="state state-%s">%s</span>`, name, name))
}

// num is a whole number with thousands separated.
func num(v any) string {
	switch p := v.(type) {
	case *int:
		v = *p
	case *int64:
		v = *p
	}
	text := fmt.Sprint(v)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text
	}
	return humanize.Comma(n)
}

// plural is a number of things: 1 run, 3 runs.
func plural(n any, thing string) string {
	text := num(n)
	if text != "1" {
		thing += "s"
	}
	return text + " " + thing
}

// ms is a duration in milliseconds, as people read it.
func ms(v any) string {
	switch f := v.(type) {
	case float64:
		return output.Duration(time.Duration(f * float64(time.Millisecond)))
	case *float64:
		if f != nil {
			return ms(*f)
		}
	case time.Duration:
		return output.Duration(f)
	}
	return ""
}

// indented is a JSON value as indented text, with its bytes otherwise as they came.
func indented(v any) string {
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = events.MarshalJSON(v); err != nil {
			return err.Error()
		}
	}
	var b bytes.Buffer
	if blanks(raw) > mostBlanks || json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// mostBlanks is how many blanks indented text may have. Without a bound, 1 MiB of data with 500 levels would become 500 MiB.
const mostBlanks = 1 << 20

// blanks is about how many blanks the indented text of some JSON has.
func blanks(raw []byte) (n int) {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			n += 2 * depth
		case c == '}' || c == ']':
			depth--
			n += 2 * depth
		case c == ',':
			n += 2 * depth
		}
	}
	return n
}

// runID is the id of a run without the letters at its end that tell apart handlers which once had the same name.
func runID(id string) string {
	if i := strings.LastIndexByte(id, '-'); i > strings.IndexByte(id, '-') {
		return id[:i]
	}
	return id
}

// changed is a query with other values: pairs of a key and a value, of which an empty one takes the key away.
func changed(q url.Values, pairs ...any) (template.URL, error) {
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("query: %d arguments are not pairs", len(pairs))
	}
	next := url.Values{}
	for key, values := range q {
		next[key] = slices.Clone(values)
	}
	for i := 0; i < len(pairs); i += 2 {
		key, value := fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1])
		if next.Del(key); value != "" {
			next.Set(key, value)
		}
	}
	return template.URL("?" + next.Encode()), nil
}

// icon is a picture of those in static/icons.svg. It says nothing to those who can't see it: a text must be beside it.
func icon(name string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="icon" aria-hidden="true" focusable="false"><use href="%s#%s"></use></svg>`, assetPath("icons.svg"), html.EscapeString(name)))
}

// dict makes a map of pairs, for templates that take more than one value.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments are not pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

func capitalised(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// dotted is a dotted name that breaks at its dots where there is no room for it.
func dotted(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), ".", ".<wbr>"))
}
