package guard

import (
	"slices"
	"strings"
)

// literals records which arguments of a function are literals, or omitted, in all its calls in a statement.
type literals uint8

// maxLiteral is the maximum length of a literal that counts as short.
const maxLiteral = 66

// has reports whether argument n, from 1 to 8, is a short literal (at most 64 bytes) or left out in every call.
func (l literals) has(n int) bool { return n >= 1 && n <= 8 && l&(1<<(n-1)) != 0 }

// calls finds the functions that are called.
func (p *parser) calls() map[string]literals {
	found := map[string]literals{}
	add := func(name string, l literals) {
		if before, ok := found[name]; ok {
			l &= before
		}
		found[name] = l
	}
	for i := range p.tokens {
		t := p.tokens[i]
		next := i+1 < len(p.tokens) && p.tokens[i+1].is("(")
		if next && (t.kind == word || t.kind == quoted) {
			add(strings.ToLower(strings.Trim(p.sql[t.from:t.to], "\"`[]'")), p.arguments(i+2))
		}
		if slices.Contains([]string{"LIKE", "GLOB", "MATCH", "REGEXP"}, t.word) && !next {
			var l literals
			if p.literal(i+1, i+2) && (i+2 >= len(p.tokens) || !p.tokens[i+2].is("|")) { // not the beginning of a longer text
				l = ^l
			}
			add(strings.ToLower(t.word), l)
		}
	}
	return found
}

// arguments looks at the arguments of the call whose parenthesis is open before token i.
func (p *parser) arguments(i int) literals {
	all := ^literals(0)
	depth, argument, from := 0, 0, i
	for ; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("("):
			depth++
		case t.is(")") && depth > 0:
			depth--
		case depth == 0 && (t.is(",") || t.is(")")):
			if i > from && !p.literal(from, i) && !p.blob(from, i) {
				all &^= 1 << argument
			}
			if t.is(")") {
				return all
			}
			argument, from = argument+1, i+1
		}
	}
	return all
}

// blob reports whether the tokens from up to to are randomblob or zeroblob of a literal: hex(randomblob(16)) makes keys.
func (p *parser) blob(from, to int) bool {
	return to == from+4 && (p.tokens[from].is("RANDOMBLOB") || p.tokens[from].is("ZEROBLOB")) && p.tokens[from+1].is("(") &&
		p.literal(from+2, from+3) && p.tokens[from+3].is(")")
}

// literal reports whether the tokens from up to to are one short string or number.
func (p *parser) literal(from, to int) bool {
	if to != from+1 || from >= len(p.tokens) || p.tokens[from].kind != quoted {
		return false
	}
	text := p.sql[p.tokens[from].from:p.tokens[from].to]
	return len(text) <= maxLiteral && (text[0] == '\'' || '0' <= text[0] && text[0] <= '9')
}
