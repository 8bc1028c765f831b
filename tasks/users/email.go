package users

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEmail is SMTP's bound of a path (RFC 5321, 4.5.3.1.3), less its brackets.
const maxEmail = 254

// CheckEmail returns what is wrong with an address; empty: nothing. It accepts the addresses that mail systems accept in practice: no
// quoted local parts, no comments, no address literals; letters beyond ASCII are fine (RFC 6531).
func CheckEmail(s string) string {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > maxEmail:
		return fmt.Sprintf("it is longer than %d bytes", maxEmail)
	case !utf8.ValidString(s):
		return "it is not valid UTF-8"
	}
	if wrong := checkLetters(s); wrong != "" {
		return wrong
	}
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return `it has no "@"`
	case strings.Contains(domain, "@"):
		return `it has more than one "@"`
	case local == "":
		return `there is nothing before the "@"`
	case domain == "":
		return `there is nothing after the "@"`
	case len(local) > 64:
		return `it has more than 64 bytes before the "@"`
	case local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return `a dot stands alone before the "@"`
	}
	for label := range strings.SplitSeq(domain, ".") {
		if fault := checkLabel(label); fault != "" {
			return fault
		}
	}
	return ""
}

// checkLetters checks that an address has only letters that one may have.
func checkLetters(s string) string {
	for _, r := range s {
		switch {
		case isPlain(r) || r == '.' || r == '@': // nearly all are
		case unicode.IsControl(r):
			return "it has a control character in it"
		case unicode.IsSpace(r):
			return "it has a space in it"
		case !unicode.IsGraphic(r):
			return "it has an invisible character in it"
		case strings.ContainsRune(`<>()[],;:\"`, r):
			return fmt.Sprintf("it has a %q in it", r)
		}
	}
	return ""
}

// checkLabel checks one label of a domain.
func checkLabel(label string) string {
	switch {
	case label == "":
		return "its domain has a dot that separates nothing"
	case len(label) > 63:
		return "a part of its domain is longer than 63 bytes"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "a part of its domain begins or ends with a hyphen"
	}
	for _, r := range label {
		if !isPlain(r) && !unicode.In(r, unicode.Letter, unicode.Digit, unicode.Mark) {
			return fmt.Sprintf("its domain has a %q in it", r)
		}
	}
	return ""
}

// isPlain reports whether a character is a letter or a digit of ASCII, or a hyphen.
func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
}
