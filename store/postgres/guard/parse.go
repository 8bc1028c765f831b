package guard

import (
	"fmt"
	"slices"
	"strings"

	"evrun/store"
)

// ParseError is a fault in the text of a statement.
type ParseError = store.ParseError

// parsed is a statement with what the guard needs of its text.
type parsed struct {
	store.Statement
	sql    string // for the server: parameters are $1, $2, …
	query  string // of a statement that defines a view or a table by one; empty: it doesn't
	names  []string
	tokens []token
}

// Parse is PostgreSQL's [store.StatementParser]. It checks only what can be said without the server: that the text is one statement, its verb, and its
// parameters. The grammar is the server's to check, and what the statement may do is decided by its answer, see [Statements]. Its error is a [*ParseError].
func Parse(text string) (*store.Statement, error) {
	p, err := parse(text)
	if err != nil {
		return nil, err
	}
	return &p.Statement, nil
}

func parse(text string) (*parsed, error) {
	p := parser{sql: text}
	if err := p.scan(); err != nil {
		return nil, err
	}
	if len(p.tokens) == 0 {
		return nil, &ParseError{Msg: "the statement is empty"}
	}
	if err := p.refuse(); err != nil {
		return nil, err
	}
	verb, err := p.verb()
	if err != nil {
		return nil, err
	}
	first, last := p.tokens[0].from, p.tokens[len(p.tokens)-1].to
	s := store.Statement{Text: text[first:last], Verb: verb}
	s.Defines = slices.Contains([]string{"CREATE", "ALTER", "DROP"}, verb)
	if s.Defines {
		if err := p.plainNames(); err != nil {
			return nil, err
		}
	}
	s.Reads = (verb == "SELECT" || verb == "VALUES") && !p.modifies()
	s.Returns = verb == "SELECT" || verb == "VALUES"
	var sql strings.Builder
	words := make([]string, len(p.tokens))
	at := first
	for i, t := range p.tokens {
		words[i] = text[t.from:t.to]
		if t.is("RETURNING") && !s.Defines {
			s.Returns = true
		}
		if t.kind != parameter {
			continue
		}
		n := slices.IndexFunc(s.Params, func(p store.Param) bool { return p.Name == words[i][1:] })
		if n < 0 {
			n = len(s.Params)
			s.Params = append(s.Params, store.Param{Name: words[i][1:], Offset: t.from})
		}
		fmt.Fprintf(&sql, "%s $%d", text[at:t.from], n+1) // the blank keeps it apart from a word before it
		at = t.to
	}
	s.Key = strings.Join(words, " ")
	if s.Defines && len(s.Params) > 0 {
		return nil, &ParseError{Offset: s.Params[0].Offset, Msg: verb + " can't have a parameter"}
	}
	out := &parsed{Statement: s, sql: sql.String() + text[at:last], tokens: p.tokens}
	if s.Defines {
		out.query, out.names = p.definition(), p.calls()
	}
	return out, nil
}

// verb finds what the statement does. A WITH and its named queries may stand before.
func (p *parser) verb() (string, error) {
	first, at := p.tokens[0], 0
	for at < len(p.tokens)-1 && p.tokens[at].is("(") {
		at++
	}
	if p.tokens[at].is("WITH") {
		at = p.afterWith(at)
	}
	if at < len(p.tokens) {
		switch t := p.tokens[at]; t.word {
		case "SELECT", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE":
			return t.word, nil
		case "CREATE", "ALTER", "DROP":
			if at == 0 {
				return t.word, p.object()
			}
		}
	}
	e := &ParseError{Offset: first.from, Msg: "this is not an SQL statement", Hint: "it begins with SELECT, INSERT, UPDATE, DELETE, MERGE, WITH or VALUES"}
	switch {
	case first.is("WITH"):
		e.Msg, e.Hint = "nothing follows the WITH", "end it with a SELECT, INSERT, UPDATE or DELETE"
	case first.in("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"):
		e.Msg, e.Hint = first.word+" is not allowed", "each statement is in a transaction already"
	case first.is("TRUNCATE"):
		e.Msg, e.Hint = "TRUNCATE is not allowed", "DELETE FROM the table"
	case first.is("REPLACE"):
		e.Msg, e.Hint = "REPLACE is a statement of SQLite", "write INSERT INTO … ON CONFLICT (…) DO UPDATE SET …"
	case first.in("PRAGMA", "ATTACH", "DETACH"):
		e.Msg, e.Hint = first.word+" is a statement of SQLite", ""
	case slices.Contains(forbiddenVerbs, first.word):
		e.Msg, e.Hint = first.word+" is not allowed", ""
	}
	return "", e
}

var forbiddenVerbs = strings.Fields(`ANALYZE CALL CHECKPOINT CLOSE CLUSTER COMMENT COPY DEALLOCATE DECLARE DISCARD DO EXECUTE EXPLAIN FETCH GRANT IMPORT LISTEN LOAD LOCK MOVE
	NOTIFY PREPARE REASSIGN REFRESH REINDEX RESET REVOKE SECURITY SET SHOW TABLE UNLISTEN VACUUM`)

// afterWith returns the index of the word after WITH's list of named queries: the first word outside parentheses that begins a statement.
func (p *parser) afterWith(from int) int {
	depth := 0
	for i, t := range p.tokens[from:] {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.in("SELECT", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE"):
			return from + i
		}
	}
	return len(p.tokens)
}

// modifies reports whether a query changes rows in its named queries, or locks rows: it can't run in a transaction that only reads.
func (p *parser) modifies() bool {
	for i, t := range p.tokens[1:] {
		before := p.tokens[i]
		if before.is("(") && t.in("INSERT", "UPDATE", "DELETE", "MERGE") || before.is("FOR") && t.in("UPDATE", "SHARE", "NO", "KEY") {
			return true
		}
	}
	return false
}

// refuse looks for words that are not allowed anywhere, and for parentheses that don't match.
func (p *parser) refuse() error {
	var open []token
	for i, t := range p.tokens {
		switch {
		case t.is("("):
			open = append(open, t)
		case t.is(")") && len(open) == 0:
			return &ParseError{Offset: t.from, Msg: "the ) closes nothing"}
		case t.is(")"):
			open = open[:len(open)-1]
		case i == 0:
		case t.is("OR") && i == 1 && p.tokens[0].is("INSERT"):
			return &ParseError{Offset: t.from, Msg: "INSERT OR … is a statement of SQLite", Hint: "write INSERT INTO … ON CONFLICT DO NOTHING, or … DO UPDATE SET …"}
		case t.is("DEFERRED") && p.tokens[i-1].is("INITIALLY"):
			return &ParseError{Offset: p.tokens[i-1].from, Msg: "a constraint can't be deferred", Hint: "at the commit it would undo the work of others too"}
		case t.is("AUTOINCREMENT"):
			return &ParseError{Offset: t.from, Msg: "AUTOINCREMENT is a word of SQLite", Hint: "write id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"}
		}
	}
	if len(open) > 0 {
		return &ParseError{Offset: open[len(open)-1].from, Msg: "the ( is not closed"}
	}
	return nil
}
