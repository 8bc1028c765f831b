package reads

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/postgres/schema"
)

const eventColumns = `e.sequence, e.id, e.source, e.type, e.time, e.accepted_at, coalesce(e.subject, '') AS subject, coalesce(e.datacontenttype, '') AS datacontenttype,
	coalesce(e.dataschema, '') AS dataschema, e.data, e.bytes, coalesce(e.correlationid, e.id) AS correlationid, coalesce(e.causationid, '') AS causationid, e.hops,
	coalesce(e.extensions, '') AS extensions, coalesce(e.chain, e.sequence) AS chain, coalesce(e.cause, 0) AS cause`

// names are those of the columns, behind a subquery.
const eventNames = `e.sequence, e.id, e.source, e.type, e.time, e.accepted_at, e.subject, e.datacontenttype, e.dataschema, e.data, e.bytes, e.correlationid,
	e.causationid, e.hops, e.extensions, e.chain, e.cause`

func scanEvent(rows pgx.Rows) (*events.Event, error) {
	var (
		e            events.Event
		us, accepted int64
		data, bytes  []byte
		extensions   string
	)
	if err := rows.Scan(&e.Sequence, &e.ID, &e.Source, &e.Type, &us, &accepted, &e.Subject, &e.DataContentType, &e.DataSchema, &data, &bytes,
		&e.CorrelationID, &e.CausationID, &e.Hops, &extensions, &e.Chain, &e.Cause); err != nil {
		return nil, err
	}
	e.Time, e.AcceptedAt = schema.Time(us), schema.Time(accepted)
	setData(&e, data, bytes)
	if extensions != "" {
		if err := columns.DecodeExtensions(&e, extensions); err != nil {
			return nil, fmt.Errorf("extensions of event %s: %w", e.ID, err)
		}
	}
	return &e, nil
}

func setData(e *events.Event, data, bytes []byte) {
	if data != nil {
		e.Data = data
	} else if bytes != nil {
		e.Data = bytes
	}
}

// What a query with DataOnly needs: each column costs.
const (
	dataColumns = `e.sequence, e.data, e.bytes, coalesce(e.datacontenttype, '') AS datacontenttype`
	dataNames   = `e.sequence, e.data, e.bytes, e.datacontenttype`
)

func scanData(rows pgx.Rows) (*events.Event, error) {
	var e events.Event
	var data, bytes []byte
	err := rows.Scan(&e.Sequence, &data, &bytes, &e.DataContentType)
	setData(&e, data, bytes)
	return &e, err
}

// Events implements [store.Journal].
func (r *Reader) Events(ctx context.Context, q store.EventQuery) (found []*events.Event, err error) {
	limit, left := orDefault(q.Limit, 1000), orDefault(q.MaxBytes, maxPageBytes)
	for len(found) < limit && left > 0 {
		q.Limit, q.MaxBytes = limit-len(found), left
		part, err := r.scanEvents(ctx, q, eventsStep, false)
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
const eventsStep = 1 << 17

// maxPageBytes is the default of EventQuery.MaxBytes.
const maxPageBytes = 4 << 20

func orDefault(n, usual int) int {
	if n <= 0 {
		return usual
	}
	return n
}

// Event implements [store.Journal].
func (r *Reader) Event(ctx context.Context, id string) (*events.Event, error) {
	found, err := list(ctx, r, scanEvent, `SELECT `+eventColumns+` FROM evrun.events e WHERE e.id = $1 ORDER BY e.sequence DESC LIMIT 1`, id)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("event %q: %w", id, err)
	}
	return found[0], nil
}

// Head implements [store.Journal].
func (r *Reader) Head(ctx context.Context) (head int64, err error) {
	if err := r.row(ctx, []any{&head}, `SELECT head FROM evrun.journal`); err != nil {
		return 0, fmt.Errorf("read the journal's head: %w", err)
	}
	return head, nil
}

// AcceptedAt implements [store.Journal].
func (r *Reader) AcceptedAt(ctx context.Context, sequence int64) (time.Time, error) {
	var accepted int64
	err := r.row(ctx, []any{&accepted}, `SELECT accepted_at FROM evrun.events WHERE sequence >= $1 ORDER BY sequence LIMIT 1`, sequence)
	if errors.Is(err, pgx.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("event #%d: %w", sequence, err)
	}
	return schema.Time(accepted), nil
}
