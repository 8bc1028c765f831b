package reads

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

const eventColumns = `e.sequence, e.id, e.source, e.type, e.time, e.subject, e.datacontenttype, e.dataschema, e.data,
	e.correlationid, e.causationid, e.hops, e.extensions, e.chain, e.cause`

func scanEvent(rows *readRows) (*events.Event, error) {
	var (
		e  events.Event
		us int64
		// as returned by the driver, NULL or not: sql.NullString and the like would convert each value again
		subject, contentType, dataSchema, correlation, parent, extensions, chain, cause, data any
	)
	if err := rows.Scan(&e.Sequence, &e.ID, &e.Source, &e.Type, &us, &subject, &contentType, &dataSchema, &data,
		&correlation, &parent, &e.Hops, &extensions, &chain, &cause); err != nil {
		return nil, err
	}
	e.Time = schema.Time(us)
	e.Subject, _ = subject.(string)
	e.DataContentType, _ = contentType.(string)
	e.DataSchema, _ = dataSchema.(string)
	e.CausationID, _ = parent.(string)
	e.Cause, _ = cause.(int64)
	var given bool
	if e.CorrelationID, given = correlation.(string); !given {
		e.CorrelationID = e.ID
	}
	if e.Chain, given = chain.(int64); !given {
		e.Chain = e.Sequence
	}
	switch d := data.(type) {
	case string:
		e.Data = json.RawMessage(d)
	case []byte:
		e.Data = d
	}
	if text, ok := extensions.(string); ok {
		if err := schema.DecodeExtensions(&e, text); err != nil {
			return nil, fmt.Errorf("extensions of event %s: %w", e.ID, err)
		}
	}
	return &e, nil
}

// Events implements [store.Journal].
func (r *Reader) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	if q.Limit <= 0 {
		q.Limit = 1000
	}
	if q.MaxBytes <= 0 {
		q.MaxBytes = maxPageBytes
	}
	after, err := r.accepted(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	var found []*events.Event
	bytes := 0
	// SQL filters the types as far as GLOB can, the patterns filter the rest: so a page may need more than one query.
	for {
		page, err := r.page(ctx, q, after, q.Limit-len(found))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		for _, e := range page {
			if matches(q.Patterns, e.Type) {
				found = append(found, e)
				bytes += len(e.Data)
			}
		}
		if len(page) == 0 || len(found) >= q.Limit || bytes >= q.MaxBytes {
			break
		}
		if last := page[len(page)-1].Sequence; q.Last {
			q.Before = last
		} else {
			after = last
		}
	}
	if q.Last {
		slices.Reverse(found)
	}
	return found, nil
}

func matches(patterns []events.Pattern, typ string) bool {
	for _, p := range patterns {
		if p.Match(typ) {
			return true
		}
	}
	return len(patterns) == 0
}

// maxPageBytes is the default of EventQuery.MaxBytes.
const maxPageBytes = 4 << 20

// page reads rows in the query's direction. It returns none only at the end.
func (r *Reader) page(ctx context.Context, q store.EventQuery, after int64, limit int) ([]*events.Event, error) {
	where := []string{"e.sequence > ?"}
	args := []any{after}
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if q.Before > 0 {
		add("e.sequence < ?", q.Before)
	}
	switch {
	case q.Chain == 0:
	case after >= q.Chain: // the index has the rest in order
		add("e.chain = ?", q.Chain)
	default:
		add("(e.chain = ? OR e.sequence = ?)", q.Chain, q.Chain)
	}
	if q.ID != "" && q.Source != "" {
		add("e.id = ? AND e.source = ?", q.ID, q.Source)
	}
	if q.WithoutRun != 0 {
		add("NOT EXISTS (SELECT 1 FROM runs r WHERE r.sequence = e.sequence AND r.handler = ?)", int64(q.WithoutRun))
	}
	if q.TakenBy != nil {
		condition, values := targetCondition(*q.TakenBy)
		add(condition, values...)
	}
	if q.Sequences != nil {
		list, err := events.MarshalJSON(q.Sequences)
		if err != nil {
			return nil, err
		}
		add("e.sequence IN (SELECT value FROM json_each(?))", string(list))
		where[0] = "+e.sequence > ?" // each is looked up: nothing between them is read
	}
	if types, values := typeCondition(q.Patterns); types != "" {
		add(types, values...)
	}
	order := "ASC"
	if q.Last {
		order = "DESC"
	}
	rows, err := r.db.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE `+strings.Join(where, " AND ")+
		` ORDER BY e.sequence `+order+` LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var page []*events.Event
	for bytes := 0; bytes < q.MaxBytes && rows.Next(); {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, conn.Translate(err)
		}
		page = append(page, e)
		bytes += len(e.Data)
	}
	return page, conn.Translate(rows.Err())
}

// typeCondition returns a condition that is true for every type that matches one of the patterns, and for few others.
func typeCondition(patterns []events.Pattern) (condition string, values []any) {
	escape := strings.NewReplacer("[", "[[]", "?", "[?]", "*", "*", ">", "*")
	var parts []string
	for _, p := range patterns {
		if typ, ok := p.Literal(); ok {
			parts = append(parts, "e.type = ?")
			values = append(values, typ)
			continue
		}
		if p.String() == ">" {
			return "", nil
		}
		parts = append(parts, "e.type GLOB ?")
		values = append(values, escape.Replace(p.String()))
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "(" + strings.Join(parts, " OR ") + ")", values
}

// accepted turns the query's Since into a sequence, by bisection. Acceptance times grow with the sequences, except at clock steps, so they need no
// index.
func (r *Reader) accepted(ctx context.Context, q store.EventQuery) (after int64, err error) {
	if q.Since.IsZero() {
		return q.After, nil
	}
	since := schema.Micros(q.Since)
	low := q.After
	high, err := r.Head(ctx)
	if err != nil {
		return 0, err
	}
	for low < high { // the first event accepted at or after since lies in (low, high+1]
		mid := low + (high-low)/2
		var sequence, at int64
		err := r.db.QueryRowContext(ctx, `SELECT sequence, accepted_at FROM events WHERE sequence > ? ORDER BY sequence LIMIT 1`, mid).
			Scan(&sequence, &at)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && at >= since:
			high = mid
		case err != nil:
			return 0, conn.Translate(err)
		default:
			low = sequence
		}
	}
	return low, nil
}

// Event implements [store.Journal].
func (r *Reader) Event(ctx context.Context, id string) (*events.Event, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE e.id = ? ORDER BY e.sequence DESC LIMIT 1`, id)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, conn.Translate(err)
		}
		return nil, fmt.Errorf("event %q: %w", id, store.ErrNotFound)
	}
	return scanEvent(rows)
}

// Head implements [store.Journal].
func (r *Reader) Head(ctx context.Context) (int64, error) {
	var head int64
	err := r.db.QueryRowContext(ctx, `SELECT `+schema.JournalHead).Scan(&head)
	return head, conn.Translate(err)
}
