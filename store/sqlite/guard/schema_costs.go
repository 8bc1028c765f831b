package guard

import (
	"regexp"
	"strings"
	"sync"

	"evrun/store/sqlite/conn"
)

// schemaCosts holds the calls in a database's schema of functions that are in costs. SQLite doesn't ask the authorizer about the expressions of
// tables: CHECK, DEFAULT, generated columns, indexes.
type schemaCosts struct {
	// The bounds of a statement that writes, or reads, a table, by the table's name in lower case.
	written, read map[string]bound
	own           map[string]literals // the calls in tables and indexes
	behind        map[string]bool     // the functions that views and triggers call
}

// readCosts reads the schema.
func readCosts(c *conn.Conn) (costly schemaCosts, err error) {
	costly = schemaCosts{written: map[string]bound{}, read: map[string]bound{}, own: map[string]literals{}, behind: map[string]bool{}}
	for _, query := range []string{
		`SELECT tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql NOT NULL`,
		`SELECT '', sql FROM sqlite_schema WHERE type IN ('view', 'trigger') AND sql NOT NULL`,
	} {
		list, err := c.Pairs(query)
		if err != nil {
			return costly, err
		}
		for _, e := range list {
			table, calls := strings.ToLower(e[0]), callsIn(e[1])
			if table == "" {
				for name := range calls {
					costly.behind[name] = true
				}
				continue
			}
			for name, given := range calls {
				if before, ok := costly.own[name]; ok {
					given &= before
				}
				costly.own[name] = given
			}
			tighten(costly.written, table, boundOf(calls))
			if fullTextTable().MatchString(e[1]) {
				tighten(costly.written, table, indexed(e[1]))
			}
			if generated().MatchString(e[1]) {
				tighten(costly.read, table, boundOf(calls))
			}
		}
	}
	return costly, nil
}

// generated finds columns that are computed when they are read.
var generated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\bAS\s*\(`) })

// fullTextTable finds virtual tables that split texts into terms when they are written.
var fullTextTable = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?is)^\s*CREATE\s+VIRTUAL\s+TABLE\b.*\bUSING\s+["'\[` + "`" + `]?fts5\b`)
})

func tighten(bounds map[string]bound, table string, by bound) {
	b := bounds[table]
	if b.tighten(by); b.length > 0 {
		bounds[table] = b
	}
}

// callsIn finds the calls in a text of the schema. If evrun refuses to parse a text that another program created, any mention of a function counts as
// a call.
func callsIn(text string) map[string]literals {
	if s, err := parse(text); err == nil {
		return s.calls
	}
	text = strings.ToLower(text)
	calls := map[string]literals{}
	for name := range costs {
		if strings.Contains(text, name) {
			calls[name] = 0
		}
	}
	return calls
}
