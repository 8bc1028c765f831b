package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"evrun/events"
	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/rows"
	"evrun/store/sqlite/schema"
)

// Append implements [store.Journal].
func (s *Store) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	o := newOp(len(evs), payload(evs), nil)
	o.append = &appends{evs, make([]store.Receipt, len(evs))}
	if err := s.w.submit(ctx, o); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return o.append.receipts, nil
}

func payload(evs []*events.Event) (bytes int) {
	for _, e := range evs {
		bytes += len(e.Data)
	}
	return bytes
}

// appends is the write of an Append.
type appends struct {
	evs      []*events.Event
	receipts []store.Receipt
}

// doNext does the first of the writes. If it is an append, it does all appends that follow, too, so that the events of several callers go into one
// group. It returns how many writes that were; after an error the last of them has failed.
func (t *txn) doNext(writes []*op) (n int, err error) {
	if writes[0].append == nil {
		return 1, writes[0].do(t)
	}
	evs, receipts := t.w.appended[:0], t.w.receipts[:0]
	for ; n < len(writes) && writes[n].append != nil; n++ {
		evs = append(evs, writes[n].append.evs...)
	}
	err = t.accept(evs, func(_ int, rc store.Receipt) error {
		receipts = append(receipts, rc)
		return nil
	})
	clear(evs)
	t.w.appended, t.w.receipts = evs, receipts
	for i, o := range writes[:n] {
		if len(receipts) < len(o.append.receipts) {
			return i + 1, err
		}
		copy(o.append.receipts, receipts)
		receipts = receipts[len(o.append.receipts):]
	}
	return n, err
}

// append inserts the new events.
func (t *txn) append(evs []*events.Event, receipts []store.Receipt) error {
	return t.accept(evs, func(i int, rc store.Receipt) error {
		receipts[i] = rc
		return nil
	})
}

// emit inserts events that evrun makes itself. No other event can have their ids, so a duplicate is an error.
func (t *txn) emit(evs []*events.Event) error {
	return t.accept(evs, func(i int, rc store.Receipt) error {
		if rc.Duplicate {
			return fmt.Errorf("event %s from %s: %w, as #%d", evs[i].ID, evs[i].Source, store.ErrClash, rc.Sequence)
		}
		return nil
	})
}

// accept inserts the events whose (source, id) is not known, neither from the journal nor from what was pruned, and calls each with every event's receipt,
// in order. A duplicate takes no sequence.
func (t *txn) accept(evs []*events.Event, each func(i int, rc store.Receipt) error) error {
	for i := 0; i < len(evs); {
		taken, inserted, err := t.insertEvents(evs[i:])
		if err != nil {
			return fmt.Errorf("event %s: %w", evs[i].ID, t.check(err))
		}
		for _, e := range evs[i : i+inserted] {
			if isRoot(e) {
				e.Chain = t.next
			}
			e.Sequence, e.AcceptedAt = t.next, schema.Time(t.now)
			t.events = append(t.events, e)
			t.next++
			if err := t.noteEvent(e); err != nil {
				return err
			}
			if err := each(i, store.Receipt{Sequence: e.Sequence}); err != nil {
				return err
			}
			i++
		}
		if inserted < taken {
			t.w.eventRows.exists()
		}
		if inserted > 0 || taken > 1 { // of a group, the event that is known goes by itself next
			continue
		}
		var known [1]driver.Value
		err = t.w.stmt.findEvent.QueryRow(known[:], evs[i].ID, evs[i].Source)
		if conn.NoRows(err) {
			known[0], err = t.w.pruned.Sequence(t.w.prepared, evs[i])
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", evs[i].ID, t.check(err))
		}
		t.known++
		if err := each(i, store.Receipt{Sequence: known[0].(int64), Duplicate: true}); err != nil {
			return err
		}
		i++
	}
	return nil
}

// isRoot reports whether e begins its chain. It may have a sequence already, from a transaction that was rolled back.
func isRoot(e *events.Event) bool { return e.Chain == 0 || e.Chain == e.Sequence }

// eventRows is how events are inserted. Most events leave columns at their defaults, and have others in common with the events around them. Each
// argument costs, so there is a statement for each set of columns.
type eventRows struct {
	groups
	inserts map[eventColumnSet]*conn.Stmt
	rows    [groupRows]eventRow // reused
	values  []driver.Value      // reused
}

// eventColumnSet is a set of someEventColumns: bit i is the column i. allEventColumns+1 marks the statement for a group.
type eventColumnSet uint16

// eventRow has an event's values of someEventColumns.
type eventRow [len(someEventColumns)]driver.Value

// someEventColumns are the columns that a statement need not have for each row: source and type, which the rows may have in common, and others that
// are NULL or 0 in most events.
var someEventColumns = [...]string{
	colSource: "source", colType: "type",
	colData: "data", colSubject: "subject", colDataContentType: "datacontenttype", colDataSchema: "dataschema", colExtensions: "extensions",
	colCorrelationID: "correlationid", colCausationID: "causationid", colHops: "hops", colChain: "chain", colCause: "cause",
}

const (
	colSource = iota
	colType
	colData
	colSubject
	colDataContentType
	colDataSchema
	colExtensions
	colCorrelationID
	colCausationID
	colHops
	colChain
	colCause
)

const (
	allEventColumns eventColumnSet = 1<<len(someEventColumns) - 1
	maxEventInserts                = 32   // kept statements
	maxGroupedEvent                = 4096 // bytes; a larger one costs more than its statement, and the texts of a group are copied at once
)

// insertEvents inserts the first of the events, and reports how many it has taken, and how many of them, from the first on, it has inserted. The next
// one then is a duplicate.
func (t *txn) insertEvents(evs []*events.Event) (taken, inserted int, err error) {
	r := &t.w.eventRows
	taken = r.nextFitting(len(evs), func(i int) bool { return textSize(evs[i]) <= maxGroupedEvent })
	pruned, err := t.w.pruned.Any(t.w.prepared, evs[:taken])
	if pruned && taken > 1 {
		r.exists()
		taken = 1
		pruned, err = t.w.pruned.Any(t.w.prepared, evs[:1])
	}
	if pruned || err != nil {
		return taken, 0, err
	}
	var columns eventColumnSet
	for i, e := range evs[:taken] {
		set, err := r.rows[i].fill(e, evs[0])
		if err == nil && e.Target != "" {
			err = t.checkTarget(e.Target)
		}
		switch {
		case err != nil && i > 0: // an error must be the first one's: those before go by themselves
			return t.insertEvents(evs[:i])
		case err != nil:
			return taken, 0, err
		}
		columns |= set
	}
	insert, columns, err := t.eventInsert(columns, taken)
	if err != nil {
		return taken, 0, err
	}
	r.bind(t, columns, evs[:taken])
	if taken > 1 {
		inserted, err = t.insertGroup(insert, r.values)
	} else {
		var n int64
		n, err = insert.Exec(r.values...)
		inserted = int(n)
	}
	if inserted > 0 && err == nil {
		err = t.noteUnattended(t.next)
	}
	return taken, inserted, err
}

// fill sets the row of e, and returns the columns that it needs in a group which begins with first.
func (row *eventRow) fill(e, first *events.Event) (needs eventColumnSet, err error) {
	*row = eventRow{colSource: e.Source, colType: e.Type, colSubject: orNull(e.Subject), colDataContentType: orNull(e.DataContentType),
		colDataSchema: orNull(e.DataSchema), colCausationID: orNull(e.CausationID)}
	if e.Data != nil {
		if e.IsJSON() {
			row[colData] = string(e.Data)
		} else {
			row[colData] = []byte(e.Data)
		}
	}
	if row[colExtensions], err = columns.EncodeExtensions(e); err != nil {
		return 0, err
	}
	if e.CorrelationID != e.ID {
		row[colCorrelationID] = orNull(e.CorrelationID)
	}
	if !isRoot(e) {
		row[colChain], row[colCause] = e.Chain, orNull(e.Cause)
	}
	if e.Source != first.Source {
		needs |= 1 << colSource
	}
	if e.Type != first.Type {
		needs |= 1 << colType
	}
	for i := colData; i < len(row); i++ {
		if row[i] != nil {
			needs |= 1 << i
		}
	}
	row[colHops] = int64(e.Hops)
	if e.Hops != 0 {
		needs |= 1 << colHops
	}
	return needs, nil
}

// checkTarget wants the name of an active handler: no other one would ever handle the event.
func (t *txn) checkTarget(name string) error {
	find, err := t.w.prepared(`SELECT 1 FROM handlers WHERE name = ? AND active = 1`)
	if err != nil {
		return err
	}
	var found [1]driver.Value
	if err = find.QueryRow(found[:], name); conn.NoRows(err) {
		return fmt.Errorf("target %q: %w", name, store.ErrNotActive)
	}
	return err
}

// textSize is the size of the texts of e.
func textSize(e *events.Event) int {
	n := len(e.ID) + len(e.Source) + len(e.Type) + len(e.Data) + len(e.Subject) + len(e.DataSchema) +
		len(e.DataContentType) + len(e.CorrelationID) + len(e.CausationID) + len(e.Target)
	for name, v := range e.Extensions {
		text, _ := v.(string)
		n += len(name) + len(text)
	}
	return n
}

// eventInsert returns a statement for n rows that need these columns, and the columns that it has.
func (t *txn) eventInsert(columns eventColumnSet, n int) (*conn.Stmt, eventColumnSet, error) {
	r := &t.w.eventRows
	key := func() eventColumnSet {
		if n > 1 {
			return columns | (allEventColumns + 1)
		}
		return columns
	}
	if st, ok := r.inserts[key()]; ok {
		return st, columns, nil
	}
	if len(r.inserts) >= maxEventInserts {
		if columns = allEventColumns; r.inserts[key()] != nil {
			return r.inserts[key()], columns, nil
		}
	}
	list := []rows.Column{{Name: "sequence", Counts: true}, {Name: "accepted_at", Shared: true}}
	for i, name := range someEventColumns[:colData] {
		if columns&(1<<i) == 0 {
			list = append(list, rows.Column{Name: name, Shared: true})
		}
	}
	list = append(list, rows.Column{Name: "id"}, rows.Column{Name: "time"})
	for i, name := range someEventColumns {
		if columns&(1<<i) != 0 {
			list = append(list, rows.Column{Name: name})
		}
	}
	query := rows.Insert("INSERT OR FAIL", "events", list, n)
	if n == 1 {
		query = rows.Insert("INSERT", "events", list, 1) + " ON CONFLICT (id, source) DO NOTHING"
	}
	st, err := t.w.conn.Prepare(query)
	if err != nil {
		return nil, columns, err
	}
	r.inserts[key()] = st
	return st, columns, nil
}

// bind sets the values for the statement with these columns.
func (r *eventRows) bind(t *txn, columns eventColumnSet, evs []*events.Event) {
	r.values = append(r.values[:0], t.next, t.now)
	for i, v := range r.rows[0][:colData] {
		if columns&(1<<i) == 0 {
			r.values = append(r.values, v)
		}
	}
	for i, e := range evs {
		r.values = append(r.values, e.ID, schema.Micros(e.Time))
		for j, v := range &r.rows[i] {
			if columns&(1<<j) != 0 {
				r.values = append(r.values, v)
			}
		}
	}
}
