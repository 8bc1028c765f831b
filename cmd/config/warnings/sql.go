package warnings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"evrun/tasks/handlers"
)

// timeColumns are the columns of evrun's tables that have microseconds since 1970.
var timeColumns = map[string][]string{
	"events": {"time", "accepted_at"}, "runs": {"started_at", "finished_at", "next_attempt_at"}, "attempts": {"started_at", "finished_at"},
	"users": {"created_at"}, "schedules": {"since", "slot", "fired"}, "handlers": {"paused_at", "disabled_at"}, "batches": {"started_at", "changed_at", "ended_at"},
	"user_migrations": {"applied_at"}, "pruning": {"announced_at", "pruned_at"},
	"events_view": {"time", "accepted_at", "erased_at"}, "runs_view": {"started_at", "finished_at", "next_attempt_at"}, // texts with a T
}

// microseconds warns of a statement that compares a time of evrun's tables with a text or with seconds: one is always smaller than the other.
func (f *finder) microseconds() {
	if f.Shared { // PostgreSQL refuses to compare a number with a text
		return
	}
	for _, h := range f.Handlers {
		if handlers.Uses(h.Action)["statement"] != handlers.Code {
			continue
		}
		_, with := f.Place(h).Lookup("with")
		_, n := with.Lookup("statement")
		if _, elsewhere := with.Lookup("dsn"); n == nil || elsewhere != nil {
			continue
		}
		for _, c := range comparisons(n.Value) {
			msg := fmt.Sprintf("%s of %s is a number, microseconds since 1970, which is smaller than any text", c.column, c.table)
			hint := fmt.Sprintf("write %s", c.instead)
			switch {
			case c.seconds:
				msg = fmt.Sprintf("%s of %s has microseconds since 1970, and unixepoch() has seconds", c.column, c.table)
			case c.view():
				msg = fmt.Sprintf("%s of %s is a text with a T, such as 2026-12-24T18:00:00.000Z, and this one has a space in its place", c.column, c.table)
			case (c.table == "events" || c.table == "runs") && !strings.Contains(c.instead, "now"):
				hint += fmt.Sprintf("; or read %s_view, whose times are texts such as 2026-12-24T18:00:00.000Z", c.table)
			}
			f.within(n, c.start, c.end, msg, hint)
		}
	}
}

// comparison is the comparison of a column with a text, from start to end in a statement.
type comparison struct {
	start, end             int
	table, column, instead string // instead is what it should be compared with
	seconds                bool   // it is compared with seconds, not with a text
}

func (c *comparison) view() bool { return strings.HasSuffix(c.table, "_view") }

var (
	sqlComment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`) })
	// A table after FROM, JOIN, UPDATE or INTO, with its alias if it has one.
	fromTable = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?`)
	})
	// column OP text, where the text is a literal or a function that returns one.
	columnAndText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)` + aColumn + `\s*(?:` + compares + `|\bBETWEEN\b)\s*(` + aText + `)(?:\s+AND\s+(` + aText + `))?`)
	})
	columnAndSeconds = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)` + aColumn + `\s*(?:` + compares + `|\bBETWEEN\b)\s*(\bunixepoch\s*\([^()]*\))`)
	})
	textAndColumn = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(` + aText + `)\s*(?:` + compares + `)\s*(?:(\w+)\.)?(\w+)\b`)
	})
)

const (
	aText    = `'[0-9]{4}-[^']*'|\b(?:datetime|date|strftime)\s*\([^()]*\)|\bCURRENT_(?:TIMESTAMP|DATE)\b`
	aColumn  = `(?:\b(\w+)\.)?\b(\w+)`
	compares = `<=|>=|<>|!=|==|=|<|>`
)

// comparisons finds the comparisons of times with texts. A column without its table's name counts if all tables of the statement are evrun's.
func comparisons(statement string) (found []comparison) {
	text := sqlComment().ReplaceAllStringFunc(statement, func(s string) string { return strings.Repeat(" ", len(s)) })
	aliases, all := map[string]string{}, true
	for _, m := range fromTable().FindAllStringSubmatch(text, -1) {
		table := strings.ToLower(m[1])
		if _, own := timeColumns[table]; !own {
			all = false
			continue
		}
		aliases[table], aliases[strings.ToLower(m[2])] = table, table
	}
	delete(aliases, "")
	if len(aliases) == 0 {
		return nil
	}
	add := func(m []int, qualifier, column, value int) {
		part := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return text[m[2*i]:m[2*i+1]]
		}
		name := strings.ToLower(part(column))
		for _, alias := range slices.Sorted(maps.Keys(aliases)) { // in one order: a column may be in several tables
			table := aliases[alias]
			if q := strings.ToLower(part(qualifier)); slices.Contains(timeColumns[table], name) && (q == alias || q == "" && all && alias == table) {
				c := comparison{start: m[0], end: m[1], table: table, column: name}
				if c.instead = instead(part(value), c.view()); c.instead == "" {
					return
				}
				if len(m) > 8 && m[8] >= 0 && strings.Contains(strings.ToUpper(text[m[0]:m[1]]), "BETWEEN") {
					c.instead += " AND " + instead(part(4), c.view())
				}
				found = append(found, c)
				return
			}
		}
	}
	for _, m := range columnAndText().FindAllStringSubmatchIndex(text, -1) {
		add(m, 1, 2, 3)
	}
	texts := len(found)
	for _, m := range columnAndSeconds().FindAllStringSubmatchIndex(text, -1) {
		if !strings.HasPrefix(strings.TrimLeft(text[m[1]:], " \t\n)"), "*") {
			add(m, 1, 2, 3)
		}
	}
	for i := range found[texts:] {
		found[texts+i].seconds = true
	}
	for _, m := range textAndColumn().FindAllStringSubmatchIndex(text, -1) {
		add(m, 2, 3, 1)
	}
	return found
}

// instead writes a text of SQL's that is a time as the tables have it, or as the views do: there, only what has a space in place of the T is wrong.
func instead(value string, view bool) string {
	name, arguments, call := strings.Cut(value, "(")
	arguments = strings.TrimSpace(strings.TrimSuffix(arguments, ")"))
	name = strings.ToLower(strings.TrimSpace(name))
	day := name == "date" || name == "current_date"
	switch {
	case name == "strftime": // its first argument is the format
		_, arguments, _ = strings.Cut(arguments, ",")
		arguments = strings.TrimSpace(arguments)
	case !call && strings.HasPrefix(value, "'"):
		arguments = value
	}
	if arguments == "" {
		arguments = "'now'"
	}
	switch {
	case view && name != "datetime" && name != "current_timestamp":
		return ""
	case view:
		return "strftime('%Y-%m-%dT%H:%M:%fZ', " + arguments + ")"
	case day:
		arguments += ", 'start of day'"
	}
	return "unixepoch(" + arguments + ") * 1000000"
}
