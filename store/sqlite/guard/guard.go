// Package guard runs user statements on SQLite: it parses them, decides what they may do, and bounds what they cost.
//
// Four things hold a statement in bounds:
//
//   - [Parse] refuses a text that is not one statement on rows or tables, or that could end a transaction.
//   - SQLite's authorizer, the type guard, refuses writes to evrun's own tables, and all actions that it doesn't know to be harmless.
//   - A clock ([Limit]) stops a statement between two steps of SQLite.
//   - Within a step, only the size of the values bounds the work: values are at most twice the largest event and 1 MiB, and much smaller in
//     a statement that calls a function whose work grows faster (LIKE, instr, replace, trim, hex, printf, …; functions.go has them all).
//
// SQLite's own functions aren't replaced: in a CHECK they would make a store unreadable to other programs. Virtual tables are those of fts5
// and rtree. The connections must be in SQLite's defensive mode, see package conn.
//
//	u, err := guard.New(c, own, guard.MaxValue(0))
//	s, err := guard.Parse("INSERT INTO seen VALUES (:id)")
//	result, err := u.Exec(ctx, guard.Limit{Wall: 50 * time.Millisecond}, s, []any{"42"})
package guard

import (
	"fmt"
	"strings"

	driverpkg "modernc.org/sqlite"

	"evrun/store/sqlite/conn"
)

// guard decides what a user statement may do on a connection: it is SQLite's authorizer there, as long as the connection is open.
// It allows only actions that it knows to be harmless.
//
// It is installed once and switched on whenever a user's statement is prepared or run. SQLite prepares a statement again while running it if the
// schema has changed, and the guard checks that preparation like the first. Triggers and cascades are compiled into the statement that fires them, so
// they are checked with it. evrun's own statements run with the guard off. Installing and removing the authorizer instead would make SQLite prepare
// all kept statements again each time.
//
// It belongs to the goroutine that uses the connection.
type guard struct {
	own     map[string]bool // the tables that may only be read, in lower case; nil: there are none
	modules map[string]bool // of virtual tables, in lower case
	schema  schemaCosts
	rules   rules
	calls   map[string]literals // of the statement's own text
	// What the guard found out about the statement since on was called.
	denied string // why the statement was refused; empty: it was not
	loops  bool   // the statement does more than insert the rows in its text
	into   string // the first table that it inserts into
	bound  bound  // the bound of its functions, and of those in the schema of its tables
}

type rules int8

const (
	off    rules = iota
	rows         // read and write rows
	define       // create tables, views, indexes and triggers, which changes rows of SQLite's own tables
)

// newGuard installs a guard on c. It costs evrun's own statements only a call when they are prepared.
func newGuard(c *conn.Conn, own map[string]bool) (*guard, error) {
	g := &guard{own: own, modules: map[string]bool{}}
	modules, err := c.Pairs(`SELECT lower(name) FROM pragma_module_list`)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		g.modules[m[0]] = true
	}
	return g, c.Raw().(driverpkg.AuthorizerRegisterer).RegisterAuthorizer(g.authorize)
}

// on switches the guard on, for a statement with these calls; the returned function switches it off.
func (g *guard) on(r rules, calls map[string]literals) (off func()) {
	g.rules, g.calls, g.denied, g.into = r, calls, "", ""
	return g.off
}

func (g *guard) off() { g.rules = off }

func (g *guard) authorize(action driverpkg.AuthorizerActionCode, a, b, _, trigger string) driverpkg.AuthorizerReturnCode {
	if g.rules == off {
		return driverpkg.AuthorizerOK
	}
	if why := g.judge(action, a, b); why != "" {
		if g.denied == "" {
			g.denied = why
			if trigger != "" && trigger != wrapped {
				g.denied = fmt.Sprintf("%s, in the trigger or view %q", why, trigger)
			}
		}
		return driverpkg.AuthorizerDeny
	}
	g.loops = g.loops || trigger != ""
	if action == driverpkg.AuthDelete && g.rules == rows {
		// With this answer SQLite deletes row by row, which can be stopped. Otherwise a DELETE of all rows empties the table in one step.
		return driverpkg.AuthorizerIgnore
	}
	return driverpkg.AuthorizerOK
}

// judge returns why an action is not allowed; empty: it is allowed. The meaning of a and b depends on the action: see
// sqlite.org/c3ref/c_alter_table.html.
func (g *guard) judge(action driverpkg.AuthorizerActionCode, a, b string) string {
	switch action {
	case driverpkg.AuthRead:
		return g.read(a)
	case driverpkg.AuthSelect, driverpkg.AuthRecursive:
		g.loops = true
		return ""
	case driverpkg.AuthFunction:
		return g.call(strings.ToLower(b))
	case driverpkg.AuthInsert:
		if g.into == "" {
			g.into = a
		}
		return g.write(a)
	case driverpkg.AuthUpdate:
		g.loops = g.loops || a != g.into // else it is ON CONFLICT's update of the one row
		return g.write(a)
	case driverpkg.AuthDelete:
		g.loops = true
		return g.write(a)
	case driverpkg.AuthPragma:
		if b == "" && (a == "data_version" || a == "page_size") { // full-text and R-tree tables ask for these
			return ""
		}
		if g.rules == define && a == "quick_check" { // so does ALTER TABLE, of a column with a CHECK
			return ""
		}
		return fmt.Sprintf("PRAGMA %s is not allowed", a)
	}
	if g.rules == define {
		if why, known := g.judgeDefinition(action, a, b); known {
			return why
		}
	}
	if name, ok := actionNames[action]; ok {
		return name + " is not allowed here"
	}
	return fmt.Sprintf("its action (number %d in SQLite) is not allowed", action)
}

// judgeDefinition is judge for actions that change the schema; known is false for all others.
func (g *guard) judgeDefinition(action driverpkg.AuthorizerActionCode, a, b string) (why string, known bool) {
	switch action {
	case driverpkg.AuthCreateTable, driverpkg.AuthCreateView:
		return g.name(a), true
	case driverpkg.AuthCreateVTable:
		if !virtualTables[strings.ToLower(b)] {
			return fmt.Sprintf("CREATE VIRTUAL TABLE … USING %s is not allowed; the modules fts5, fts5vocab, rtree and rtree_i32 are", b), true
		}
		return g.name(a), true
	case driverpkg.AuthDropTable, driverpkg.AuthDropVTable, driverpkg.AuthDropView:
		return g.change(a), true
	case driverpkg.AuthCreateIndex, driverpkg.AuthDropIndex, driverpkg.AuthCreateTrigger, driverpkg.AuthDropTrigger, driverpkg.AuthAlterTable:
		return g.change(b), true
	case driverpkg.AuthReindex: // of an index that is being created
		return "", true
	}
	return "", false
}

// virtualTables are the modules whose virtual tables are allowed. The others read or write the file's pages, or have not been
// reviewed.
var virtualTables = map[string]bool{"fts5": true, "fts5vocab": true, "rtree": true, "rtree_i32": true}

// read checks the reading of a table. Some modules are tables under their own name, without a CREATE.
func (g *guard) read(table string) string {
	name := strings.ToLower(table)
	if g.modules[name] && !virtualTables[name] && !strings.HasPrefix(name, "json") && !strings.HasPrefix(name, "pragma_") { // PRAGMA functions are checked as PRAGMAs
		return fmt.Sprintf("the table %s, which shows the pages of the file, is not allowed", table)
	}
	g.bound.tighten(g.schema.read[name])
	return ""
}

// call checks a function and records its bound.
func (g *guard) call(function string) string {
	if forbidden[function] {
		return fmt.Sprintf("the function %s is not allowed", function)
	}
	var given literals
	if !g.schema.behind[function] { // otherwise a view or a trigger may call it, with other arguments
		var ok bool
		if given, ok = g.calls[function]; !ok {
			given = g.schema.own[function] // a default
		}
	}
	g.bound.tighten(bound{lengthFor(function, given), function})
	return ""
}

func (g *guard) write(table string) string {
	g.bound.tighten(g.schema.written[strings.ToLower(table)])
	switch {
	case g.owns(table):
		return fmt.Sprintf("%q is evrun's own: it can be read, not written", table)
	case g.rules == rows && strings.HasPrefix(strings.ToLower(table), "sqlite_"):
		return fmt.Sprintf("%q is SQLite's own table: it can be read, not written", table)
	}
	return ""
}

func (g *guard) change(table string) string {
	if g.owns(table) {
		return fmt.Sprintf("%q is evrun's own: nothing can be changed about it", table)
	}
	return ""
}

// name checks the name of a new table, view, index or trigger. Names with evrun's prefix are reserved for later versions.
func (g *guard) name(table string) string {
	switch {
	case g.owns(table):
		return fmt.Sprintf("%q is a name of evrun's own; choose another name", table)
	case g.own != nil && strings.HasPrefix(strings.ToLower(table), "evrun_"):
		return fmt.Sprintf("%q begins with evrun_, which is reserved for evrun; choose another name", table)
	}
	return ""
}

func (g *guard) owns(table string) bool { return g.own[strings.ToLower(table)] }

// actionNames are the names that messages use for actions.
var actionNames = map[driverpkg.AuthorizerActionCode]string{
	driverpkg.AuthCreateIndex: "CREATE INDEX", driverpkg.AuthCreateTable: "CREATE TABLE", driverpkg.AuthCreateTrigger: "CREATE TRIGGER",
	driverpkg.AuthCreateView: "CREATE VIEW", driverpkg.AuthCreateVTable: "CREATE VIRTUAL TABLE",
	driverpkg.AuthCreateTempIndex: "a temporary index", driverpkg.AuthCreateTempTable: "a temporary table",
	driverpkg.AuthCreateTempTrigger: "a temporary trigger", driverpkg.AuthCreateTempView: "a temporary view",
	driverpkg.AuthDropIndex: "DROP INDEX", driverpkg.AuthDropTable: "DROP TABLE", driverpkg.AuthDropTrigger: "DROP TRIGGER",
	driverpkg.AuthDropView: "DROP VIEW", driverpkg.AuthDropVTable: "DROP TABLE", driverpkg.AuthAlterTable: "ALTER TABLE",
	driverpkg.AuthDropTempIndex: "a temporary index", driverpkg.AuthDropTempTable: "a temporary table",
	driverpkg.AuthDropTempTrigger: "a temporary trigger", driverpkg.AuthDropTempView: "a temporary view",
	driverpkg.AuthTransaction: "a transaction of its own", driverpkg.AuthSavepoint: "SAVEPOINT", driverpkg.AuthAttach: "ATTACH",
	driverpkg.AuthDetach: "DETACH", driverpkg.AuthAnalyze: "ANALYZE", driverpkg.AuthReindex: "REINDEX",
}
