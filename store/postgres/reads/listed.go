package reads

import (
	"context"
	"fmt"
	"strings"

	"evrun/store"
	"evrun/store/columns"
)

// place is where a query reads: a part of the journal, or only some sequences of it.
type place struct {
	span      span
	sequences []int64 // nil: all of the span
}

// add adds the place as a condition on a column.
func (p place) add(c *condition, column string) {
	if p.sequences != nil {
		c.add(column+` = ANY(?)`, p.sequences)
		return
	}
	c.within(column, p.span)
}

// The bounds of one query of listed: how many sequences it finds.
const (
	leastListed = 512
	mostListed  = 8192
)

// listed looks at what indexes have in the order of sequences, until about look things are looked at, or read says that its page is full. arms returns
// the queries, without an order, that find the first sequences of a span, so many at most. It returns how many were looked at, and the last sequence on
// the way.
func (r *Reader) listed(ctx context.Context, arms func(in span, newest bool, limit int) (query string, args []any), all span, look int, newest bool,
	read func(at place) (full bool, err error)) (looked int, reached int64, full bool, err error) {
	for rest := all; ; {
		limit := min(mostListed, max(leastListed, min(2*looked, look-looked)))
		sequences, err := r.sequences(ctx, arms, rest, newest, limit)
		if err != nil {
			return looked, 0, false, err
		}
		if len(sequences) > 0 {
			if full, err := read(place{sequences: sequences}); err != nil || full {
				return looked, 0, full, err
			}
		}
		if looked += len(sequences); len(sequences) < limit {
			return looked, all.end(newest), false, nil
		}
		reached = sequences[limit-1]
		if rest = rest.behind(reached, newest); rest.empty() || looked >= look {
			return looked, reached, false, nil
		}
	}
}

// sequences returns the first sequences that the arms find in a span, each once.
func (r *Reader) sequences(ctx context.Context, arms func(span, bool, int) (string, []any), in span, newest bool, limit int) ([]int64, error) {
	query, args := arms(in, newest, limit)
	if query == "" {
		return nil, nil
	}
	query, args = numbered(`SELECT DISTINCT sequence FROM (`+query+`) found ORDER BY sequence `+order(newest)+` LIMIT ?`, append(args, limit))
	return list(ctx, r, number, query, args...)
}

// arms has one for each type.
func (t *types) arms(in span, newest bool, _ int) (query string, args []any) {
	var parts []string
	for _, name := range t.names {
		var where condition
		where.add("e.type = ?", name)
		where.within("e.sequence", in)
		parts = append(parts, `SELECT e.sequence FROM evrun.events e`+where.where())
		args = append(args, where.args...)
	}
	return merged(parts, `e.sequence `+order(newest)), args
}

// merged returns a query of all rows of some queries, of which the server reads no more than it needs when the rows are wanted in this order: each query has
// to be in the order itself.
func merged(queries []string, order string) string {
	if len(queries) == 1 {
		return queries[0]
	}
	var b strings.Builder
	for i, query := range queries {
		if i > 0 {
			b.WriteString(` UNION ALL `)
		}
		b.WriteString(`(` + query + ` ORDER BY ` + order + `)`)
	}
	return b.String()
}

// maxArms is how many handlers in states one query looks up.
const maxArms = 128

// stateArms has one for each handler and state, none of which is bulky. With too many, it has one for all handlers, whose runs are then sorted.
func stateArms(handlers []int64, states []store.RunState) func(in span, newest bool, limit int) (string, []any) {
	return func(in span, newest bool, limit int) (query string, args []any) {
		var parts []string
		var place condition
		place.within("r.sequence", in)
		if len(handlers)*len(states) > maxArms {
			place.add(columns.InStates(states) + ` AND (r.state <= 2 OR r.state > 4)`)
			return `SELECT r.sequence FROM evrun.runs r` + place.where(), place.args
		}
		for _, h := range handlers {
			for _, state := range states {
				where := place.and(fmt.Sprintf(`r.handler = %d AND r.state = %d`, h, state))
				by := `r.sequence ` + order(newest)
				if state == store.Running { // the index of pending runs has them first, without a next attempt
					where = where.and(`r.state <= 2 AND r.next_attempt_at IS NULL`)
					by = `r.next_attempt_at ` + order(newest) + map[bool]string{false: ` NULLS FIRST, `, true: ` NULLS LAST, `}[newest] + by
				}
				parts = append(parts, `(SELECT r.sequence FROM evrun.runs r`+where.where()+` ORDER BY `+by+` LIMIT ?)`)
				args = append(append(args, where.args...), limit)
			}
		}
		return strings.Join(parts, ` UNION ALL `), args
	}
}

// bulky reports whether most runs may be in a state. Runs in other states are in an index.
func bulky(state store.RunState) bool { return state == store.Succeeded || state == store.Skipped }
