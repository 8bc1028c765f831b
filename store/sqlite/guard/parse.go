package guard

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"evrun/store"
)

// ParseError is a fault in the text of a statement.
type ParseError = store.ParseError

// parsed is a statement with the facts that the guard needs from its text.
type parsed struct {
	store.Statement
	// calls are the functions that the text itself calls, by their names in lower case. The operators LIKE, GLOB, MATCH and REGEXP
	// count as functions of their right operand. A table's name before a list of columns may be among them.
	calls map[string]literals
}

// Parse is SQLite's [store.StatementParser]. It checks only what is needed to run a statement safely: that it is one statement, its verb, and its
// parameters. Only the database checks the grammar, and whether the tables exist.
//
// It refuses everything that SQLite does not submit to the authorizer, or only when the statement runs: a second statement, transactions, PRAGMA,
// ATTACH, VACUUM, EXPLAIN and the like, temporary tables, clauses that can fail a whole transaction (ROLLBACK on a conflict, deferred foreign keys),
// and parameters in another style than :name. Its error is a [*ParseError].
func Parse(text string) (*store.Statement, error) {
	p, err := parse(text)
	if err != nil {
		return nil, err
	}
	p.Unstoppable = unstoppable(p.Key) // the guard itself, which parses whole schemas, does not need it
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
	verb, err := p.verb()
	if err == nil {
		err = p.refuse()
	}
	if err != nil {
		return nil, err
	}
	s := store.Statement{Text: text[p.tokens[0].from:p.tokens[len(p.tokens)-1].to], Verb: verb}
	s.Defines = verb == "CREATE" || verb == "ALTER" || verb == "DROP"
	s.Reads = verb == "SELECT" || verb == "VALUES"
	s.Returns = s.Reads
	words := make([]string, len(p.tokens))
	for i, t := range p.tokens {
		words[i] = text[t.from:t.to]
		switch {
		case t.kind == parameter && !slices.ContainsFunc(s.Params, func(p store.Param) bool { return p.Name == words[i][1:] }):
			s.Params = append(s.Params, store.Param{Name: words[i][1:], Offset: t.from})
		case t.is("RETURNING"):
			s.Returns = s.Returns || !s.Defines
		}
	}
	s.Key = strings.Join(words, " ")
	return &parsed{s, p.calls()}, nil
}

// verb finds what the statement does. A WITH and its named queries may stand before.
func (p *parser) verb() (string, error) {
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
	e := &ParseError{Offset: first.from, Msg: "this is not an SQL statement", Hint: "it begins with SELECT, INSERT, UPDATE, DELETE, WITH or VALUES"}
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

// afterWith returns the index of the word after WITH's list of named queries: the first word outside parentheses that begins a statement. Of these
// words only REPLACE can also be a query's name; in a statement, INTO follows it.
func (p *parser) afterWith() int {
	depth := 0
	for i, t := range p.tokens {
		switch t.word {
		case "(":
			depth++
		case ")":
			depth--
		case "REPLACE":
			if depth == 0 && i+1 < len(p.tokens) && p.tokens[i+1].is("INTO") {
				return i
			}
		case "SELECT", "VALUES", "INSERT", "UPDATE", "DELETE":
			if depth == 0 {
				return i
			}
		}
	}
	return len(p.tokens)
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
		case t.is("ROLLBACK") && (p.tokens[i-1].is("OR") || p.tokens[i-1].is("CONFLICT") || p.tokens[i-1].is("(")):
			return &ParseError{Offset: t.from, Msg: "ROLLBACK would undo the work of others too", Hint: "ABORT undoes this statement's"}
		case t.is("DEFERRED") && p.tokens[i-1].is("INITIALLY"):
			return &ParseError{Offset: p.tokens[i-1].from, Msg: "a foreign key can't be deferred", Hint: "at the commit it would undo the work of others too"}
		case (t.is("TEMP") || t.is("TEMPORARY")) && i == 1 && p.tokens[0].is("CREATE"):
			return &ParseError{Offset: t.from, Msg: "temporary tables, views and triggers are not allowed"}
		}
	}
	if len(open) > 0 {
		return &ParseError{Offset: open[len(open)-1].from, Msg: "the ( is not closed"}
	}
	return nil
}

// upkeep finds fts5's commands that process a whole index, such as INSERT INTO t (t) VALUES ('optimize'), in a statement's key. They can't be stopped
// once they have begun.
var upkeep = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\bINTO (?:\S+ \. )?(\S+) \( (\S+) \).*'(rebuild|optimize|integrity-check|delete-all)'`)
})

func unstoppable(key string) string {
	const quotes = "\"`[]'"
	found := upkeep().FindStringSubmatch(key)
	if found == nil || !strings.EqualFold(strings.Trim(found[1], quotes), strings.Trim(found[2], quotes)) {
		return ""
	}
	return fmt.Sprintf("fts5's command '%s'", found[3])
}
