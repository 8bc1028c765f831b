package prune

import (
	"database/sql/driver"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/store/chains"
	"evrun/store/columns"
	"evrun/store/sqlite/schema"
)

// source reads the store for a look, within reading.
type source struct{ p *Pruner }

// number reads the first column of a query's row; or: there is none.
func (s source) number(or int64, query string, args ...driver.Value) (n int64, err error) {
	n = or
	err = s.p.query(query, func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	}, args...)
	return n, err
}

func (s source) Scanned() (int64, error) { return s.number(0, `SELECT scanned FROM pruning`) }

func (s source) Moving(since int64) (bool, error) {
	n, err := s.number(0, `SELECT 1 FROM batches WHERE ended_at IS NULL AND ifnull(changed_at, started_at) > ? LIMIT 1`, since)
	return n != 0, err
}

func (s source) Handlers() (list []store.Consumer, err error) {
	err = s.p.query(`SELECT `+schema.HandlerColumns+` FROM handlers`, func(row []driver.Value) error {
		list = append(list, schema.ScanHandler(row).Consumer())
		return nil
	})
	return list, err
}

func (s source) Unattended() (head int64, err error) {
	head = -1
	err = s.p.query(`SELECT value FROM meta WHERE key = '`+columns.UnattendedKey+`'`, func(row []driver.Value) (err error) {
		text, _ := row[0].(string)
		head, err = strconv.ParseInt(text, 10, 64)
		return err
	})
	return head, err
}

func (s source) AcceptedAt(upTo int64) (int64, error) {
	return s.number(0, `SELECT accepted_at FROM events WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1`, upTo)
}

// eventColumns are the columns of an event, as scan reads them.
const eventColumns = `e.sequence, ifnull(e.chain, e.sequence), e.accepted_at, e.id, e.source, e.type,
	CASE WHEN e.extensions IS NOT NULL THEN e.extensions ->> '` + columns.TargetKey + `' END, ifnull(octet_length(e.data), 0) + ifnull(octet_length(e.extensions), 0)`

func scan(row []driver.Value) *chains.Event {
	e := &chains.Event{Sequence: row[0].(int64), Chain: row[1].(int64), Accepted: row[2].(int64)}
	e.ID, _ = row[3].(string)
	e.Source, _ = row[4].(string)
	e.Type, _ = row[5].(string)
	e.Target, _ = row[6].(string)
	bytes, _ := row[7].(int64)
	e.Size(bytes)
	return e
}

func (s source) events(query string, args ...driver.Value) (list []*chains.Event, err error) {
	err = s.p.query(query, func(row []driver.Value) error {
		list = append(list, scan(row))
		return nil
	}, args...)
	return list, err
}

func (s source) Window(after, upTo int64, limit int) ([]*chains.Event, error) {
	return s.events(`SELECT `+eventColumns+` FROM events e WHERE e.sequence > ? AND e.sequence <= ? ORDER BY e.sequence LIMIT ?`, after, upTo, int64(limit))
}

func (s source) Members(first, last, behind int64, limit int) ([]*chains.Event, error) {
	return s.events(`SELECT `+eventColumns+` FROM events e INDEXED BY events_chain WHERE e.chain >= ? AND e.chain <= ? AND e.sequence > ?
		ORDER BY e.chain, e.sequence LIMIT ?`, first, last, behind, int64(limit))
}

func (s source) Before(chain, sequence int64) (bool, error) {
	n, err := s.number(0, `SELECT 1 FROM events WHERE sequence = ?1 UNION ALL SELECT 1 FROM events WHERE chain = ?1 AND sequence < ?2 LIMIT 1`, chain, sequence)
	return n != 0, err
}

func (s source) RunsBetween(after, upTo int64) ([]chains.Run, []chains.Output, error) {
	return s.runs(`sequence > ? AND sequence <= ?`, after, upTo)
}

func (s source) RunsOf(sequences []int64) ([]chains.Run, []chains.Output, error) {
	text, _ := events.MarshalJSON(sequences) // whole numbers always can be
	return s.runs(`sequence IN (SELECT value FROM json_each(?))`, string(text))
}

func (s source) runs(condition string, args ...driver.Value) (runs []chains.Run, outputs []chains.Output, err error) {
	err = s.p.query(`SELECT sequence, handler, state, joined, ifnull(octet_length(error), 0) + ifnull(octet_length(reason), 0) FROM runs WHERE `+condition,
		func(row []driver.Value) error {
			var r chains.Run
			r.Sequence, _ = row[0].(int64)
			handler, _ := row[1].(int64)
			state, _ := row[2].(int64)
			r.Handler, r.State = store.HandlerID(handler), store.RunState(state)
			r.Joined, _ = row[3].(int64)
			r.Bytes, _ = row[4].(int64)
			runs = append(runs, r)
			return nil
		}, args...)
	if err != nil {
		return nil, nil, err
	}
	err = s.p.query(`SELECT sequence, octet_length(text) FROM run_outputs WHERE `+condition, func(row []driver.Value) error {
		var o chains.Output
		o.Sequence, _ = row[0].(int64)
		o.Bytes, _ = row[1].(int64)
		outputs = append(outputs, o)
		return nil
	}, args...)
	return runs, outputs, err
}

func (s source) StateOf(sequence int64, h store.HandlerID) (store.RunState, error) {
	n, err := s.number(0, `SELECT state FROM runs WHERE sequence = ? AND handler = ?`, sequence, int64(h))
	return store.RunState(n), err
}
