package webhook

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"evrun/cmd/foreign"
)

// A hooks file can be a template of Go. Its calls that give secrets are marked before the file is read: their quotes would end the texts that they are in.
const (
	markBegin = '\ue000'
	markEnd   = '\ue001'
)

var calls = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("\\{\\{-?\\s*(getenv|cat|credential)\\s+(\"[^\"\\\\\\n]*\"|`[^`\\n]*`)\\s*(?:\\|\\s*js\\s*)?-?\\}\\}")
})

// mark replaces the calls of getenv, cat and credential. Relative paths begin at dir.
func mark(src, dir string) (string, error) {
	if strings.ContainsRune(src, markBegin) || strings.ContainsRune(src, markEnd) {
		return "", fmt.Errorf("there is a %q in it, which no text has", markBegin)
	}
	return calls().ReplaceAllStringFunc(src, func(call string) string {
		m := calls().FindStringSubmatch(call)
		name := m[2][1 : len(m[2])-1]
		function := "env"
		if m[1] == "cat" {
			function = "file"
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
		}
		return string(markBegin) + function + ":" + hex.EncodeToString([]byte(name)) + string(markEnd)
	}), nil
}

// credentials reports the calls of credential.
func (r *reader) credentials(src string) {
	for _, m := range calls().FindAllStringSubmatchIndex(src, -1) {
		if src[m[2]:m[3]] == "credential" {
			r.leave(strings.Count(src[:m[0]], "\n")+1, src[m[0]:m[1]], "it is env(), as without CREDENTIALS_DIRECTORY; with systemd's LoadCredential, write file() with the path of the file")
		}
	}
}

// wired writes a text of the hooks file as one of a wiring file that sees env() and file().
func wired(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(markBegin))
		b.WriteString(foreign.Escaped(before))
		if !found {
			return b.String()
		}
		call, after, _ := strings.Cut(rest, string(markEnd))
		function, encoded, _ := strings.Cut(call, ":")
		name, _ := hex.DecodeString(encoded)
		fmt.Fprintf(&b, "${ %s(%s) }", function, strconv.Quote(string(name)))
		text = after
	}
}

// errTemplate is the error for a template in a place that has no expressions with secrets.
var errTemplate = errors.New("a template can't stand here")

// plain returns a text that is not a template.
func plain(text string) (string, error) {
	if strings.ContainsRune(text, markBegin) || isTemplate(text) {
		return "", errTemplate
	}
	return text, nil
}

// isTemplate reports whether a text has a call that was not marked.
func isTemplate(text string) bool {
	_, after, found := strings.Cut(text, "{{")
	return found && strings.Contains(after, "}}")
}
