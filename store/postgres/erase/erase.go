// Package erase empties events in a store's transactions: see [store.Erasing].
//
// PostgreSQL keeps what an UPDATE or DELETE replaces until vacuum removes it, which [Scrub] has it do at once. What it can't do: the bytes stay in
// unused parts of the tables' pages and of the file system until something else is written there, in the write-ahead log until that is recycled, and in
// what was copied elsewhere: archived logs, base backups, dumps, and replicas until they have followed. VACUUM FULL writes new files of the tables, and
// holds up everything meanwhile: an operator decides that.
//
// No goroutines.
package erase

import (
	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/columns"
)

// Tx is a transaction of the store.
type Tx interface {
	Exec(query string, args ...any) (int64, error)
	Query(query string, args ...any) (pgx.Rows, error)
}

// Events empties events, and deletes their users.
func Events(tx Tx, sequences []int64, now int64) (done store.Erased, err error) {
	sequences, extensions, err := settled(tx, sequences, now)
	if err != nil || len(sequences) == 0 {
		return done, err
	}
	attempts := 0
	for _, x := range []struct {
		n     *int // the rows that were changed are added to it
		query string
		args  []any
	}{
		{&done.Users, deleteUsers, []any{sequences}}, // first: it reads their events
		{&done.Events, `UPDATE evrun.events e SET subject = NULL, datacontenttype = NULL, dataschema = NULL, data = NULL, bytes = NULL, correlationid = NULL,
			causationid = NULL, extensions = x.extensions FROM unnest($1::bigint[], $2::text[]) AS x (sequence, extensions) WHERE e.sequence = x.sequence`, []any{sequences, extensions}},
		{&done.Runs, `UPDATE evrun.runs SET error = NULL, state = CASE WHEN state IN (5, 7) THEN 6 ELSE state END,
			reason = CASE state WHEN 5 THEN 'its event was erased; it was dead' WHEN 7 THEN 'its event was erased; it was cancelled'
				ELSE CASE WHEN reason IS NOT NULL THEN 'its event was erased' END END
			WHERE sequence = ANY($1)`, []any{sequences}},
		{&attempts, `UPDATE evrun.attempts SET error = 'erased' WHERE sequence = ANY($1)`, []any{sequences}},
		{&done.Outputs, `DELETE FROM evrun.run_outputs WHERE sequence = ANY($1)`, []any{sequences}},
	} {
		n, err := tx.Exec(x.query, x.args...)
		if err != nil {
			return done, err
		}
		*x.n += int(n)
	}
	return done, nil
}

// settled locks those of the events that are stored and whose runs have ended, and returns the extensions that they have from now on.
func settled(tx Tx, sequences []int64, now int64) (list []int64, extensions []string, err error) {
	// The runs first: then none of them begins again.
	rows, err := tx.Query(`SELECT sequence FROM (SELECT sequence, state FROM evrun.runs WHERE sequence = ANY($1) ORDER BY sequence, handler FOR UPDATE) r WHERE state <= 2`, sequences)
	if err != nil {
		return nil, nil, err
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, nil, err
	}
	rows, err = tx.Query(`SELECT sequence, coalesce(extensions, '') FROM evrun.events WHERE sequence = ANY($1) AND sequence <> ALL($2) ORDER BY sequence FOR UPDATE`,
		sequences, append([]int64{}, open...))
	if err != nil {
		return nil, nil, err
	}
	var (
		sequence int64
		text     string
	)
	_, err = pgx.ForEachRow(rows, []any{&sequence, &text}, func() error {
		erased, err := columns.ErasedExtensions(text, now)
		list, extensions = append(list, sequence), append(extensions, erased)
		return err
	})
	return list, extensions, err
}

// deleteUsers deletes the users that events inserted, or whose e-mail address is their subject. A user has the id of its event, but not its source: where
// several events have the id, or had it, it is that of whose run ended with its making, or of whose data it is.
const deleteUsers = `WITH chosen AS MATERIALIZED (SELECT sequence, id, subject, accepted_at, data, bytes FROM evrun.events WHERE sequence = ANY($1))
	DELETE FROM evrun.users WHERE id IN (
		SELECT u.id FROM chosen c JOIN evrun.users u ON u.event_id = c.id
			WHERE u.created_at >= c.accepted_at AND NOT EXISTS (SELECT FROM evrun.events o WHERE o.id = c.id AND o.sequence <> c.sequence)
			OR EXISTS (SELECT FROM evrun.runs r WHERE r.sequence = c.sequence AND r.finished_at = u.created_at)
			OR strpos(lower(c.data), lower(u.email)) > 0
			OR position(convert_to(u.email, 'UTF8') IN c.bytes) > 0
		UNION SELECT u.id FROM chosen c JOIN evrun.users u ON lower(u.email COLLATE "C") = lower(c.subject COLLATE "C"))`
