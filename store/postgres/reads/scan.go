package reads

import (
	"context"
	"fmt"

	"evrun/events"
	"evrun/store"
)

// ScanEvents implements [store.Journal].
func (r *Reader) ScanEvents(ctx context.Context, q store.EventQuery, look int) (store.Part[*events.Event], error) {
	part, err := r.scanEvents(ctx, q, look, true)
	if err != nil {
		return part, fmt.Errorf("read events: %w", err)
	}
	return part, nil
}

// scanEvents is ScanEvents. By types says that only events of the types count as looked at, where the index has these.
func (r *Reader) scanEvents(ctx context.Context, q store.EventQuery, look int, byTypes bool) (part store.Part[*events.Event], err error) {
	filter := eventFilter(&q)
	// An index has these events, or each event of the journal is wanted: the rows that are read are those that are returned.
	direct := q.Chain != 0 || q.ID != "" || q.Sequences != nil || len(filter.text) == 0 && len(narrowing(q.Patterns)) == 0
	// The head comes first: of the events up to there, all types are known afterwards.
	all, err := r.within(ctx, q.After, q.Before, q.Since, q.Until, !direct)
	if err != nil || all.empty() {
		part.End = true
		return part, err
	}
	t, err := r.typesOf(ctx, q.Patterns)
	if err != nil {
		return part, err
	}
	limit, bytes := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	read := func(at place) (bool, error) {
		q.Limit, q.MaxBytes = limit-len(part.Items), bytes
		found, full, err := r.eventsAt(ctx, &q, at, &t, filter)
		for _, e := range found {
			bytes -= len(e.Data)
		}
		part.Items = append(part.Items, found...)
		return full, err
	}
	full := false
	switch {
	case direct:
		full, err = read(place{span: all})
		part.Looked, part.Reached = len(part.Items), all.end(q.Last)
	case byTypes && t.known && !t.all:
		part.Looked, part.Reached, full, err = r.listed(ctx, t.arms, all, look, q.Last, read)
	default:
		in := all.step(look, q.Last)
		full, err = read(place{span: in})
		part.Looked, part.Reached = in.size(), in.end(q.Last)
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

// eventFilter returns the conditions on e that are not about its place in the journal or its type.
func eventFilter(q *store.EventQuery) (c condition) {
	c.ofEvent(q.Source, q.Holding)
	if q.ID != "" {
		c.add("e.id = ?", q.ID)
	}
	if q.WithoutRun != 0 {
		c.withoutRun(q.WithoutRun)
	}
	if q.Slots != 0 && q.Slots != store.AllSlots {
		c.add("(?::bigint >> (e.sequence & 63)::int) & 1 = 1", int64(q.Slots))
	}
	if q.TakenBy != nil {
		c.taken(q.TakenBy)
	}
	if q.Sequences != nil {
		c.add("e.sequence = ANY(?)", q.Sequences)
	}
	return c
}

// armsOf divides the events of a place into parts of which each is in an index in the order of sequences.
func armsOf(q *store.EventQuery, where condition, at place, t *types) []condition {
	switch {
	case q.Chain != 0:
		where.addAll(t.condition())
		return []condition{where.and("e.sequence = ?", q.Chain), where.and("e.chain = ?", q.Chain)}
	case t.all || !t.known || len(t.names) == 0 || at.sequences != nil || q.ID != "" || q.Sequences != nil:
		where.addAll(t.condition())
		return []condition{where}
	}
	var arms []condition
	for _, name := range t.names {
		arms = append(arms, where.and("e.type = ?", name))
	}
	return arms
}

// eventsAt reads the events of a place that match, in the query's direction; full says that it ended at the query's Limit or MaxBytes.
func (r *Reader) eventsAt(ctx context.Context, q *store.EventQuery, at place, t *types, filter condition) (found []*events.Event, full bool, err error) {
	columns, names, scan := eventColumns, eventNames, scanEvent
	if q.DataOnly {
		columns, names, scan = dataColumns, dataNames, scanData
	}
	limit, bytes := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	var where condition
	at.add(&where, "e.sequence")
	where.addAll(filter)
	from := func(where condition) string {
		return `SELECT ` + columns + `, coalesce(octet_length(e.data), octet_length(e.bytes), 0) AS size FROM evrun.events e` + where.where()
	}
	var arms []string
	var args []any
	for _, arm := range armsOf(q, where, at, t) {
		arms = append(arms, from(arm))
		args = append(args, arm.args...)
	}
	page := merged(arms, `e.sequence `+order(q.Last))
	if q.ID != "" {
		page = `SELECT * FROM (` + page + ` OFFSET 0) e` // first find, then sort: otherwise the server may look through all sequences
	}
	// The sizes say where the page ends: what lies behind is not sent.
	query, args := numbered(`SELECT `+names+` FROM (
			SELECT e.*, sum(e.size) OVER (ORDER BY e.sequence `+order(q.Last)+` ROWS UNBOUNDED PRECEDING) - e.size AS before
			FROM (`+page+` ORDER BY sequence `+order(q.Last)+` LIMIT ?) e
		) e WHERE e.before < ? ORDER BY e.sequence `+order(q.Last), append(args, limit, bytes))
	if found, err = list(ctx, r, scan, query, args...); err != nil {
		return nil, false, err
	}
	for _, e := range found {
		bytes -= len(e.Data)
	}
	return found, len(found) == limit || bytes <= 0, nil
}
