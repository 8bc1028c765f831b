package reads

import (
	"slices"
	"strconv"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
)

// condition is a part of a WHERE with its values, each of which is a question mark in the text: see [numbered].
type condition struct {
	text []string
	args []any
}

func (c *condition) add(text string, values ...any) {
	c.text = append(c.text, text)
	c.args = append(c.args, values...)
}

func (c *condition) addAll(more condition) {
	c.text = append(c.text, more.text...)
	c.args = append(c.args, more.args...)
}

// and returns the condition with one more.
func (c *condition) and(text string, values ...any) condition {
	more := condition{slices.Clone(c.text), slices.Clone(c.args)}
	more.add(text, values...)
	return more
}

// all is the whole condition.
func (c *condition) all() string {
	if len(c.text) == 0 {
		return `true`
	}
	return strings.Join(c.text, ` AND `)
}

func (c *condition) where() string { return ` WHERE ` + c.all() }

// numbered writes the question marks of a query as the parameters $1, $2 and so on. Our queries have no other question marks.
func numbered(query string, args []any) (string, []any) {
	var b strings.Builder
	for i := 1; ; i++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String(), args
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i))
		query = after
	}
}

// taken adds [store.Consumer.Takes] as a condition on e. It looks for texts, because an extension may have some that the server's JSON functions refuse.
func (c *condition) taken(by *store.Consumer) {
	text := `(e.extensions IS NULL OR strpos(e.extensions, ?) = 0 OR strpos(e.extensions, ?) > 0 OR strpos(e.extensions, ?) > 0`
	values := []any{targetKey, targetOf(""), targetOf(by.Name)}
	for _, p := range by.Predecessors {
		text += ` OR strpos(e.extensions, ?) > 0 AND e.sequence <= ?`
		values = append(values, targetOf(p.Name), p.Head)
	}
	c.add(text+`)`, values...)
}

// targetKey is in the extensions of each targeted event, and of no other: within a string, the quotation marks have backslashes.
const targetKey = `"` + columns.TargetKey + `":`

// targetOf is in the extensions of events for this handler, as [columns.EncodeExtensions] writes it.
func targetOf(name string) string {
	text, _ := events.MarshalJSON(name) // a string always can be
	return targetKey + string(text)
}

// withoutRun adds that a handler has no run on e. It is a subquery for each event, by the key of runs: as a join, the server might read all runs of the
// handler first.
func (c *condition) withoutRun(h store.HandlerID) {
	c.add("(SELECT 1 FROM evrun.runs r WHERE r.sequence = e.sequence AND r.handler = ?) IS NULL", int64(h))
}

// ofEvent adds the conditions on e that queries of events and of runs share, except for types and chains.
func (c *condition) ofEvent(source string, holding [][]string) {
	if source != "" {
		c.add("e.source = ?", source)
	}
	for _, texts := range holding {
		// In JSON, a text may also be written with escapes, which all begin with a backslash. Data that is no JSON is not looked into.
		var parts []string
		var values []any
		for _, text := range texts {
			parts = append(parts, "strpos(e.data, ?) > 0")
			values = append(values, text)
		}
		parts = append(parts, `strpos(e.data, '\') > 0`, "e.bytes IS NOT NULL")
		c.add("("+strings.Join(parts, " OR ")+")", values...)
	}
}

// expression returns a regular expression for all types that match one of the patterns, as far as [events.Pattern.Match] does.
func expression(patterns []events.Pattern) string {
	var parts []string
	for _, p := range patterns {
		tokens := strings.Split(p.String(), ".")
		for i, token := range tokens {
			switch token {
			case "*":
				tokens[i] = `[^.]+`
			case ">":
				tokens[i] = `.+`
			default:
				tokens[i] = quoteMeta.Replace(token)
			}
		}
		parts = append(parts, strings.Join(tokens, `\.`))
	}
	return `^(?:` + strings.Join(parts, `|`) + `)$`
}

var quoteMeta = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `+`, `\+`, `*`, `\*`, `?`, `\?`, `(`, `\(`, `)`, `\)`, `|`, `\|`, `[`, `\[`, `]`, `\]`, `{`, `\{`,
	`}`, `\}`, `^`, `\^`, `$`, `\$`)
