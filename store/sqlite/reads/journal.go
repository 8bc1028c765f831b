package reads

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

// dataColumns are those that a query with DataOnly needs: each column costs.
const dataColumns = `e.sequence, e.data`

const eventColumns = `e.sequence, e.id, e.source, e.type, e.time, e.subject, e.datacontenttype, e.dataschema, e.data,
	e.correlationid, e.causationid, e.hops, e.extensions, e.chain, e.cause, e.accepted_at`

func scanEvent(rows *readRows) (*events.Event, error) {
	var (
		e            events.Event
		us, accepted int64
		// as returned by the driver, NULL or not: sql.NullString and the like would convert each value again
		subject, contentType, dataSchema, correlation, parent, extensions, chain, cause, data any
	)
	if err := rows.Scan(&e.Sequence, &e.ID, &e.Source, &e.Type, &us, &subject, &contentType, &dataSchema, &data,
		&correlation, &parent, &e.Hops, &extensions, &chain, &cause, &accepted); err != nil {
		return nil, err
	}
	e.Time, e.AcceptedAt = schema.Time(us), schema.Time(accepted)
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
	setData(&e, data)
	if text, ok := extensions.(string); ok {
		if err := columns.DecodeExtensions(&e, text); err != nil {
			return nil, fmt.Errorf("extensions of event %s: %w", e.ID, err)
		}
	}
	return &e, nil
}

// Events implements [store.Journal].
func (r *Reader) Events(ctx context.Context, q store.EventQuery) (found []*events.Event, err error) {
	limit, left := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	for len(found) < limit && left > 0 {
		q.Limit, q.MaxBytes = limit-len(found), left
		part, err := r.scanEvents(ctx, q, eventsStep, q.Last) // what follows the journal reads it all
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		for _, e := range part.Items {
			left -= len(e.Data)
		}
		if found = append(found, part.Items...); part.End {
			break
		}
		q.Since, q.Until = time.Time{}, time.Time{} // they are behind
		if q.Last {
			q.Before = part.Reached
		} else {
			q.After = part.Reached
		}
	}
	if q.Last {
		slices.Reverse(found)
	}
	return found, nil
}

// eventsStep is how many sequences Events looks at in one query.
const eventsStep = 1 << 18

func orDefault(n, usual int) int {
	if n <= 0 {
		return usual
	}
	return n
}

// narrowing returns the patterns, or none if one of them is >: that leaves nothing out, not even a run whose event was deleted, which has no type.
func narrowing(patterns []events.Pattern) []events.Pattern {
	if slices.ContainsFunc(patterns, func(p events.Pattern) bool { return p.String() == ">" }) {
		return nil
	}
	return patterns
}

// maxPageBytes is the default of EventQuery.MaxBytes.
const maxPageBytes = 4 << 20

// typeCondition returns a condition that is true for every type that matches one of the patterns, and for few others; empty: there are no patterns.
func typeCondition(patterns []events.Pattern) (condition string, values []any) {
	escape := strings.NewReplacer("[", "[[]", "?", "[?]", "*", "*", ">", "*")
	var parts []string
	for _, p := range patterns {
		if typ, ok := p.Literal(); ok {
			parts = append(parts, "e.type = ?")
			values = append(values, typ)
			continue
		}
		parts = append(parts, "e.type GLOB ?")
		values = append(values, escape.Replace(p.String()))
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "(" + strings.Join(parts, " OR ") + ")", values
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
