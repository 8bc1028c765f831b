package reads

import (
	"context"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// sieve knows in which blocks of the journal something may match: in those where, of each set, at least one key is noted. Without sets, in all.
type sieve struct{ sets [][]string }

// The bounds of a sieve. What needs more keys is searched for without them.
const (
	maxSieveKeys = 400
	maxTypeNames = 2000 // that are compared with the patterns
	sieveBlocks  = 512  // that one query looks up
)

func (s *sieve) add(keys []string) {
	if len(keys) > 0 && len(keys) <= maxSieveKeys {
		s.sets = append(s.sets, keys)
	}
}

// sieveOf returns the sieve of a query's patterns and source.
func (r *Reader) sieveOf(ctx context.Context, patterns []events.Pattern, source string) (s sieve, err error) {
	types, err := r.typeKeys(ctx, patterns)
	if err != nil {
		return s, err
	}
	s.add(types)
	if source != "" {
		s.add([]string{schema.AnySource, schema.SourceKey(source)})
	}
	return s, nil
}

// typeKeys returns the keys of all types that match a pattern; none: any type may.
func (r *Reader) typeKeys(ctx context.Context, patterns []events.Pattern) ([]string, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	keys := []string{schema.AnyType}
	for _, p := range patterns {
		if typ, ok := p.Literal(); ok {
			keys = append(keys, schema.TypeKey(typ))
			continue
		}
		before, _, _ := strings.Cut(p.String(), "*")
		before, _, _ = strings.Cut(before, ">")
		// Each name is found from the one before. The last prefix has no name behind it.
		rows, err := r.db.QueryContext(ctx, `WITH RECURSIVE names(what) AS (
				SELECT min(what) FROM blocks WHERE what >= ?1
				UNION ALL SELECT (SELECT min(what) FROM blocks WHERE what > n.what) FROM names n WHERE n.what IS NOT NULL AND substr(n.what, 1, length(?1)) = ?1
			) SELECT what FROM names WHERE what IS NOT NULL AND substr(what, 1, length(?1)) = ?1 LIMIT ?2`, schema.TypeKey(before), maxTypeNames)
		if err != nil {
			return nil, conn.Translate(err)
		}
		names := 0
		for rows.Next() {
			var what string
			if err := rows.Scan(&what); err != nil {
				rows.Close()
				return nil, conn.Translate(err)
			}
			names++
			if typ, _ := strings.CutPrefix(what, schema.AnyType); typ != "" && p.Match(typ) {
				keys = append(keys, what)
			}
		}
		if err := rows.Err(); err != nil {
			rows.Close()
			return nil, conn.Translate(err)
		}
		if rows.Close(); names == maxTypeNames {
			return nil, nil
		}
	}
	return keys, nil
}

// next returns the part of a span that comes first, and the spans within it that may have matches, in order.
func (s *sieve) next(ctx context.Context, r *Reader, in span, look int, newest bool) (part span, found []span, err error) {
	if len(s.sets) == 0 {
		part = in.step(look, newest)
		return part, []span{part}, nil
	}
	part = in.step(sieveBlocks<<schema.BlockShift, newest)
	var where condition
	where.add("a.block >= ?", part.low>>schema.BlockShift)
	where.add("a.block <= ?", part.high>>schema.BlockShift)
	for i, keys := range s.sets {
		names := make([]any, len(keys))
		for j, key := range keys {
			names[j] = key
		}
		in := " IN (?" + strings.Repeat(", ?", len(keys)-1) + ")"
		if i == 0 {
			where.add("a.what"+in, names...)
		} else {
			where.add("EXISTS (SELECT 1 FROM blocks b WHERE b.what"+in+" AND b.block = a.block)", names...)
		}
	}
	order := "ASC"
	if newest {
		order = "DESC"
	}
	rows, err := r.db.QueryContext(ctx, `SELECT DISTINCT a.block FROM blocks a`+where.where()+` ORDER BY a.block `+order, where.args...)
	if err != nil {
		return part, nil, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var block int64
		if err := rows.Scan(&block); err != nil {
			return part, nil, conn.Translate(err)
		}
		one := span{max(part.low, block<<schema.BlockShift), min(part.high, (block+1)<<schema.BlockShift-1)}
		if n := len(found); n > 0 && found[n-1].joins(one, newest) {
			found[n-1] = span{min(found[n-1].low, one.low), max(found[n-1].high, one.high)}
		} else {
			found = append(found, one)
		}
	}
	return part, found, conn.Translate(rows.Err())
}

// joins reports whether the next span follows directly.
func (s span) joins(next span, newest bool) bool {
	if newest {
		return next.high+1 == s.low
	}
	return s.high+1 == next.low
}

// behind returns the rest of the span after a part that comes first.
func (s span) behind(part span, newest bool) span {
	if newest {
		return span{s.low, part.low - 1}
	}
	return span{part.high + 1, s.high}
}

// through looks at a span, in parts that may have matches, until look sequences are looked at, or read says that its page is full. It returns how many
// were looked at, and the last sequence on the way.
func (r *Reader) through(ctx context.Context, s sieve, all span, look int, newest bool, read func(in span) (full bool, err error)) (looked int, reached int64, full bool, err error) {
	for rest := all; !rest.empty(); {
		part, spans, err := s.next(ctx, r, rest, look-looked, newest)
		if err != nil {
			return looked, 0, false, err
		}
		for _, in := range spans {
			for !in.empty() {
				step := in.step(look-looked, newest)
				full, err := read(step)
				if err != nil || full {
					return looked, 0, full, err
				}
				looked += step.size()
				if in = in.behind(step, newest); looked >= look {
					return looked, step.end(newest), false, nil
				}
			}
		}
		reached, rest = part.end(newest), rest.behind(part, newest)
	}
	return looked, reached, false, nil
}

func (s span) size() int { return int(s.high - s.low + 1) }

// runKeys are the keys of the runs of some handlers in some states.
func runKeys(handlers []int64, states []store.RunState) (keys []string) {
	if len(states) == 0 {
		states = []store.RunState{store.Succeeded, store.Skipped, store.Running}
	}
	for _, h := range handlers {
		seen := map[store.RunState]bool{}
		for _, state := range states {
			if bucket := schema.RunBucket(state); !seen[bucket] {
				seen[bucket] = true
				keys = append(keys, schema.RunKey(h, state))
			}
		}
	}
	return keys
}
