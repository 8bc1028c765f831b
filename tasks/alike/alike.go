// Package alike makes texts equal that say the same about different things: errors that differ in a number, an id or a quoted name alone.
//
//	alike.Text(`dial tcp 10.0.0.7:443: connection refused`) == `dial tcp #: connection refused`
//	alike.Text(`exit status 3: no user "ada" in order 4711`) == `exit status 3: no user "…" in order #`
//
// The result depends on the text alone, so that it can be compared, stored and asked for: the expression function alike() gives it. The cost grows with
// the length of the text, of which the first [MaxText] bytes count. No goroutines.
package alike

import (
	"strings"
	"unicode/utf8"
)

const (
	// MaxText is how many bytes of a text count.
	MaxText = 2000
	// MaxResult is how many bytes the result has at most.
	MaxResult = 300
)

// Text returns the text in one line, with # for numbers and ids, and … for what is in quotes. Numbers that say what kind of error it is stay: exit
// statuses, codes, signals and the statuses of HTTP.
func Text(s string) string {
	s = strings.ToValidUTF8(clip(s, MaxText), "?")
	w := writer{in: s}
	for w.at < len(s) && w.out.Len() < MaxResult+utf8.UTFMax {
		switch c := s[w.at]; {
		case c <= ' ':
			w.space()
		case c == '"' || c == '`' || c == '\'' && !w.afterWord():
			w.quoted(c)
		case wordly(c):
			w.word()
		default:
			w.out.WriteByte(c)
			w.at++
		}
	}
	return clip(strings.TrimRight(w.out.String(), " "), MaxResult)
}

// clip cuts a text between two characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

type writer struct {
	in   string
	at   int // in in
	out  strings.Builder
	last string // the word before, in lower case
	open [128]bool
}

// wordly reports whether a byte belongs to a word; those of letters beyond ASCII do.
func wordly(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

func (w *writer) afterWord() bool { return w.at > 0 && wordly(w.in[w.at-1]) }

func (w *writer) space() {
	for w.at < len(w.in) && w.in[w.at] <= ' ' {
		w.at++
	}
	if w.out.Len() > 0 {
		w.out.WriteByte(' ')
	}
}

// quoted leaves out what is in quotes. A quote that is not closed is a character like others.
func (w *writer) quoted(quote byte) {
	w.out.WriteByte(quote)
	w.at++
	if w.open[quote] {
		return // none of those behind is closed, either
	}
	for i := w.at; i < len(w.in); i++ {
		switch c := w.in[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote && (quote != '\'' || i+1 == len(w.in) || !wordly(w.in[i+1])):
			w.out.WriteString("…")
			w.out.WriteByte(quote)
			w.at = i + 1
			return
		}
	}
	w.open[quote] = true
}

// word writes a word, and # for one with digits or for an id that is made of several.
func (w *writer) word() {
	begin := w.at
	end, digits := scan(w.in, begin)
	if id := idEnd(w.in, begin, end); id > 0 {
		w.at = id
		w.number()
		return
	}
	w.at = end
	word := w.in[begin:end]
	if !digits || w.kind(begin, end) {
		w.out.WriteString(word)
		w.last = strings.ToLower(word)
		return
	}
	w.number()
}

// scan returns the end of a word, and whether it has digits.
func scan(s string, begin int) (end int, digits bool) {
	for end = begin; end < len(s) && wordly(s[end]); end++ {
		digits = digits || '0' <= s[end] && s[end] <= '9'
	}
	return end, digits
}

// number writes #, and joins it with one before: 10.0.0.7:443 is one number.
func (w *writer) number() {
	w.last = ""
	out := w.out.String()
	if n := len(out); n > 1 && out[n-2] == '#' && strings.IndexByte(".:,-/+", out[n-1]) >= 0 {
		w.out.Reset()
		w.out.WriteString(out[:n-1])
		return
	}
	w.out.WriteByte('#')
}

// idEnd returns the end of an id such as a UUID: several words of hexadecimal digits, of which some are numerals, with - between them. 0: there is none.
func idEnd(s string, begin, end int) int {
	numerals, words := false, 0
	for {
		for i := begin; i < end; i++ {
			switch c := s[i] | 0x20; {
			case '0' <= s[i] && s[i] <= '9':
				numerals = true
			case c < 'a' || c > 'f':
				return 0
			}
		}
		if words++; end+1 >= len(s) || s[end] != '-' || !wordly(s[end+1]) {
			break
		}
		begin = end + 1
		end, _ = scan(s, begin)
	}
	if words < 3 || !numerals {
		return 0
	}
	return end
}

// kind reports whether a number says what kind of error it is.
func (w *writer) kind(begin, end int) bool {
	if end-begin > 3 {
		return false
	}
	for i := begin; i < end; i++ {
		if w.in[i] < '0' || w.in[i] > '9' {
			return false
		}
	}
	if end < len(w.in) && w.in[end] == '.' && end+1 < len(w.in) && wordly(w.in[end+1]) {
		return false // of a version, an address or a fraction
	}
	switch w.last {
	case "status", "code", "signal", "errno", "http":
		return begin > 0 && strings.IndexByte(" :=", w.in[begin-1]) >= 0
	}
	// 503 Service Unavailable
	return end-begin == 3 && w.in[begin] >= '1' && w.in[begin] <= '5' && (begin == 0 || w.in[begin-1] == ' ') &&
		end+1 < len(w.in) && w.in[end] == ' ' && 'A' <= w.in[end+1] && w.in[end+1] <= 'Z'
}
