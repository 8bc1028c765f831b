package reads

import (
	"context"
	"math"
	"time"

	"evrun/store/postgres/schema"
)

// span is a part of the journal: the sequences from low up to high.
type span struct{ low, high int64 }

func (s span) empty() bool { return s.low > s.high }

func (s span) size() int { return int(s.high - s.low + 1) }

// step takes at most look sequences from the span's begin, or from its end.
func (s span) step(look int, newest bool) span {
	if s.high-s.low < int64(look) {
		return s
	}
	if newest {
		return span{s.high - int64(look) + 1, s.high}
	}
	return span{s.low, s.low + int64(look) - 1}
}

// end is the last sequence on the way through the span.
func (s span) end(newest bool) int64 {
	if newest {
		return s.low
	}
	return s.high
}

// behind returns the rest of the span after a part that ends at a sequence.
func (s span) behind(reached int64, newest bool) span {
	if newest {
		return span{s.low, reached - 1}
	}
	return span{reached + 1, s.high}
}

// progress is how many sequences lie on the way up to this one, and how many behind it.
func (s span) progress(reached int64, newest bool) (passed, left int64) {
	if newest {
		return s.high - reached + 1, reached - s.low
	}
	return reached - s.low + 1, s.high - reached
}

// within adds the span as a condition on a column.
func (c *condition) within(column string, in span) {
	if in.low > 1 {
		c.add(column+` >= ?`, in.low)
	}
	if in.high < math.MaxInt64 {
		c.add(column+` <= ?`, in.high)
	}
}

// order is the direction of a query by sequences.
func order(newest bool) string {
	if newest {
		return `DESC`
	}
	return `ASC`
}

// within returns the span after one sequence and before another (0: no bound) that was accepted since one time and until another. Where it is
// bounded, it ends at the journal's head.
func (r *Reader) within(ctx context.Context, after, before int64, since, until time.Time, bounded bool) (s span, err error) {
	s = span{after + 1, math.MaxInt64}
	if before > 0 {
		s.high = before - 1
	}
	if bounded || !since.IsZero() || !until.IsZero() {
		head, err := r.Head(ctx)
		if err != nil {
			return s, err
		}
		s.high = min(s.high, head)
	}
	if !since.IsZero() {
		if s.low, err = r.accepted(ctx, s, since); err != nil {
			return s, err
		}
	}
	if !until.IsZero() {
		first, err := r.accepted(ctx, s, until)
		if err != nil {
			return s, err
		}
		s.high = min(s.high, first-1)
	}
	return s, nil
}

// accepted returns the sequence of the first event of a span that was accepted at or after a time, or one after the span. It searches by
// bisection, in one query: times grow with the sequences, except at clock steps, so they need no index.
func (r *Reader) accepted(ctx context.Context, in span, at time.Time) (low int64, err error) {
	if in.empty() {
		return in.low, nil
	}
	err = r.row(ctx, []any{&low}, `WITH RECURSIVE b(low, high) AS (
			SELECT $1::bigint, $2::bigint
			UNION ALL
			SELECT CASE WHEN e.accepted_at < $3 THEN e.sequence + 1 ELSE b.low END, CASE WHEN e.accepted_at < $3 THEN b.high ELSE b.low + (b.high - b.low) / 2 - 1 END
			FROM b LEFT JOIN LATERAL (SELECT e.sequence, e.accepted_at FROM evrun.events e WHERE e.sequence >= b.low + (b.high - b.low) / 2 ORDER BY e.sequence LIMIT 1) e ON true
			WHERE b.low <= b.high
		) SELECT max(low) FROM b`, in.low, in.high, schema.Micros(at))
	return low, err
}
