package guide

import (
	"fmt"
	"strings"
)

var (
	argument    = pattern(`^cannot use (\S+) as argument \(type (\S+)\) to call (\w+)`)
	tooFew      = pattern(`^(not enough|too many) arguments to call (\w+)`)
	undefinedAt = pattern(`^type string\[\w+\] is undefined`)
)

// Argument explains a message of expr-lang's check about the arguments of a function, or about an element of a text; what is empty for all others.
func Argument(message string) (what, hint string) {
	if m := argument().FindStringSubmatch(message); m != nil {
		have, want := article(m[1]), article(m[2])
		if m[2] == "int" || have == want {
			want = "a whole number"
		}
		return fmt.Sprintf("%s needs %s here, not %s", m[3], want, have), Calls(m[3])
	}
	if m := tooFew().FindStringSubmatch(message); m != nil {
		if m[1] == "not enough" { // expr-lang also says so of a call whose first argument has another type
			return m[2] + " needs other arguments", Calls(m[2])
		}
		return m[2] + " has too many arguments", Calls(m[2])
	}
	if undefinedAt().MatchString(message) {
		return "a text has no elements", "a part of a text has a beginning and an end: data.name[0:1] is its first character"
	}
	return "", ""
}

// Unexpected explains a token at which the parser of expr-lang stopped, such as Identifier("x").
func Unexpected(token string) (what, hint string) {
	if _, inner, ok := strings.Cut(token, "("); ok && strings.HasSuffix(inner, ")") {
		token = strings.TrimSuffix(inner, ")")
	}
	return "unexpected " + token, hintsOfWords[strings.ToLower(strings.Trim(token, `"`))]
}

// hintsOfWords are for operators of other languages.
var hintsOfWords = map[string]string{
	"like":    `texts are compared with contains, startsWith and endsWith, and with matches, which takes a regular expression`,
	"between": "compare with both ends: data.n >= 1 and data.n <= 3",
}

// Calls says how a function is called; empty: it is unknown.
func Calls(name string) string {
	for _, f := range Functions() {
		if f.Name == name {
			return "it is called as " + strings.Join(f.Signatures, " or ")
		}
	}
	return ""
}

// dashed is a key with dashes, which are read as minus signs: data.user-name.
var dashed = pattern(`\.(\w+(?:-[A-Za-z_]\w*)+)`)

// Member returns an expression in which the unknown name at a byte is one of the data: data.email in place of email, and data["user-name"] in place of
// data.user-name. It is empty for all other messages, and for names with members or arguments.
func Member(src string, at int, message string) string {
	name, ok := strings.CutPrefix(message, `unknown name "`)
	if name = strings.TrimSuffix(name, `"`); !ok || at < 0 || at > len(src) || !strings.HasPrefix(src[at:], name) || strings.HasPrefix(name, "$") {
		return ""
	}
	if rest := src[at+len(name):]; rest != "" && strings.IndexByte("([.?", rest[0]) >= 0 {
		return ""
	}
	if strings.HasSuffix(src[:at], "-") {
		return dashed().ReplaceAllString(src, `["$1"]`)
	}
	return src[:at] + "data." + src[at:]
}
