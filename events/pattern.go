package events

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTypeLen is how long an event type or a pattern may be, in bytes.
const MaxTypeLen = 255

// Pattern selects event types, as NATS subjects are selected. A type is tokens between dots. In a pattern the token * is
// exactly one token, and > as the last token is one or more of them: user.* matches user.created, order.> matches
// order.paid and order.item.added, > matches everything. Case counts.
//
// Patterns compare with ==. The zero Pattern matches nothing.
type Pattern struct {
	text string
	wild bool
}

// PatternError says what is wrong with a pattern, or with an event type.
type PatternError struct {
	Pattern string
	Offset  int    // where the error is, in bytes
	Msg     string // what is wrong
	Hint    string // what to do about it; may be empty

	isType bool
}

func (e *PatternError) Error() string {
	noun := "pattern"
	if e.isType {
		noun = "type"
	}
	return noun + " " + e.detail()
}

// Fault gives the parts of the error, for a caller that knows the pattern's place.
func (e *PatternError) Fault() (offset int, message, hint string) { return e.Offset, e.Msg, e.Hint }

func (e *PatternError) detail() string {
	detail := fmt.Sprintf("%q: %s (at byte %d)", clip(e.Pattern), e.Msg, e.Offset)
	if e.Hint != "" {
		detail += "; " + e.Hint
	}
	return detail
}

// ParsePattern reads a pattern. The error is a [*PatternError].
func ParsePattern(s string) (Pattern, error) {
	if err := checkTokens(s, true); err != nil {
		return Pattern{}, err
	}
	return Pattern{text: s, wild: strings.ContainsAny(s, "*>")}, nil
}

// MustPattern is [ParsePattern] for patterns known to be good; it panics on others.
func MustPattern(s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

// CheckType checks whether s can be an event's type, by the rules of a pattern without wildcards. The error is a [*PatternError].
func CheckType(s string) error {
	if err := checkTokens(s, false); err != nil {
		return err
	}
	return nil
}

// String gives the pattern as it was written.
func (p Pattern) String() string { return p.text }

// PatternTexts returns the texts of patterns.
func PatternTexts(list []Pattern) []string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.text
	}
	return texts
}

// Literal gives the one type that the pattern matches; false when it has wildcards.
func (p Pattern) Literal() (typ string, ok bool) {
	if p.wild || p.text == "" {
		return "", false
	}
	return p.text, true
}

// Match reports whether the pattern selects a type. It does not allocate.
func (p Pattern) Match(typ string) bool {
	if !p.wild {
		return p.text == typ && typ != ""
	}
	pattern := p.text
	for {
		want, patternRest, morePattern := strings.Cut(pattern, ".")
		if want == ">" {
			return typ != ""
		}
		token, typRest, moreType := strings.Cut(typ, ".")
		if want != token && want != "*" || token == "" || morePattern != moreType {
			return false
		}
		if !morePattern {
			return true
		}
		pattern, typ = patternRest, typRest
	}
}

// Selects reports whether one of the patterns selects a type; no patterns select every type.
func Selects(patterns []Pattern, typ string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p Pattern) bool { return p.Match(typ) })
}

// checkTokens finds the first thing wrong with a pattern or, without wildcards, with a type.
func checkTokens(s string, wildcards bool) *PatternError {
	fail := func(offset int, msg, hint string) *PatternError {
		return &PatternError{Pattern: s, Offset: offset, Msg: msg, Hint: hint, isType: !wildcards}
	}
	switch {
	case s == "":
		return fail(0, "is empty", "write tokens with dots between them, such as user.registered")
	case len(s) > MaxTypeLen:
		return fail(MaxTypeLen, fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("at most %d are allowed", MaxTypeLen))
	}
	start := 0 // of the token
	for i := 0; i <= len(s); {
		if i < len(s) && s[i] != '.' {
			size, msg, hint := checkRune(s[i:])
			if msg != "" {
				return fail(i, msg, hint)
			}
			i += size
			continue
		}
		if i == start {
			switch {
			case i == 0:
				return fail(0, "starts with a dot", "leave it out")
			case i == len(s) && wildcards:
				return fail(i-1, "ends with a dot", fmt.Sprintf("leave it out, or write %q for everything below", s+">"))
			case i == len(s):
				return fail(i-1, "ends with a dot", "leave it out")
			}
			return fail(i, "has two dots in a row", "leave one out, or name the token between them")
		}
		if at, msg, hint := checkWildcard(s, start, i, wildcards); msg != "" {
			return fail(at, msg, hint)
		}
		i++
		start = i
	}
	return nil
}

// checkRune looks at the first character of s: it must be one that can be seen.
func checkRune(s string) (size int, msg, hint string) {
	if c := s[0]; c > ' ' && c < 0x7f {
		return 1, "", ""
	}
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return size, "is not valid UTF-8", "write it in UTF-8"
	case unicode.IsSpace(r):
		return size, "has white space", "leave it out; several patterns are a list"
	case !unicode.IsPrint(r):
		return size, fmt.Sprintf("has the invisible character %U", r), "leave it out"
	}
	return size, "", ""
}

// checkWildcard looks at the token s[start:end].
func checkWildcard(s string, start, end int, wildcards bool) (at int, msg, hint string) {
	token := s[start:end]
	i := strings.IndexByte(token, '*') // twice as fast as IndexAny
	if more := strings.IndexByte(token, '>'); i < 0 || more >= 0 && more < i {
		i = more
	}
	if i < 0 {
		return 0, "", ""
	}
	at = start + i
	switch {
	case !wildcards:
		return at, fmt.Sprintf("has the wildcard %c", s[at]), "an event has one type, such as user.registered; wildcards are for patterns"
	case token == "**":
		return at, "** is not a wildcard", "write > for one or more tokens"
	case len(token) > 1:
		return at, fmt.Sprintf("%c is inside a longer token", s[at]), "a wildcard stands for a whole token, as in user.* or order.>"
	case token == ">" && end < len(s):
		return at, "> is not the last token", "write * for one token; > is the rest"
	}
	return at, "", ""
}
