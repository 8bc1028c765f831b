package reads

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// condition is a part of a WHERE with its values.
type condition struct {
	text []string
	args []any
}

func (c *condition) add(text string, values ...any) {
	c.text = append(c.text, text)
	c.args = append(c.args, values...)
}

// where is the whole condition, which is not empty.
func (c *condition) where() string { return ` WHERE ` + strings.Join(c.text, ` AND `) }

// span is a part of the journal: the sequences from low up to high.
type span struct{ low, high int64 }

func (s span) empty() bool { return s.low > s.high }

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

// progress is how many sequences lie on the way up to this one, and how many behind it.
func (s span) progress(reached int64, newest bool) (passed, left int64) {
	if newest {
		return s.high - reached + 1, reached - s.low
	}
	return reached - s.low + 1, s.high - reached
}

// within returns the span after one sequence and before another (0: no bound) that was accepted since one time and until another. Where it is
// bounded, it ends at the journal's head.
func (r *Reader) within(ctx context.Context, after, before int64, since, until time.Time, bounded bool) (s span, err error) {
	s = span{after + 1, math.MaxInt64}
	if before > 0 {
		s.high = before - 1
	}
	if before == 0 && bounded || !since.IsZero() || !until.IsZero() {
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
// bisection: times grow with the sequences, except at clock steps, so they need no index.
func (r *Reader) accepted(ctx context.Context, in span, at time.Time) (int64, error) {
	for in.low <= in.high {
		mid := in.low + (in.high-in.low)/2
		var sequence, accepted int64
		err := r.db.QueryRowContext(ctx, `SELECT sequence, accepted_at FROM events WHERE sequence >= ? ORDER BY sequence LIMIT 1`, mid).
			Scan(&sequence, &accepted)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && accepted >= schema.Micros(at):
			in.high = mid - 1
		case err != nil:
			return 0, conn.Translate(err)
		default:
			in.low = sequence + 1
		}
	}
	return in.low, nil
}

// AcceptedAt implements [store.Journal].
func (r *Reader) AcceptedAt(ctx context.Context, sequence int64) (time.Time, error) {
	var accepted int64
	err := r.db.QueryRowContext(ctx, `SELECT accepted_at FROM events WHERE sequence >= ? ORDER BY sequence LIMIT 1`, sequence).Scan(&accepted)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("event #%d: %w", sequence, store.ErrNotFound)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("event #%d: %w", sequence, conn.Translate(err))
	}
	return schema.Time(accepted), nil
}

// ScanEvents implements [store.Journal].
func (r *Reader) ScanEvents(ctx context.Context, q store.EventQuery, look int) (store.Part[*events.Event], error) {
	part, err := r.scanEvents(ctx, q, look, true)
	if err != nil {
		return part, fmt.Errorf("read events: %w", err)
	}
	return part, nil
}

// scanEvents is ScanEvents; sifted says to look up where something may match, which costs a query and pays where that is rare.
func (r *Reader) scanEvents(ctx context.Context, q store.EventQuery, look int, sifted bool) (part store.Part[*events.Event], err error) {
	q.Patterns = narrowing(q.Patterns)
	filter := eventFilter(&q)
	// An index has these events, or each event of the journal is wanted: the rows that are read are those that are returned.
	direct := q.Chain != 0 || q.ID != "" || q.Sequences != nil || len(filter.text) == 0
	all, err := r.within(ctx, q.After, q.Before, q.Since, q.Until, !direct)
	if err != nil || all.empty() {
		part.End = true
		return part, err
	}
	if q.Chain != 0 && all.low > q.Chain {
		filter.add("e.chain = ?", q.Chain) // the index has the rest of the chain in order
	}
	limit, bytes := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	full := false
	read := func(in span) (bool, error) {
		q.Limit, q.MaxBytes = limit-len(part.Items), bytes
		found, full, err := r.eventsBeside(ctx, &q, in, filter)
		for _, e := range found {
			bytes -= len(e.Data)
		}
		part.Items = append(part.Items, found...)
		return full || bytes <= 0, err
	}
	if direct {
		full, err = read(all)
		part.Looked, part.Reached = len(part.Items), all.end(q.Last)
	} else {
		var s sieve
		if sifted {
			if s, err = r.sieveOf(ctx, q.Patterns, q.Source); err != nil {
				return part, err
			}
		}
		part.Looked, part.Reached, full, err = r.through(ctx, s, all, look, q.Last, read)
	}
	if err != nil {
		return part, err
	}
	if full {
		part.Reached = part.Items[len(part.Items)-1].Sequence
		part.Looked = max(part.Looked, len(part.Items))
	}
	if !direct {
		part.Passed, part.Left = all.progress(part.Reached, q.Last)
	}
	part.End = !full && part.Reached == all.end(q.Last)
	return part, nil
}

// besideFrom is how many sequences are worth a second connection.
const besideFrom = 4096

// eventsBeside is eventsIn. Where texts in the data leave most out, so that reading takes the time and not what is found, it reads the two halves of a
// large span at the same time. Its goroutine has ended when it returns.
func (r *Reader) eventsBeside(ctx context.Context, q *store.EventQuery, in span, filter condition) (found []*events.Event, full bool, err error) {
	if len(q.Holding) == 0 || in.size() < besideFrom {
		return r.eventsIn(ctx, q, in, filter)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	first := in.step(in.size()/2, q.Last)
	var (
		more     []*events.Event
		moreFull bool
		moreErr  error
		beside   sync.WaitGroup
	)
	beside.Go(func() { more, moreFull, moreErr = r.eventsIn(ctx, q, in.behind(first, q.Last), filter) })
	if found, full, err = r.eventsIn(ctx, q, first, filter); full || err != nil {
		stop()
	}
	beside.Wait()
	if full || err != nil {
		return found, full, err
	}
	if room := orDefault(q.Limit, 1000) - len(found); len(more) > room {
		more, moreFull = more[:room], true
	}
	return append(found, more...), moreFull || len(found)+len(more) == orDefault(q.Limit, 1000), moreErr
}

// eventsIn reads the events of a span that match, in the query's direction; full says that it ended at the query's Limit or MaxBytes.
func (r *Reader) eventsIn(ctx context.Context, q *store.EventQuery, in span, filter condition) (found []*events.Event, full bool, err error) {
	limit, bytes := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	var where condition
	place := "e.sequence"
	if q.Sequences != nil {
		place = "+e.sequence" // each is looked up: nothing between them is read
	}
	where.add(place+" >= ?", in.low)
	if in.high < math.MaxInt64 {
		where.add(place+" <= ?", in.high)
	}
	where.add(strings.Join(append([]string{"1"}, filter.text...), " AND "), filter.args...)
	order, columns, scan := "ASC", eventColumns, scanEvent
	if q.Last {
		order = "DESC"
	}
	exact := !slices.ContainsFunc(q.Patterns, func(p events.Pattern) bool { _, literal := p.Literal(); return !literal })
	if q.DataOnly && exact {
		columns, scan = dataColumns, scanData
	}
	rows, err := r.db.QueryContext(ctx, `SELECT `+columns+` FROM events e`+where.where()+` ORDER BY e.sequence `+order, where.args...)
	if err != nil {
		return nil, false, conn.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, false, conn.Translate(err)
		}
		if !exact && !events.Selects(q.Patterns, e.Type) { // SQL filters the types as far as GLOB can
			continue
		}
		found = append(found, e)
		if bytes -= len(e.Data); len(found) == limit || bytes <= 0 {
			return found, true, nil
		}
	}
	return found, false, conn.Translate(rows.Err())
}

// scanData reads dataColumns.
func scanData(rows *readRows) (*events.Event, error) {
	var e events.Event
	var data any
	if err := rows.Scan(&e.Sequence, &data); err != nil {
		return nil, err
	}
	if setData(&e, data); e.Data != nil {
		if _, text := data.(string); !text {
			e.DataContentType = "application/octet-stream"
		}
	}
	return &e, nil
}

func setData(e *events.Event, data any) {
	switch d := data.(type) {
	case string:
		e.Data = json.RawMessage(d)
	case []byte:
		e.Data = d
	}
}

// eventFilter returns the conditions on e that are not about its place in the journal.
func eventFilter(q *store.EventQuery) (c condition) {
	ofEvent(&c, q.Patterns, q.Source, q.Chain, q.Holding)
	if q.ID != "" {
		c.add("e.id = ?", q.ID)
	}
	if q.WithoutRun != 0 {
		c.add("NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = e.sequence AND r.handler = ?)", int64(q.WithoutRun))
	}
	if q.Slots != 0 {
		c.add("? >> (e.sequence & 63) & 1", int64(q.Slots))
	}
	if q.TakenBy != nil {
		condition, values := targetCondition(*q.TakenBy)
		c.add(condition, values...)
	}
	if q.Sequences != nil {
		list, _ := events.MarshalJSON(q.Sequences) // whole numbers always can be
		c.add("e.sequence IN (SELECT value FROM json_each(?))", string(list))
	}
	return c
}

// ofEvent adds the conditions on e that queries of events and of runs share.
func ofEvent(c *condition, patterns []events.Pattern, source string, chain int64, holding [][]string) {
	if types, values := typeCondition(patterns); types != "" {
		c.add(types, values...)
	}
	if source != "" {
		c.add("e.source = ?", source)
	}
	if chain != 0 {
		c.add("(e.chain = ? OR e.sequence = ?)", chain, chain)
	}
	for _, texts := range holding {
		// In JSON, a text may also be written with escapes, which all begin with a backslash. Data that is no JSON is not looked into.
		parts := []string{}
		for _, text := range texts {
			parts = append(parts, "e.data GLOB ?")
			c.args = append(c.args, "*"+globEscape.Replace(text)+"*")
		}
		c.add("(" + strings.Join(parts, " OR ") + ` OR e.data GLOB '*\*' OR typeof(e.data) = 'blob')`)
	}
}

var globEscape = strings.NewReplacer("[", "[[]", "?", "[?]", "*", "[*]")
