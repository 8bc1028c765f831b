package reads

import (
	"context"
	"slices"
	"strings"

	"evrun/events"
)

// types are the types of events that a query selects.
type types struct {
	all   bool     // every type
	names []string // these, if known
	known bool
	expr  string // otherwise: see [expression]
}

// The bounds of [Reader.typesOf].
const (
	maxTypes     = 32   // that a query reads in the order of sequences, each by the index of types
	maxTypeNames = 2000 // that are compared with the patterns
)

// typesOf returns the types that patterns select, among those that are stored at some moment after the call began; none: all.
func (r *Reader) typesOf(ctx context.Context, patterns []events.Pattern) (t types, err error) {
	if patterns = narrowing(patterns); len(patterns) == 0 {
		return types{all: true}, nil
	}
	t = types{known: true, expr: expression(patterns)}
	left := maxTypeNames
	for _, p := range patterns {
		if typ, ok := p.Literal(); ok {
			t.names = append(t.names, typ)
			continue
		}
		before, _, _ := strings.Cut(p.String(), "*")
		before, _, _ = strings.Cut(before, ">")
		names, err := list(ctx, r, text, namesQuery, before, before, left)
		if err != nil {
			return t, err
		}
		if left -= len(names); left <= 0 {
			t.known = false
			break
		}
		for _, name := range names {
			if p.Match(name) {
				t.names = append(t.names, name)
			}
		}
	}
	slices.Sort(t.names)
	if t.names = slices.Compact(t.names); len(t.names) > maxTypes {
		t.known = false
	}
	return t, nil
}

// narrowing returns the patterns, or none if one of them is >: that leaves nothing out, not even a run whose event was deleted, which has no type.
func narrowing(patterns []events.Pattern) []events.Pattern {
	if slices.ContainsFunc(patterns, func(p events.Pattern) bool { return p.String() == ">" }) {
		return nil
	}
	return patterns
}

// condition is on e, for queries that read a part of the journal.
func (t *types) condition() (c condition) {
	switch {
	case t.all:
	case t.known:
		c.add(`e.type = ANY(?)`, t.names)
	default:
		c.add(`e.type ~ ?`, t.expr)
	}
	return c
}

// namesQuery finds each type from the one before, by the index: from $1 on, with the prefix $2, so many at most.
const namesQuery = `WITH RECURSIVE names(type) AS (
		SELECT min(e.type) FROM evrun.events e WHERE e.type >= $1
		UNION ALL SELECT (SELECT min(e.type) FROM evrun.events e WHERE e.type > n.type) FROM names n WHERE n.type IS NOT NULL AND starts_with(n.type, $2)
	) SELECT type FROM names WHERE type IS NOT NULL AND starts_with(type, $2) LIMIT $3`

// Types implements [store.Journal].
func (r *Reader) Types(ctx context.Context, from string, limit int) ([]string, error) {
	return list(ctx, r, text, namesQuery, from, "", limit)
}
