package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Statement is one SQL statement of the user's own, in SQLite's language. Only [ParseStatement] makes one, so a store never
// meets a text that holds two statements, or one that ends its transaction. A store keeps what it compiles of a Statement by
// its address: parse once, and use it again.
type Statement struct {
	text    string // without comments behind it, and without its semicolon
	key     string
	verb    string
	params  []string
	offsets []int // of each parameter's first appearance
	returns bool
	calls   map[string]Literals
}

// String is the statement as it was written, without the semicolon.
func (s *Statement) String() string { return s.text }

// Key is the same for statements that differ only in white space and comments.
func (s *Statement) Key() string { return s.key }

// Verb is what the statement does: SELECT, VALUES, INSERT, REPLACE, UPDATE, DELETE, CREATE, ALTER or DROP.
func (s *Statement) Verb() string { return s.verb }

// Params are the names of its parameters, without the colon, in order of first appearance.
func (s *Statement) Params() []string { return s.params }

// ParamOffset is where the parameter of this index first stands in the text that was parsed, in bytes.
func (s *Statement) ParamOffset(i int) int { return s.offsets[i] }

// Reads says whether the statement changes nothing.
func (s *Statement) Reads() bool { return s.verb == "SELECT" || s.verb == "VALUES" }

// Defines says whether the statement changes the schema: CREATE, ALTER, DROP.
func (s *Statement) Defines() bool {
	return s.verb == "CREATE" || s.verb == "ALTER" || s.verb == "DROP"
}

// Returns says whether the statement can return rows: it reads, or has a RETURNING.
func (s *Statement) Returns() bool { return s.returns }

// Calls are the functions that the statement's own text calls, by their names in lower case. The operators LIKE, GLOB, MATCH and
// REGEXP count as functions of their right operand. A table's name before a list of columns may be among them.
func (s *Statement) Calls() map[string]Literals { return s.calls }

// StatementError is a fault in the text of a statement.
type StatementError struct {
	Offset int // in bytes
	Msg    string
	Hint   string
}

// Error gives the message and the hint.
func (e *StatementError) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

// Result is what a statement gave.
type Result struct {
	Columns []string
	// Rows have nil, int64, float64, string or []byte in each column. A text in a column that was declared as DATE, DATETIME
	// or TIMESTAMP and that is a time comes as RFC 3339, a mere day as that.
	Rows    [][]any
	Changes int64 // rows inserted, updated or deleted, without what triggers and foreign keys did
}

// What a statement may return at most. More is an [ErrStatement].
const (
	MaxRows        = 1000
	MaxResultBytes = 1 << 20 // of all values together
)

// Database is a database of the user's own, beside the store. Safe for concurrent use: one statement runs at a time.
type Database interface {
	// Exec runs a statement as a transaction of its own, as [Tx.Exec] does. When ctx ends, the statement is stopped and
	// nothing of it is written.
	Exec(ctx context.Context, s *Statement, args []any) (Result, error)
	// Migrate runs statements, all in one transaction, each time it is called.
	Migrate(ctx context.Context, statements []*Statement) error
	Close() error
}

// ParseStatement looks at one statement as closely as it takes to run it safely: that it is one, what it does, and which
// parameters it has; whether the tables are there and the grammar is right, only the database can say. Its error is a
// [*StatementError].
//
// It refuses what isn't a statement on rows or tables: transactions, PRAGMA, ATTACH, VACUUM, EXPLAIN and the like, temporary
// tables, what can fail a whole transaction (ROLLBACK on a conflict, deferred foreign keys), and parameters of another style
// than :name.
func ParseStatement(text string) (*Statement, error) {
	p := parser{sql: text}
	if err := p.scan(); err != nil {
		return nil, err
	}
	if len(p.tokens) == 0 {
		return nil, &StatementError{Msg: "there is no statement"}
	}
	s := &Statement{text: text[p.tokens[0].from:p.tokens[len(p.tokens)-1].to]}
	var err *StatementError
	if s.verb, err = p.verb(); err == nil {
		err = p.refuse()
	}
	if err != nil {
		return nil, err
	}
	words := make([]string, len(p.tokens))
	for i, t := range p.tokens {
		words[i] = text[t.from:t.to]
		switch {
		case t.kind == parameter && s.Defines():
			return nil, &StatementError{Offset: t.from, Msg: fmt.Sprintf("%s can't have parameters", s.verb)}
		case t.kind == parameter && !slices.Contains(s.params, words[i][1:]):
			s.params, s.offsets = append(s.params, words[i][1:]), append(s.offsets, t.from)
		case t.is("RETURNING"):
			s.returns = true
		}
	}
	s.key = strings.Join(words, " ")
	s.calls = p.calls()
	s.returns = !s.Defines() && (s.returns || s.Reads())
	return s, nil
}

// verb finds what the statement does; before it may stand a WITH and its named queries.
func (p *parser) verb() (string, *StatementError) {
	first := p.tokens[0]
	at := 0
	if first.is("WITH") {
		at = p.afterWith()
	}
	if at < len(p.tokens) {
		switch t := p.tokens[at]; t.word {
		case "SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE":
			return t.word, nil
		case "CREATE", "ALTER", "DROP":
			if at == 0 {
				return t.word, nil
			}
		}
	}
	e := &StatementError{Offset: first.from, Msg: "this is not an SQL statement", Hint: "it begins with SELECT, INSERT, UPDATE, DELETE, WITH or VALUES"}
	switch first.word {
	case "WITH":
		e.Msg, e.Hint = "nothing follows the WITH", "end it with a SELECT, INSERT, UPDATE or DELETE"
	case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE":
		e.Msg, e.Hint = first.word+" is not allowed", "each statement is in a transaction already"
	case "ATTACH", "DETACH":
		e.Msg, e.Hint = first.word+" is not allowed", "name another SQLite file in dsn"
	case "PRAGMA", "VACUUM", "ANALYZE", "REINDEX", "EXPLAIN":
		e.Msg, e.Hint = first.word+" is not allowed", ""
	}
	return "", e
}

// afterWith is the index of the token behind WITH's list: [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (query), …
func (p *parser) afterWith() int {
	i := 1
	is := func(word string) bool { return i < len(p.tokens) && p.tokens[i].is(word) }
	parentheses := func() {
		for depth := 0; i < len(p.tokens); i++ {
			if is("(") {
				depth++
			} else if is(")") {
				if depth--; depth == 0 {
					i++
					return
				}
			}
		}
	}
	if is("RECURSIVE") {
		i++
	}
	for {
		i++ // the name, which may be any word
		if is("(") {
			parentheses()
		}
		for is("AS") || is("NOT") || is("MATERIALIZED") {
			i++
		}
		if !is("(") {
			return i
		}
		parentheses()
		if !is(",") {
			return i
		}
		i++
	}
}

// refuse looks for words that are not allowed wherever they stand, and for parentheses that don't match.
func (p *parser) refuse() *StatementError {
	var open []token
	for i, t := range p.tokens {
		switch {
		case t.is("("):
			open = append(open, t)
		case t.is(")") && len(open) == 0:
			return &StatementError{Offset: t.from, Msg: "the ) closes nothing"}
		case t.is(")"):
			open = open[:len(open)-1]
		case i == 0:
		case t.is("ROLLBACK") && (p.tokens[i-1].is("OR") || p.tokens[i-1].is("CONFLICT") || p.tokens[i-1].is("(")):
			return &StatementError{Offset: t.from, Msg: "ROLLBACK would undo the work of others too", Hint: "ABORT undoes this statement's"}
		case t.is("DEFERRED") && p.tokens[i-1].is("INITIALLY"):
			return &StatementError{Offset: p.tokens[i-1].from, Msg: "a foreign key can't be deferred", Hint: "at the commit it would undo the work of others too"}
		case (t.is("TEMP") || t.is("TEMPORARY")) && i == 1 && p.tokens[0].is("CREATE"):
			return &StatementError{Offset: t.from, Msg: "temporary tables, views and triggers are not allowed"}
		}
	}
	if len(open) > 0 {
		return &StatementError{Offset: open[len(open)-1].from, Msg: "the ( is not closed"}
	}
	return nil
}
