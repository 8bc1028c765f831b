package guard

import (
	"fmt"
	"slices"
	"strings"
)

// plainNames refuses names that are written with escapes: in a definition functions are found by their names.
func (p *parser) plainNames() error {
	for _, t := range p.tokens {
		if t.kind == name && p.sql[t.from] != '"' {
			return &ParseError{Offset: t.from, Msg: `a name like U&"…" is not allowed here`, Hint: "write its letters"}
		}
	}
	return nil
}

// object checks what CREATE, ALTER or DROP is about: what can be made by statements without code in them.
func (p *parser) object() error {
	for i, t := range p.tokens[1:] {
		switch {
		case t.in("TEMP", "TEMPORARY", "LOCAL", "GLOBAL"):
			return &ParseError{Offset: t.from, Msg: "temporary tables and views are not allowed"}
		case t.in("OR", "REPLACE", "UNIQUE", "UNLOGGED", "MATERIALIZED", "RECURSIVE"):
			continue
		case t.in("TABLE", "INDEX", "VIEW", "SEQUENCE", "TYPE", "DOMAIN", "SCHEMA", "TRIGGER"):
			if next := p.tokens[min(i+2, len(p.tokens)-1)]; next.is("CONCURRENTLY") {
				return &ParseError{Offset: next.from, Msg: "CONCURRENTLY is not allowed", Hint: "it can't run in a transaction; run such a statement by hand, before the wiring needs it"}
			}
			return nil
		case t.in("FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE", "OPERATOR", "CAST", "RULE", "EVENT"):
			return &ParseError{Offset: t.from, Msg: p.tokens[0].word + " " + t.word + " is not allowed",
				Hint: "code in the database is for its owner to make: a function that is SECURITY DEFINER, of a role without rights on evrun's tables, may be called"}
		}
		return &ParseError{Offset: t.from, Msg: fmt.Sprintf("%s %s is not allowed", p.tokens[0].word, t.text(p.sql)),
			Hint: "migrate is for tables, indexes, views, sequences, types, domains, schemas and triggers"}
	}
	return &ParseError{Offset: p.tokens[0].from, Msg: "nothing follows the " + p.tokens[0].word}
}

func (t token) text(sql string) string {
	if t.word != "" {
		return t.word
	}
	return sql[t.from:t.to]
}

// definition finds the query of CREATE VIEW … AS and CREATE TABLE … AS.
func (p *parser) definition() string {
	if !p.tokens[0].is("CREATE") {
		return ""
	}
	depth := 0
	for i, t := range p.tokens[1:] {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is("AS") && i+2 < len(p.tokens):
			for _, next := range p.tokens[i+2:] {
				if next.in("SELECT", "WITH", "VALUES", "TABLE", "EXECUTE") {
					return p.until(p.tokens[i+2].from)
				}
				if !next.is("(") {
					return ""
				}
			}
		}
	}
	return ""
}

// until returns the text of a query without what may follow it: WITH [NO] DATA, WITH [LOCAL] CHECK OPTION.
func (p *parser) until(from int) string {
	last := len(p.tokens)
	for _, tail := range []string{"WITH DATA", "WITH NO DATA", "WITH CHECK OPTION", "WITH LOCAL CHECK OPTION", "WITH CASCADED CHECK OPTION"} {
		words := strings.Fields(tail)
		if n := len(p.tokens) - len(words); n > 0 && slices.EqualFunc(p.tokens[n:], words, func(t token, w string) bool { return t.is(w) }) {
			last = n
		}
	}
	return p.sql[from:p.tokens[last-1].to]
}

// calls finds the names in a definition that may be those of functions: before a parenthesis, behind a dot, or what a trigger executes. Names of tables
// may be among them.
func (p *parser) calls() (names []string) {
	for i, t := range p.tokens {
		if i == 0 || t.kind != word && t.kind != name {
			continue
		}
		before := p.tokens[i-1]
		next := i+1 < len(p.tokens) && p.tokens[i+1].is("(") && !before.in("TABLE", "EXISTS", "REFERENCES", "ON")
		if next || before.is(".") || before.in("FUNCTION", "PROCEDURE") {
			names = append(names, unquote(p.sql[t.from:t.to]))
		}
	}
	return names
}

// unquote returns a name as the catalog has it.
func unquote(text string) string {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
	}
	return strings.ToLower(text)
}
