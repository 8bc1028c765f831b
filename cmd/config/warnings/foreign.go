package warnings

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// braces warns of the templates of other tools: {{ data.name }}. Programs may take such texts as arguments (docker ps --format '{{.Names}}'), so
// there, and in code, only names of evrun's are reported.
func (f *finder) braces(t text) {
	if !strings.Contains(t.Value, "{{") {
		return
	}
	for _, m := range doubleBraces().FindAllStringSubmatchIndex(t.Value, -1) {
		if insideExpression(t.Value, m[0]) {
			continue
		}
		inner := strings.TrimLeft(strings.TrimSpace(t.Value[m[2]:m[3]]), ".")
		own, example := ownName().MatchString(inner), "data.name"
		if t.slot {
			own, example = own && strings.HasPrefix(inner, "slot."), "slot.time"
		}
		hint := "evrun's expressions are ${ … }, such as ${ " + example + " }"
		switch {
		case own && t.use == handlers.Code:
			hint = "no expression can stand here: values come in by env: or params:"
		case own:
			hint = "write ${ " + fault.Clip(inner, 60) + " }"
		case t.use != handlers.Rendered:
			continue
		}
		if t.use == handlers.Rendered {
			hint += "; if the braces are meant, write ${ `{{` } in place of {{"
		}
		f.within(t.Node, m[0], m[1], fmt.Sprintf("%s stays as it is: evrun knows no {{ … }}", fault.Quote(t.Value[m[0]:m[1]])), hint)
	}
}

var (
	doubleBraces = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{([^{}\n]{1,200})\}\}`) })
	ownName      = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(data|event|slot|result|run)(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	})
)

// insideExpression reports whether an offset of a template is inside of a ${ … }, or in a $${.
func insideExpression(s string, at int) bool {
	open := strings.LastIndex(s[:at], "${")
	return open >= 0 && strings.Count(s[open:at], "{") > strings.Count(s[open:at], "}")
}

// variable warns of what only a shell replaces: $HOME, $(date), %APPDATA%. Names are reported only if they look like those of variables, because a
// $ may be money, and a program may give an argument a meaning of its own: see Doubts of the kind exec.
func (f *finder) variable(t text) {
	if t.use != handlers.Rendered && t.use != handlers.Constant || !strings.ContainsAny(t.Value, "$%~") {
		return
	}
	for _, u := range handlers.Unexpanded(t.Value) {
		msg, hint := u.Part+" is not replaced by anything here: no shell looks at this text", u.Hint(quoteFor(t.Node))
		switch {
		case insideExpression(t.Value, u.Start):
			continue
		case t.use == handlers.Constant:
			msg, hint = u.Part+" is not replaced by anything here", "write out what it stands for"
		case t.Style == yaml.Plain: // in braces or brackets, a text with an expression must be quoted
			hint += ", with single quotes around the whole text"
		}
		f.within(t.Node, u.Start, u.End, msg, hint)
	}
}

// quoteFor returns the quotes that an expression in a scalar can have without ending the scalar.
func quoteFor(n *yaml.Node) string {
	if n.Style == yaml.DoubleQuoted {
		return "'"
	}
	return `"`
}

// within records a warning at the bytes from start to end of a scalar's text.
func (f *finder) within(n *yaml.Node, start, end int, msg, hint string) {
	f.between(n.Source(start), n.Source(end-1)+1, msg, hint)
}
