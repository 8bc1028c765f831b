package prune

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/chains"
	"evrun/store/columns"
	"evrun/store/postgres/registry"
)

// source reads the store for a look.
type source struct {
	ctx context.Context
	tx  pgx.Tx
}

// number reads a query's number; or: there is no row.
func (s source) number(or int64, query string, args ...any) (n int64, err error) {
	err = s.tx.QueryRow(s.ctx, query, args...).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return or, nil
	}
	return n, err
}

func (s source) Scanned() (int64, error) { return s.number(0, `SELECT scanned FROM evrun.pruning`) }

func (s source) Moving(since int64) (moves bool, err error) {
	err = s.tx.QueryRow(s.ctx, `SELECT EXISTS (SELECT FROM evrun.batches WHERE ended_at IS NULL AND coalesce(changed_at, started_at) > $1)`, since).Scan(&moves)
	return moves, err
}

// Query runs a query in the transaction.
func (s source) Query(query string, args ...any) (pgx.Rows, error) {
	return s.tx.Query(s.ctx, query, args...)
}

func (s source) Handlers() (list []store.Consumer, err error) {
	rows, err := registry.Read(s)
	for _, h := range rows {
		list = append(list, h.Consumer())
	}
	return list, err
}

func (s source) Unattended() (int64, error) {
	var text string
	err := s.tx.QueryRow(s.ctx, `SELECT value FROM evrun.meta WHERE key = $1`, columns.UnattendedKey).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return -1, nil
	} else if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func (s source) AcceptedAt(upTo int64) (int64, error) {
	return s.number(0, `SELECT accepted_at FROM evrun.events WHERE sequence <= $1 ORDER BY sequence DESC LIMIT 1`, upTo)
}

// eventColumns are the columns of an event, as events reads them.
const eventColumns = `e.sequence, coalesce(e.chain, e.sequence), e.accepted_at, e.id, e.source, e.type,
	CASE WHEN e.extensions IS NULL THEN '' ELSE coalesce(e.extensions::json ->> '` + columns.TargetKey + `', '') END,
	coalesce(octet_length(e.data), 0) + coalesce(octet_length(e.bytes), 0) + coalesce(octet_length(e.extensions), 0)`

func (s source) events(query string, args ...any) ([]*chains.Event, error) {
	rows, err := s.Query(`SELECT `+eventColumns+` FROM evrun.events e `+query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*chains.Event, error) {
		var (
			e    chains.Event
			more int64
		)
		err := row.Scan(&e.Sequence, &e.Chain, &e.Accepted, &e.ID, &e.Source, &e.Type, &e.Target, &more)
		e.Size(more)
		return &e, err
	})
}

func (s source) Window(after, upTo int64, limit int) ([]*chains.Event, error) {
	return s.events(`WHERE e.sequence > $1 AND e.sequence <= $2 ORDER BY e.sequence LIMIT $3`, after, upTo, limit)
}

func (s source) Members(first, last, behind int64, limit int) ([]*chains.Event, error) {
	return s.events(`WHERE e.chain >= $1 AND e.chain <= $2 AND e.sequence > $3 ORDER BY e.chain, e.sequence LIMIT $4`, first, last, behind, limit)
}

func (s source) Before(chain, sequence int64) (before bool, err error) {
	err = s.tx.QueryRow(s.ctx, `SELECT EXISTS (SELECT FROM evrun.events WHERE sequence = $1) OR EXISTS (SELECT FROM evrun.events WHERE chain = $1 AND sequence < $2)`,
		chain, sequence).Scan(&before)
	return before, err
}

func (s source) RunsBetween(after, upTo int64) ([]chains.Run, []chains.Output, error) {
	return s.runs(`sequence > $1 AND sequence <= $2`, after, upTo)
}

func (s source) RunsOf(sequences []int64) ([]chains.Run, []chains.Output, error) {
	return s.runs(`sequence = ANY($1)`, sequences)
}

func (s source) runs(condition string, args ...any) (runs []chains.Run, outputs []chains.Output, err error) {
	rows, err := s.Query(`SELECT sequence, handler, state, coalesce(joined, 0), coalesce(octet_length(error), 0) + coalesce(octet_length(reason), 0)
		FROM evrun.runs WHERE `+condition, args...)
	if err != nil {
		return nil, nil, err
	}
	runs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r chains.Run, err error) {
		err = row.Scan(&r.Sequence, &r.Handler, &r.State, &r.Joined, &r.Bytes)
		return r, err
	})
	if err != nil {
		return nil, nil, err
	}
	rows, err = s.Query(`SELECT sequence, octet_length(text) FROM evrun.run_outputs WHERE `+condition, args...)
	if err != nil {
		return nil, nil, err
	}
	outputs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (o chains.Output, err error) {
		err = row.Scan(&o.Sequence, &o.Bytes)
		return o, err
	})
	return runs, outputs, err
}

func (s source) StateOf(sequence int64, h store.HandlerID) (store.RunState, error) {
	n, err := s.number(0, `SELECT state FROM evrun.runs WHERE sequence = $1 AND handler = $2`, sequence, int64(h))
	return store.RunState(n), err
}
