package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"evrun/events"
	"evrun/store"
	"evrun/store/chains"
	"evrun/store/columns"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// intake is the events that a transaction accepts. It first takes all of them for new. Where one may not be, a lookup sifts the known ones out before the
// transaction ends; if another process is faster, the transaction fails and is repeated.
type intake struct {
	now      int64
	all      []*events.Event
	must     []bool          // must be new: events that evrun makes itself
	receipts []store.Receipt // of all; the sequences of new ones are set by accepted
	fresh    []*events.Event // the new ones, in order
	known    int
	sifted   bool
}

// take adds events, and returns the place of the first one.
func (in *intake) take(evs []*events.Event, must bool) (first int) {
	first = len(in.all)
	in.all = append(in.all, evs...)
	for range evs {
		in.must = append(in.must, must)
	}
	return first
}

// intakeError is the error of the event at a place.
type intakeError struct {
	place int
	err   error
}

func (e *intakeError) Error() string { return e.err.Error() }
func (e *intakeError) Unwrap() error { return e.err }

const (
	lookupEvents = `SELECT v.n, e.sequence FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS v(id, source, n)
		JOIN evrun.events e ON e.id = v.id AND e.source = v.source`
	lookupPruned = `SELECT v.n, k.sequence FROM unnest($1::bytea[]) WITH ORDINALITY AS v(key, n) JOIN evrun.pruned_keys k ON k.key = v.key`
	// No other handler takes over from one of them until the end of the transaction, with a head that is before these events.
	lookupTargets = `SELECT name FROM evrun.handlers WHERE active AND name = ANY($1::text[]) ORDER BY id FOR SHARE`
)

// addLookup adds the statements whose results sift needs.
func (in *intake) addLookup(m *wire.Message) {
	ids, sources, keys := wire.NewArray(wire.Texts, 32*len(in.all)), wire.NewArray(wire.Texts, 32*len(in.all)), wire.NewArray(wire.Bytea, 24*len(in.all))
	targets := wire.NewArray(wire.Texts, 0)
	for _, e := range in.all {
		ids.Text(e.ID)
		sources.Text(e.Source)
		keys.Bytes(chains.KeyOf(e.ID, e.Source))
		if e.Target != "" {
			targets.Text(e.Target)
		}
	}
	m.Add(lookupEvents, ids.Value(), sources.Value())
	m.Add(lookupPruned, keys.Value())
	m.Add(lookupTargets, targets.Value())
}

// sift sets which of the events are new. An event that must be new and isn't, or whose target is not an active handler, is an [*intakeError].
func (in *intake) sift(results []wire.Result) error {
	results = results[len(results)-3:]
	known := map[int]int64{}
	for i := range results[:2] {
		for row := range results[i].Rows {
			known[int(results[i].Int(row, 0))-1] = results[i].Int(row, 1)
		}
	}
	active := map[string]bool{}
	for row := range results[2].Rows {
		active[results[2].Text(row, 0)] = true
	}
	type key struct{ id, source string }
	firsts := make(map[key]int, len(in.all))
	in.receipts, in.fresh, in.known, in.sifted = make([]store.Receipt, len(in.all)), nil, 0, true
	for i, e := range in.all {
		sequence, old := known[i]
		first, twice := firsts[key{e.ID, e.Source}]
		switch {
		case e.Target != "" && !active[e.Target]:
			return &intakeError{i, fmt.Errorf("event %s: target %q: %w", e.ID, e.Target, store.ErrNotActive)}
		case old, twice:
			if twice && !old {
				sequence = -int64(first) - 1 // see accepted
			}
			if in.must[i] {
				err := fmt.Errorf("event %s from %s: %w", e.ID, e.Source, store.ErrClash)
				if sequence > 0 {
					err = fmt.Errorf("%w, as #%d", err, sequence)
				}
				return &intakeError{i, err}
			}
			in.receipts[i] = store.Receipt{Sequence: sequence, Duplicate: true}
			in.known++
			continue
		}
		firsts[key{e.ID, e.Source}] = i
		in.fresh = append(in.fresh, e)
	}
	return nil
}

// hasTargets reports whether one of the events is for one handler, so that it must be looked up.
func (in *intake) hasTargets() bool {
	return slices.ContainsFunc(in.all, func(e *events.Event) bool { return e.Target != "" })
}

const (
	insertEvent = `WITH j AS (UPDATE evrun.journal SET head = head + 1 RETURNING head) ` + insertOne
	insertOne   = `INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at, data, bytes, subject, datacontenttype, dataschema, correlationid, causationid,
			hops, extensions, chain, cause)
		SELECT j.head, $1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::text, $7::bytea, $8::text, $9::text, $10::text, $11::text, $12::text,
			$13::bigint, $14::text, $15::bigint, $16::bigint FROM j RETURNING sequence - 1`
	// insertAlone is the fence and insertEvent in one statement: an event that comes alone waits for fewer.
	insertAlone = `WITH f AS (UPDATE evrun.writers SET transaction = $19::bigint
			WHERE node = $17::bigint AND connection = $18::integer AND transaction < $19::bigint RETURNING 1),
		j AS (UPDATE evrun.journal SET head = head + 1 WHERE (SELECT 1 / count(*) FROM f) = 1 RETURNING head) ` + insertOne

	raiseHead  = `WITH j AS (UPDATE evrun.journal SET head = head + $1::bigint RETURNING head - $1::bigint AS base), i AS (`
	insertMany = raiseHead + `INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at, data)
		SELECT j.base + v.n, v.id, v.source, v.type, v.time, $2::bigint, v.data
		FROM j, unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[]) WITH ORDINALITY AS v(id, source, type, time, data, n)) SELECT base FROM j`
	insertRichEvents = raiseHead + `INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at, data, bytes, subject, datacontenttype, dataschema,
			correlationid, causationid, hops, extensions, chain, cause)
		SELECT j.base + v.n, v.id, v.source, v.type, v.time, $2::bigint, v.data, v.bytes, v.subject, v.content, v.schema, v.correlation, v.causation,
			v.hops, v.extensions, v.chain, v.cause
		FROM j, unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[],
			$13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::bigint[]) WITH ORDINALITY
			AS v(id, source, type, time, data, bytes, subject, content, schema, correlation, causation, hops, extensions, chain, cause, n)) SELECT base FROM j`

	// They follow the insertion: only a later statement sees what a transaction has pruned that the insertion waited for.
	noneIsPruned = `SELECT 1 / CASE WHEN EXISTS (SELECT FROM evrun.pruned_keys WHERE key = ANY($1::bytea[])) THEN 0 ELSE 1 END`
	noKeys       = `SELECT 1 / CASE WHEN EXISTS (SELECT FROM evrun.pruned_keys) THEN 0 ELSE 1 END`
	noteHead     = `INSERT INTO evrun.meta (key, value) SELECT '` + columns.UnattendedKey + `', (head - $1::bigint)::text FROM evrun.journal
		WHERE NOT EXISTS (SELECT FROM evrun.beats WHERE expires_at > clock_timestamp()) ON CONFLICT DO NOTHING`
)

// add adds the statements that accept the new events, and returns the place of the one whose result accepted needs. It fails if one of the events is
// known after all. pruned says that the store has keys of pruned events.
func (in *intake) add(m *wire.Message, s *Store) (at int, err error) {
	if !in.sifted {
		in.fresh = in.all
	}
	if len(in.fresh) == 0 {
		return -1, nil
	}
	at = m.Len()
	switch {
	case at == 1 && len(in.fresh) == 1 && m.Query(0) == fence: // nothing else is in the transaction
		fencing := m.Params(0)
		m.Reset()
		at, err = 0, in.addOne(m, insertAlone, in.fresh[0], fencing...)
	case len(in.fresh) == 1:
		err = in.addOne(m, insertEvent, in.fresh[0])
	case slices.ContainsFunc(in.fresh, rich):
		err = in.addRich(m)
	default:
		in.addMany(m)
	}
	if err != nil {
		return at, err
	}
	if s.hasKeys.Load() {
		keys := wire.NewArray(wire.Bytea, 24*len(in.fresh))
		for _, e := range in.fresh {
			keys.Bytes(chains.KeyOf(e.ID, e.Source))
		}
		m.Add(noneIsPruned, keys.Value())
	} else {
		m.Add(noKeys)
	}
	if s.opt.Unattended {
		m.Add(noteHead, wire.Int8(int64(len(in.fresh))))
	}
	return at, nil
}

// rich reports whether an event has more than most have.
func rich(e *events.Event) bool {
	return e.Subject != "" || e.DataContentType != "" || e.DataSchema != "" || e.CorrelationID != e.ID && e.CorrelationID != "" || e.CausationID != "" ||
		e.Hops != 0 || len(e.Extensions) > 0 || e.Target != "" || e.ReplayOf != 0 || !isRoot(e) || !isText(e)
}

// isRoot reports whether e begins its chain. It may have a sequence already, from a transaction that was rolled back.
func isRoot(e *events.Event) bool { return e.Chain == 0 || e.Chain == e.Sequence }

// isText reports whether an event's payload is stored as a text. One that is JSON but not UTF-8 isn't.
func isText(e *events.Event) bool {
	return e.Data == nil || e.IsJSON() && utf8.Valid(e.Data) && !slices.Contains(e.Data, 0)
}

func (in *intake) addMany(m *wire.Message) {
	n := len(in.fresh)
	ids, sources, types := wire.NewArray(wire.Texts, 40*n), wire.NewArray(wire.Texts, 32*n), wire.NewArray(wire.Texts, 32*n)
	times, data := wire.NewArray(wire.Bigint, 12*n), wire.NewArray(wire.Texts, 128*n)
	for _, e := range in.fresh {
		ids.Text(e.ID)
		sources.Text(e.Source)
		types.Text(e.Type)
		times.Int8(schema.Micros(e.Time))
		data.BytesOrNull(e.Data)
	}
	m.Add(insertMany, wire.Int8(int64(n)), wire.Int8(in.now), ids.Value(), sources.Value(), types.Value(), times.Value(), data.Value())
}

// row is the values of an event's columns, from the id on.
type row struct {
	text, bytes                                      []byte
	subject, content, schema, correlation, causation string
	extensions                                       string
	chain, cause                                     int64 // 0: NULL
}

func rowOf(e *events.Event) (r row, err error) {
	r = row{subject: e.Subject, content: e.DataContentType, schema: e.DataSchema, causation: e.CausationID}
	if isText(e) {
		r.text = e.Data
	} else {
		r.bytes = e.Data
	}
	if e.CorrelationID != e.ID {
		r.correlation = e.CorrelationID
	}
	if !isRoot(e) {
		r.chain, r.cause = e.Chain, e.Cause
	}
	x, err := columns.EncodeExtensions(e)
	r.extensions, _ = x.(string)
	return r, err
}

func (in *intake) addRich(m *wire.Message) error {
	n := len(in.fresh)
	var texts [10]*wire.Array
	for i := range texts {
		texts[i] = wire.NewArray(wire.Texts, 16*n)
	}
	times, hops, chains, causes := wire.NewArray(wire.Bigint, 12*n), wire.NewArray(wire.Bigint, 12*n), wire.NewArray(wire.Bigint, 12*n), wire.NewArray(wire.Bigint, 12*n)
	bytes := wire.NewArray(wire.Bytea, 0)
	for _, e := range in.fresh {
		r, err := rowOf(e)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
		for i, text := range []string{e.ID, e.Source, e.Type} {
			texts[i].Text(text)
		}
		times.Int8(schema.Micros(e.Time))
		texts[3].BytesOrNull(r.text)
		bytes.BytesOrNull(r.bytes)
		for i, text := range []string{r.subject, r.content, r.schema, r.correlation, r.causation, r.extensions} {
			texts[4+i].OrNull(text)
		}
		hops.Int8(int64(e.Hops))
		chains.Int8OrNull(r.chain)
		causes.Int8OrNull(r.cause)
	}
	t := func(i int) wire.Value { return texts[i].Value() }
	m.Add(insertRichEvents, wire.Int8(int64(n)), wire.Int8(in.now), t(0), t(1), t(2), times.Value(), t(3), bytes.Value(), t(4), t(5), t(6), t(7), t(8),
		hops.Value(), t(9), chains.Value(), causes.Value())
	return nil
}

func (in *intake) addOne(m *wire.Message, query string, e *events.Event, more ...any) error {
	r, err := rowOf(e)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	m.Add(query, append([]any{wire.Text(e.ID), wire.Text(e.Source), wire.Text(e.Type), wire.Int8(schema.Micros(e.Time)), wire.Int8(in.now), wire.Value(r.text),
		wire.Value(r.bytes), wire.OrNull(r.subject), wire.OrNull(r.content), wire.OrNull(r.schema), wire.OrNull(r.correlation), wire.OrNull(r.causation),
		wire.Int8(int64(e.Hops)), wire.OrNull(r.extensions), wire.Int8OrNull(r.chain), wire.Int8OrNull(r.cause)}, more...)...)
	return nil
}

// accepted gives the new events their sequences, once the transaction is committed. Without results, because the answer was lost, it reads them.
func (in *intake) accepted(ctx context.Context, s *Store, results []wire.Result, at int) error {
	if len(in.all) == 0 {
		return nil
	}
	if in.receipts == nil {
		in.receipts = make([]store.Receipt, len(in.all))
	}
	base := int64(0)
	if at >= 0 {
		if results == nil {
			e := in.fresh[0]
			err := s.untilKnown(func() error {
				return s.pool.QueryRow(ctx, `SELECT sequence - 1 FROM evrun.events WHERE id = $1 AND source = $2`, e.ID, e.Source).Scan(&base)
			})
			if err != nil {
				return err
			}
		} else {
			base = results[at].Int(0, 0)
		}
	}
	n := base
	for i, e := range in.all {
		switch rc := &in.receipts[i]; {
		case !rc.Duplicate:
			n++
			if isRoot(e) {
				e.Chain = n
			}
			rc.Sequence, e.Sequence, e.AcceptedAt = n, n, schema.Time(in.now)
		case rc.Sequence < 0:
			rc.Sequence = in.receipts[-rc.Sequence-1].Sequence
		}
	}
	return nil
}

// hindered makes of the error of a statement that did not find what it expected one that says to try again, and to look first. It notes that the store has
// keys of pruned events.
func (s *Store) hindered(m *wire.Message, err error) error {
	var refused *wire.StatementError
	if !errors.As(err, &refused) {
		return err
	}
	switch code := conn.Code(err); {
	case code == conn.DivisionByZero && m.Query(refused.Index) == noKeys:
		s.hasKeys.Store(true)
	case code == conn.DivisionByZero, code == conn.UniqueViolation:
	default:
		return err
	}
	return fmt.Errorf("%w: %w", conn.ErrHindered, err)
}
