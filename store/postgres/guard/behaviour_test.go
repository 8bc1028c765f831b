package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/guard"
	"evrun/store/postgres/postgrestest"
)

func TestValuesComeBack(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		text string
		args []any
		want any
	}{
		{`SELECT :v::bigint`, []any{int64(-1 << 63)}, int64(-1 << 63)},
		{`SELECT :v::int`, []any{"7"}, int64(7)},
		{`SELECT :v::int`, []any{3.0}, int64(3)},
		{`SELECT :v::float8`, []any{1e300}, 1e300},
		{`SELECT 'NaN'::float8`, nil, "NaN"},
		{`SELECT :v::numeric`, []any{"12.50"}, 12.5},
		{`SELECT 123456789012345678.5`, nil, "123456789012345678.5"},
		{`SELECT 12345678901234567890::numeric`, nil, "12345678901234567890"},
		{`SELECT sum(x) FROM (VALUES (1::bigint), (2)) v (x)`, nil, int64(3)},
		{`SELECT :v::boolean`, []any{int64(1)}, int64(1)},
		{`SELECT :v::boolean`, []any{"false"}, int64(0)},
		{`SELECT :v`, []any{int64(5)}, "5"},
		{`SELECT :v`, []any{[]byte("abc")}, "abc"},
		{`SELECT :v::bytea`, []any{[]byte{0, 255, '\\'}}, []byte{0, 255, '\\'}},
		{`SELECT :v::bytea`, []any{`\x00`}, []byte(`\x00`)},
		{`SELECT :v::jsonb->>'a'`, []any{`{"a": "ü"}`}, "ü"},
		{`SELECT :v::jsonb`, []any{`{"b":1,"a":[2]}`}, `{"a": [2], "b": 1}`},
		{`SELECT :v::uuid`, []any{"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{`SELECT :v::timestamptz`, []any{"2026-01-02T03:04:05.25+01:00"}, "2026-01-02T02:04:05.25Z"},
		{`SELECT :v::timestamp`, []any{"2026-01-02 03:04:05"}, "2026-01-02T03:04:05Z"},
		{`SELECT 'infinity'::timestamptz`, nil, "infinity"},
		{`SELECT :v::date`, []any{"2026-01-02"}, "2026-01-02"},
		{`SELECT '1 day 02:00'::interval`, nil, "1 day 02:00:00"},
		{`SELECT '10:00'::time`, nil, "10:00:00"},
		{`SELECT ARRAY[1, NULL]`, nil, "{1,NULL}"},
		{`SELECT 'a  '::char(5)`, nil, "a    "},
		{`SELECT NULL::int`, nil, nil},
		{`SELECT :v::text`, []any{nil}, nil},
		{`SELECT :v::text`, []any{strings.Repeat("'\"\\$", 50_000)}, strings.Repeat("'\"\\$", 50_000)},
	} {
		r, err := s.exec(t, c.text, c.args...)
		if err != nil || !reflect.DeepEqual(r.Rows, [][]any{{c.want}}) {
			t.Errorf("%s: %.200v, %v", c.text, r.Rows, err)
		}
	}
	for text, args := range map[string][]any{
		`SELECT :v`: {"a\x00b"}, `SELECT :v::text`: {"\xff"}, `SELECT :v::int`: {1.5}, `SELECT :v::bigint`: {"x"}, `SELECT :v IS NULL`: {"a"}, `SELECT 1/:n::int`: {int64(0)}, `SELECT :a::int[]`: {"x"},
	} {
		if _, err := s.exec(t, text, args...); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := s.exec(t, `SELECT :a::int`); !errors.Is(err, store.ErrStatement) { // without its value
		t.Error(err)
	}
}

func TestAResultIsBounded(t *testing.T) {
	s := open(t)
	s.admin(t, `CREATE TABLE t (x text)`)
	many := fmt.Sprintf(`SELECT x::text FROM generate_series(1, %d) x`, store.MaxRows+1)
	for _, text := range []string{
		many, `INSERT INTO t ` + many + ` RETURNING x`, `WITH q AS (INSERT INTO t ` + many + ` RETURNING x) SELECT * FROM q`, `SELECT x FROM generate_series(1, 2000000) x`,
		`SELECT repeat('x', 1048577)`, `INSERT INTO t VALUES (repeat('x', 1048577)) RETURNING x`, `SELECT repeat('x', 300000000)`, `SELECT repeat('x', 500000) FROM generate_series(1, 1000)`,
		`WITH q AS (INSERT INTO t VALUES (repeat('x', 1048577)) RETURNING x) SELECT * FROM q`,
	} {
		_, err := s.exec(t, text)
		if !errors.Is(err, store.ErrStatement) && !errors.Is(err, store.ErrTimeout) { // a busy machine
			t.Errorf("%s: %v", text, err)
		}
	}
	if n := value[int64](t, s, `SELECT count(*) FROM t`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	r, err := s.exec(t, `SELECT x, repeat('y', 1000) FROM generate_series(1, 1000) x ORDER BY x DESC`)
	if err != nil || len(r.Rows) != 1000 || r.Rows[0][0] != int64(1000) {
		t.Error(len(r.Rows), err)
	}
	if r, err = s.exec(t, `SELECT FROM t`); err != nil || len(r.Rows) != 0 {
		t.Error(r, err)
	}
	if r, err = s.exec(t, `SELECT x AS a, x AS a FROM t`); err != nil || fmt.Sprint(r.Columns) != "[a a]" || len(r.Rows) != 0 {
		t.Error(r, err)
	}
}

// A row that is too large to be read costs the connection; the statement is not tried again.
func TestAHugeRowIsNotReadTwice(t *testing.T) {
	dsn := postgrestest.Database(t)
	s := connect(t, dsn)
	s.admin(t, `CREATE TABLE t (x text)`)
	insert := understood(t, `INSERT INTO t VALUES (repeat('x', 90000000)) RETURNING x`)
	effect := func(s *session) (failed, err error) {
		s.admin(t, "BEGIN")
		_, failed = s.Effect(t.Context(), time.Minute, func(tx store.Tx) store.Outcome {
			_, err = tx.Exec(insert, nil)
			return store.Outcome{State: store.Dead}
		})
		return failed, err
	}
	if failed, _ := effect(s); failed == nil {
		t.Fatal("the transaction goes on")
	}
	again := connect(t, dsn)
	if failed, err := effect(again); failed != nil || !errors.Is(err, store.ErrStatement) {
		t.Error(failed, err)
	}
}

// settle runs an effect with a limit, in a transaction that is committed.
func (s *session) settle(t *testing.T, limit time.Duration, do func(store.Tx) store.Outcome) error {
	t.Helper()
	return s.transaction(t, func() error {
		_, err := s.Effect(t.Context(), limit, do)
		return err
	})
}

func TestASlowStatementIsStopped(t *testing.T) {
	dsn := postgrestest.Database(t)
	s := connect(t, dsn)
	s.admin(t, `CREATE TABLE t (id int PRIMARY KEY, x int)`, `INSERT INTO t VALUES (1, 0)`)
	slow := understood(t, `UPDATE t SET x = (SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100) b)`)
	fast := understood(t, `UPDATE t SET x = x + 1`)
	began := time.Now()
	err := s.settle(t, 50*time.Millisecond, func(tx store.Tx) store.Outcome {
		if _, err := tx.Exec(fast, nil); err != nil {
			t.Error(err)
		}
		if _, err := tx.Exec(slow, nil); !errors.Is(err, store.ErrTimeout) || !strings.Contains(err.Error(), "50ms") {
			t.Error(err)
		}
		if _, err := tx.Exec(fast, nil); err != nil { // the transaction goes on
			t.Error(err)
		}
		return store.Outcome{State: store.Succeeded}
	})
	if err != nil || time.Since(began) > 20*time.Second {
		t.Error(err, time.Since(began))
	}
	if x := value[int](t, s, `SELECT x FROM t`); x != 2 {
		t.Error(x)
	}
	if now := value[string](t, s, `SHOW statement_timeout`); now != "0" {
		t.Error(now)
	}

	// One that waits for a row of somebody else is not: its transaction is to be repeated.
	other := connect(t, dsn)
	other.admin(t, `BEGIN`, `UPDATE t SET x = 9`)
	err = s.settle(t, 50*time.Millisecond, func(tx store.Tx) store.Outcome {
		if _, err := tx.Exec(fast, nil); errors.Is(err, store.ErrTimeout) || errors.Is(err, store.ErrStatement) {
			t.Error(err)
		}
		return store.Outcome{State: store.Dead}
	})
	if !conn.Hindered(err) {
		t.Error(err)
	}
}

func TestAnEffectIsUndoneWhole(t *testing.T) {
	s := open(t)
	s.admin(t, `CREATE TABLE t (id int PRIMARY KEY)`, `CREATE TABLE child (t int REFERENCES t DEFERRABLE INITIALLY DEFERRED)`)
	insert := understood(t, `INSERT INTO t VALUES (:id)`)
	for _, state := range []store.RunState{store.Dead, store.Retrying, store.Succeeded} {
		err := s.settle(t, time.Second, func(tx store.Tx) store.Outcome {
			for _, id := range []any{int64(1), int64(2)} {
				if _, err := tx.Exec(insert, []any{id}); err != nil {
					t.Error(err)
				}
			}
			if _, err := tx.Exec(insert, []any{int64(1)}); !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
			return store.Outcome{State: state}
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: 2}[state == store.Succeeded]
		if n := value[int](t, s, `SELECT count(*)::int FROM t`); n != want {
			t.Errorf("%v: %d rows", state, n)
		}
	}
	// A constraint that could wait for the commit fails with its statement.
	if _, err := s.exec(t, `INSERT INTO child VALUES (7)`); !errors.Is(err, store.ErrStatement) {
		t.Error(err)
	}
	if _, err := s.exec(t, `INSERT INTO child VALUES (2)`); err != nil {
		t.Error(err)
	}
}

func TestADeadlockEndsTheTransactionAndIsNotTheStatementsFault(t *testing.T) {
	dsn := postgrestest.Database(t)
	s, other := connect(t, dsn), connect(t, dsn)
	s.admin(t, `CREATE TABLE t (id int PRIMARY KEY, x int)`, `INSERT INTO t VALUES (1, 0), (2, 0)`, `SET deadlock_timeout = '10ms'`)
	other.admin(t, `SET deadlock_timeout = '60s'`, `BEGIN`, `UPDATE t SET x = 1 WHERE id = 2`)
	update := understood(t, `UPDATE t SET x = 2 WHERE id = :id`)
	waited := make(chan error, 1)
	err := s.transaction(t, func() error {
		_, err := s.Effect(t.Context(), 30*time.Second, func(tx store.Tx) store.Outcome {
			if _, err := tx.Exec(update, []any{int64(1)}); err != nil {
				t.Error(err)
			}
			go func() {
				_, err := other.c.Exec(context.Background(), `UPDATE t SET x = 1 WHERE id = 1`)
				waited <- err
			}()
			_, err := tx.Exec(update, []any{int64(2)})
			if err == nil || errors.Is(err, store.ErrStatement) {
				t.Error(err)
			}
			return store.Outcome{State: store.Dead}
		})
		return err
	})
	if err == nil {
		t.Error("the transaction goes on")
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// A table that becomes a view of evrun's own is not written by a statement that was checked before, whichever connection changed it.
func TestAMigrationOnAnotherConnectionHasStatementsCheckedAgain(t *testing.T) {
	dsn := postgrestest.Database(t)
	s, other := connect(t, dsn), connect(t, dsn)
	if err := s.migrate(t, `CREATE TABLE mine (id bigint, name text)`); err != nil {
		t.Fatal(err)
	}
	s.admin(t, `INSERT INTO evrun.users (id, name, email, created_at, event_id) VALUES (1, 'Ada', 'ada@example.com', 0, 'e')`)
	remove := understood(t, `DELETE FROM mine`)
	if _, err := s.run(t, remove); err != nil {
		t.Fatal(err)
	}
	// While its transaction is open, the migration waits.
	migrated := make(chan error, 1)
	err := s.settle(t, time.Second, func(tx store.Tx) store.Outcome {
		go func() {
			migrated <- other.migrate(t, `DROP TABLE mine`, `CREATE VIEW mine AS SELECT id, name FROM evrun.users`)
		}()
		time.Sleep(200 * time.Millisecond) // the migration gets as far as it can
		if _, err := tx.Exec(remove, nil); err != nil {
			t.Error(err)
		}
		select {
		case err := <-migrated:
			t.Errorf("the migration has not waited: %v", err)
		default:
		}
		return store.Outcome{State: store.Succeeded}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t, remove); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), `"users" is evrun's own`) {
		t.Error(err)
	}
	if n := value[int](t, s, `SELECT count(*)::int FROM evrun.users`); n != 1 {
		t.Error("the user is gone")
	}
}

func TestATableThatOthersChangedIsReadAsItIs(t *testing.T) {
	s := open(t)
	s.admin(t, `CREATE TABLE t (x int)`, `INSERT INTO t VALUES (1)`)
	list := understood(t, `SELECT * FROM t`)
	for _, want := range []string{"[x]", "[x y]"} {
		if r, err := s.run(t, list); err != nil || fmt.Sprint(r.Columns) != want {
			t.Error(r, err)
		}
		s.admin(t, `ALTER TABLE t ADD COLUMN IF NOT EXISTS y int`)
	}
}

func openReader(t *testing.T, dsn string) *guard.Reader {
	t.Helper()
	r := guard.NewReader(func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, dsn) })
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestAReaderOnlyReads(t *testing.T) {
	dsn := postgrestest.Database(t)
	s := connect(t, dsn)
	s.admin(t, `CREATE TABLE t (x int)`, `INSERT INTO t VALUES (1)`, `CREATE SEQUENCE seq`)
	r := openReader(t, dsn)
	read := func(text string) (store.Result, error) { return r.Read(t.Context(), understood(t, text), nil) }
	if got, err := read(`SELECT x FROM t`); err != nil || fmt.Sprint(got.Rows) != "[[1]]" {
		t.Fatal(got, err)
	}
	for _, text := range []string{`DELETE FROM t`, `WITH d AS (DELETE FROM t RETURNING x) SELECT * FROM d`, `SELECT * FROM t FOR UPDATE`, `SELECT nextval('seq')`, `SELECT pg_sleep(1)`, `SELECT * FROM nothing`} {
		if _, err := read(text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`WITH d AS (DELETE FROM t RETURNING x) SELECT * FROM d`, `SELECT * FROM t FOR UPDATE`} { // as if the parser had said so
		if _, err := r.Read(t.Context(), &store.Statement{Text: text, Verb: "SELECT", Reads: true, Returns: true}, nil); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// A connection that broke is made anew.
	s.admin(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`)
	for range 4 {
		if got, err := read(`SELECT x FROM t`); err != nil || fmt.Sprint(got.Rows) != "[[1]]" {
			t.Error(got, err)
		}
	}
	// A context ends it.
	endless := understood(t, `SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b`)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.Read(ctx, endless, nil); !errors.Is(err, store.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := r.Read(ctx, endless, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got, err := read(`SELECT x FROM t`); err != nil || fmt.Sprint(got.Rows) != "[[1]]" {
		t.Error(got, err)
	}
}

// asRole opens a store in a database that belongs to a role without other rights.
func asRole(t *testing.T) (s, admin *session) {
	t.Helper()
	dsn := postgrestest.Database(t)
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	admin = &session{nil, c}
	role := "owner_" + c.Config().Database
	admin.admin(t, `CREATE ROLE `+role+` LOGIN`, `ALTER DATABASE `+c.Config().Database+` OWNER TO `+role, `REVOKE TEMP ON DATABASE `+c.Config().Database+` FROM public`)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return connect(t, u.String()), admin
}

func TestAnOrdinaryRoleIsEnough(t *testing.T) {
	s, admin := asRole(t)
	if err := s.migrate(t, `CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY, at timestamptz DEFAULT now(), v text)`, `CREATE VIEW v AS SELECT t.v, u.name FROM t LEFT JOIN users u ON u.name = t.v`); err != nil {
		t.Fatal(err)
	}
	if r, err := s.exec(t, `INSERT INTO t (v) VALUES (:v) RETURNING id`, "a"); err != nil || fmt.Sprint(r.Rows) != "[[1]]" {
		t.Error(r, err)
	}
	if r, err := s.exec(t, `SELECT * FROM v`); err != nil || fmt.Sprint(r.Rows) != "[[a <nil>]]" {
		t.Error(r, err)
	}
	for _, text := range []string{`DELETE FROM users`, `DELETE FROM v`, `SELECT set_config('a.b', 'c', false)`, `SELECT pg_read_file('PG_VERSION')`} {
		if _, err := s.exec(t, text); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// Without a schema for tables but evrun's own, migrations say so.
	admin.admin(t, `ALTER SCHEMA public OWNER TO postgres`, `REVOKE ALL ON SCHEMA public FROM public`)
	if err := s.migrate(t, `CREATE TABLE u (x int)`); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), "GRANT CREATE ON SCHEMA public") {
		t.Error(err)
	}
}
