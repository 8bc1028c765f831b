package handlers

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"evrun/tasks/fault"
)

// Unshelled is a part of a text that a shell would replace, and nothing here does.
type Unshelled struct {
	Start, End int
	Part       string // $HOME, $(date), %APPDATA%, ~
	Name       string // of the variable; empty for a command or a ~
}

// Unexpanded finds the parts of a text that a shell would replace. A name counts if it is that of a well-known variable, or has capitals and an
// underscore: $5 and $AAPL are no variables.
func Unexpanded(text string) (found []Unshelled) {
	if text == "~" || strings.HasPrefix(text, "~/") {
		found = append(found, Unshelled{End: 1, Part: "~"})
	}
	if !strings.ContainsAny(text, "$%") {
		return found
	}
	for _, m := range unexpanded().FindAllStringSubmatchIndex(text, -1) {
		u := Unshelled{Start: m[0], End: m[1], Part: text[m[0]:m[1]]}
		switch {
		case m[0] > 0 && (text[m[0]-1] == '$' || text[m[0]-1] == '\\' || isNameByte(text[m[0]-1])): // $$, \$, US$HOME
			continue
		case m[2] >= 0:
			u.Name = text[m[2]:m[3]]
		case m[4] >= 0:
			u.Name = text[m[4]:m[5]]
		}
		if u.Name == "" || strings.Contains(strings.Trim(u.Name, "_"), "_") || wellKnown[u.Name] {
			found = append(found, u)
		}
	}
	return found
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// Hint says what to write in a text that is rendered, with these quotes in an expression.
func (u Unshelled) Hint(quote string) string {
	switch {
	case u.Name != "":
		return fmt.Sprintf("write ${ env(%s%s%s) }", quote, u.Name, quote)
	case u.Part == "~":
		return fmt.Sprintf("write ${ env(%sHOME%s) }", quote, quote)
	}
	return fmt.Sprintf("only the shell of an exec handler replaces it; if it is meant as it is, write ${ %s$%s }%s", quote, quote, fault.Clip(u.Part[1:], 40))
}

// wellKnown are variables without an underscore.
var wellKnown = map[string]bool{
	"HOME": true, "USER": true, "LOGNAME": true, "PATH": true, "PWD": true, "HOSTNAME": true, "HOST": true, "SHELL": true, "TMPDIR": true, "TMP": true, "TEMP": true,
	"LANG": true, "MAILTO": true, "USERPROFILE": true, "APPDATA": true, "LOCALAPPDATA": true, "USERNAME": true, "COMPUTERNAME": true, "PROGRAMFILES": true,
	"TOKEN": true, "SECRET": true, "PASSWORD": true,
}

var unexpanded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$([A-Z_][A-Z0-9_]*)\b|%([A-Z_][A-Z0-9_]*)%|\$\([a-z][a-z0-9_./-]*(?: [^()]*)?\)`)
})
