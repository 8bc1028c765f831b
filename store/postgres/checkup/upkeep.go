package checkup

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// upkeep looks at what keeps the server from removing old versions of rows.
func (x *examination) upkeep() error {
	var vacuum, counts bool
	var age int64
	if err := x.row(`SELECT current_setting('autovacuum')::bool, current_setting('track_counts')::bool, age(datfrozenxid) FROM pg_database WHERE datname = current_database()`, &vacuum, &counts, &age); err != nil {
		return err
	}
	switch {
	case !vacuum || !counts:
		x.add("upkeep", Error, "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on", "autovacuum is off: tables grow and slow down, and the server stops when its transaction numbers run out")
	case age > 1_500_000_000:
		x.add("upkeep", Error, "VACUUM FREEZE the database now", "%d million transactions are not frozen: at 2,000 million the server stops", age/1_000_000)
	}
	var held float64 // seconds
	var who string
	err := x.row(`SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8, concat_ws(' ', 'session', pid, '(' || nullif(application_name, '') || ')') FROM pg_stat_activity
		WHERE xact_start IS NOT NULL AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1`, &held, &who)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if held > 600 {
		x.add("upkeep", Warning, "end it: SELECT pg_terminate_backend(PID); idle_in_transaction_session_timeout ends such sessions by itself",
			"the transaction of %s has been open for %v: no old row is removed meanwhile", who, (time.Duration(held) * time.Second).Round(time.Minute))
	}
	var slot string
	var behind int64
	err = x.row(`SELECT slot_name::text, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 2 DESC LIMIT 1`, &slot, &behind)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if behind > 1<<30 {
		x.add("upkeep", Warning, "bring the standby back, or drop its slot: SELECT pg_drop_replication_slot('…')", "the replication slot %s is not in use, and keeps %d MiB of WAL", slot, behind>>20)
	}
	return nil
}

// bloat looks at the tables that are written most.
func (x *examination) bloat() error {
	rows, err := x.c.Query(x.ctx, `SELECT s.relname::text, s.n_live_tup, s.n_dead_tup, pg_relation_size(s.relid), coalesce(c.reloptions::text LIKE '%autovacuum_enabled=false%', false)
		FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = 'evrun'`)
	if err != nil {
		return err
	}
	worst := false
	var name string
	var live, dead, bytes int64
	var off bool
	_, err = pgx.ForEachRow(rows, []any{&name, &live, &dead, &bytes, &off}, func() error {
		switch {
		case off:
			worst = true
			x.add("upkeep", Warning, "ALTER TABLE evrun."+name+" RESET (autovacuum_enabled)", "autovacuum is off for evrun.%s", name)
		case dead > 100_000 && dead > live, bytes > 64<<20 && live < 1000 && dead < 1000 && small[name]:
			worst = true
			x.add("upkeep", Warning, "VACUUM evrun."+name+"; if its size matters, VACUUM FULL while no daemon runs",
				"evrun.%s has %d old versions of rows beside %d rows, in %d MiB", name, dead, live, bytes>>20)
		}
		return nil
	})
	if err == nil && !worst && !x.has("upkeep") {
		x.add("upkeep", OK, "", "old versions of rows are removed")
	}
	return err
}

// small are tables that have few rows at any time.
var small = map[string]bool{"journal": true, "beats": true, "writers": true, "shares": true, "nodes": true, "meta": true, "schedules": true}

func (x *examination) has(check string) bool {
	for _, f := range x.found {
		if f.Check == check {
			return true
		}
	}
	return false
}
