package expression

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"evrun/events"
)

// Secrets is the set of the values that env() and file() gave. Its zero value is empty and ready; it is safe for concurrent
// use, and a nil *Secrets is an empty set that stays empty.
type Secrets struct {
	mu       sync.RWMutex
	known    map[string]bool
	spelled  []string // each value, also as it stands inside JSON and quoted text
	replacer atomic.Pointer[strings.Replacer]
}

// minSecret is the shortest value that is redacted: taking out every "1" or "on" would only make a log unreadable.
const minSecret = 4

const redacted = "[secret]"

// Add records a value. Values shorter than 4 bytes, and white space, are not.
func (s *Secrets) Add(value string) {
	if s == nil || len(strings.TrimSpace(value)) < minSecret {
		return
	}
	s.mu.RLock()
	known := s.known[value]
	s.mu.RUnlock()
	if known {
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
	spellings := []string{value, strings.TrimSpace(value), inner(strconv.Quote(value))}
	for _, marshal := range []func(any) ([]byte, error){events.MarshalJSON, json.Marshal} { //nolint:forbidigo // what others answer may have HTML's escapes
		if b, err := marshal(value); err == nil {
			spellings = append(spellings, inner(string(b)))
		}
	}
	for _, spelling := range spellings {
		if !slices.Contains(s.spelled, spelling) {
			s.spelled = append(s.spelled, spelling)
		}
	}
	// The longest first: a secret may be a part of another.
	slices.SortStableFunc(s.spelled, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(s.spelled))
	for _, spelling := range s.spelled {
		pairs = append(pairs, spelling, redacted)
	}
	s.replacer.Store(strings.NewReplacer(pairs...))
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Redact puts "[secret]" in the place of every recorded value in text, also where the value is escaped as in JSON.
func (s *Secrets) Redact(text string) string {
	if s == nil {
		return text
	}
	if r := s.replacer.Load(); r != nil {
		return r.Replace(text)
	}
	return text
}

// RedactValue is Redact for all texts of a tree of JSON, keys too. It copies the tree.
func (s *Secrets) RedactValue(v any) any {
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
