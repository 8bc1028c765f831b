// Package secrets removes secrets from texts: the values of env() and file(), and texts that expressions made only from these.
package secrets

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"evrun/events"
)

// Set is a set of secrets. Its zero value is empty and ready; it is safe for concurrent use, and a nil *Set is an empty set that stays empty.
//
// A value is recognized literally, without the white space around it, and encoded for JSON, quotes, a url, HTML and base64: alone, or as a part of an
// encoded text, as the password in Basic authentication. Another value made from a secret, such as a hash, is recognized if an expression made it.
// Values shorter than 4 bytes are not recognized, nor are those shorter than about 8 in the base64 of a longer text: they would match unrelated
// texts.
type Set struct {
	more   *Set // redacted too; nil: none
	sealed bool // see NewSealed

	mu       sync.Mutex
	known    map[string]bool
	replacer atomic.Pointer[replacer] // nil: not made yet, or outdated
	missing  atomic.Bool              // the replacer must be made
}

// replacer has all spellings of the values, the longest first, because a secret may be a part of another.
type replacer struct {
	*strings.Replacer
	spellings []string
	instead   map[string]string // of each
}

const (
	minSecret   = 4       // bytes of the shortest redacted value: removing every "1" or "on" would only make a log unreadable
	minFragment = 8       // characters of the shortest part of a base64 text that is recognized
	maxEncoded  = 4 << 10 // bytes of the longest value that is recognized in encodings: a longer one is a file, not a token
)

// Masked replaces a secret, and a whole input that uses one.
const Masked = "[secret]"

// fragment marks a redacted part of a base64 text until Redact removes the rest of that text.
const fragment = "[secret\x00]"

// NewSealed makes a set for a wiring that must learn nothing about this machine: env() and file() give [Stand] in place of values, and who
// reads the wiring looks at no programs, certificates or users.
func NewSealed() *Set { return &Set{sealed: true} }

// Sealed reports whether the set was made by [NewSealed].
func (s *Set) Sealed() bool { return s != nil && s.sealed }

// Stand is what a call of env() or file() gives in a sealed wiring: the same text in each of them, whatever the machine has.
func Stand(function, name string) string { return function + "(" + strconv.Quote(name) + ")" }

// Add records a value. Values shorter than 4 bytes, and white space, are not.
func (s *Set) Add(value string) {
	if s == nil || len(strings.TrimSpace(value)) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[value] = true
	s.missing.Store(true)
}

// ready returns the replacer for all values; nil if there are none.
func (s *Set) ready() *replacer {
	if !s.missing.Load() {
		return s.replacer.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.missing.Load() {
		return s.replacer.Load()
	}
	r := &replacer{instead: map[string]string{}}
	for value := range s.known {
		spell(value, r.instead)
	}
	r.spellings = slices.SortedFunc(maps.Keys(r.instead), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	pairs := make([]string, 0, 2*len(r.spellings))
	for _, spelling := range r.spellings {
		pairs = append(pairs, spelling, r.instead[spelling])
	}
	r.Replacer = strings.NewReplacer(pairs...)
	s.replacer.Store(r)
	s.missing.Store(false)
	return r
}

// spell adds the spellings that a value may have in a text.
func spell(value string, spelled map[string]string) {
	for _, v := range []string{value, strings.TrimSpace(value)} {
		spelled[v] = Masked
		spelled[inner(strconv.Quote(v))] = Masked
		for _, marshal := range []func(any) ([]byte, error){events.MarshalJSON, json.Marshal} { //nolint:forbidigo // what others answer may have HTML's escapes
			if b, err := marshal(v); err == nil {
				spelled[inner(string(b))] = Masked
			}
		}
		if len(v) > maxEncoded {
			continue
		}
		query := url.QueryEscape(v)
		for _, escaped := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(v)} {
			spelled[escaped] = Masked
			spelled[lowerHex(escaped)] = Masked
		}
		spelled[html.EscapeString(v)] = Masked
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			spelled[strings.TrimRight(encoding.EncodeToString([]byte(v)), "=")] = fragment
			for before := range 3 {
				if part := fragmentOf(encoding, v, before); len(part) >= minFragment {
					spelled[part] = fragment
				}
			}
		}
	}
}

// fragmentOf returns the part of a text's base64 that depends only on v, if before bytes (modulo 3) precede v, and any bytes follow it.
func fragmentOf(encoding *base64.Encoding, v string, before int) string {
	encoded := encoding.EncodeToString(append(make([]byte, before), v...))
	from, to := (8*before+5)/6, 8*(before+len(v))/6
	return encoded[from:max(from, to)]
}

// lowerHex writes %2f for %2F.
func lowerHex(escaped string) string {
	b := []byte(escaped)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], bytes.ToLower(b[i+1:i+3]))
			i += 2
		}
	}
	return string(b)
}

// inner returns a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Redact replaces every recorded value in text by "[secret]", encoded values included.
func (s *Set) Redact(text string) string {
	if s == nil || len(text) < minSecret {
		return text
	}
	text = s.more.Redact(text)
	r := s.ready()
	if r == nil {
		return text
	}
	return wholeBase64(r.cut(r.Replace(text)))
}

// cut removes the beginning of a spelling at the end of a text that was cut, such as an excerpt.
func (r *replacer) cut(text string) string {
	const mark = "…"
	for from := 0; ; {
		i := strings.Index(text[from:], mark)
		if i < 0 {
			return text
		}
		at := from + i
		from = at + len(mark)
		for _, spelling := range r.spellings {
			n := min(len(spelling)-1, at)
			for n >= minSecret && !strings.HasSuffix(text[:at], spelling[:n]) {
				n--
			}
			if n >= minSecret && (n >= minFragment || r.instead[spelling] != fragment) {
				text = text[:at-n] + r.instead[spelling] + text[at:]
				from += len(r.instead[spelling]) - n
				break
			}
		}
	}
}

// Plus returns a set with one value more than s. Values that are later added to s are in it, too.
func (s *Set) Plus(value string) *Set {
	plus := &Set{more: s}
	plus.Add(value)
	return plus
}

// With adds the present values of another set, and returns s.
func (s *Set) With(other *Set) *Set {
	if other != nil {
		other.mu.Lock()
		defer other.mu.Unlock()
		for value := range other.known {
			s.Add(value)
		}
	}
	return s
}

// wholeBase64 extends a fragment to whole characters: the first and the last may contain bits of the value.
func wholeBase64(text string) string {
	for {
		at := strings.Index(text, fragment)
		if at < 0 {
			return text
		}
		isBase64 := func(c byte) bool {
			return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '_'
		}
		from, to := at, at+len(fragment)
		for from > 0 && isBase64(text[from-1]) {
			from--
		}
		for to < len(text) && (isBase64(text[to]) || text[to] == '/') {
			to++
		}
		for to < len(text) && text[to] == '=' {
			to++
		}
		text = text[:from] + Masked + text[to:]
	}
}

// RedactValue is Redact for all texts of a tree of JSON, keys too. It copies the tree.
func (s *Set) RedactValue(v any) any {
	switch v := v.(type) {
	case string:
		return s.Redact(v)
	case json.RawMessage:
		return json.RawMessage(s.Redact(string(v)))
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = s.RedactValue(e)
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, e := range v {
			m[s.Redact(key)] = s.RedactValue(e)
		}
		return m
	}
	return v
}
