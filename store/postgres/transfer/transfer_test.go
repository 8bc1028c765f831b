package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	pg "evrun/store/postgres/transfer"
	"evrun/store/sqlite"
	"evrun/store/sqlite/conn"
	lite "evrun/store/sqlite/transfer"
	"evrun/store/storetest/steps"
	"evrun/store/transfer"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

var ctx = context.Background()

// filled makes a store in a file with a bit of everything, and n events more.
func filled(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evrun.db")
	err := sqlite.With(ctx, path, sqlite.Options{}, func(s *sqlite.Store) error { return fill(t, s, n) })
	if err != nil {
		t.Fatal(err)
	}
	c, err := conn.Open(conn.Writer(path, "NORMAL"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(`CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, weight REAL, raw BLOB, at DATETIME, some);
		INSERT INTO notes VALUES (1, 'a' || char(9) || 'b\' || char(10), 1.5, x'00ff', '2026-11-27 10:00:00', 7), (5, NULL, 1e300, NULL, NULL, 'x');
		CREATE TABLE "Two Keys" (b TEXT, a INTEGER, n NUMERIC(10, 2), PRIMARY KEY (a, b)) WITHOUT ROWID;
		INSERT INTO "Two Keys" VALUES ('x', 2, 1.25), ('y', 1, NULL);
		CREATE TABLE empty (x)`); err != nil {
		t.Fatal(err)
	}
	return path
}

func fill(t *testing.T, s *sqlite.Store, n int) error {
	list := steps.Must(s.Register(ctx, []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.b")}}, {Name: "gone"}}, nil))(t)
	h := list[0]
	rich := steps.Event("a.b", "rich")
	rich.Subject, rich.Data, rich.DataContentType = "zoë@example.com", []byte{0, 1, 255}, "application/octet-stream"
	rich.Extensions = map[string]any{"n": int64(9007199254740993), "yes": true}
	evs := []*events.Event{rich, steps.Event("a.b", "2"), steps.Event("a.b", "3"), steps.Event("other", "4\n\\.\t")}
	if _, err := s.Append(ctx, evs); err != nil {
		return err
	}
	failed := steps.Outside(evs[1], h.ID, 1, store.Dead)
	failed.Outcome.Error = "line 1\nline 2\\\x00"
	failed.Output = &store.Output{Status: "exit status 3", Streams: []store.Stream{{Name: "stdout", Head: "héllo\n"}}}
	skipped := steps.Outside(evs[2], h.ID, 1, store.Skipped)
	skipped.When = `data.x > 1`
	user := store.Settlement{Event: rich, Handler: h.ID, Attempt: 1, Started: steps.At, Insert: &store.UserInsert{User: store.User{Name: "Zoë", Email: "zoë@example.com", EventID: "rich",
		Attributes: []byte(`{"a":1}`)}, Then: func(store.User, error) store.Outcome { return store.Outcome{State: store.Succeeded} }}}
	if _, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{failed, skipped, user}, Marks: []store.Mark{{Handler: h.ID, LowWater: 2}}}); err != nil {
		return err
	}
	if err := s.CreateToken(ctx, store.Token{Name: "ci", Hash: []byte(strings.Repeat("x", 32)), Rights: []string{"emit"}, By: "ada"}, nil); err != nil {
		return err
	}
	if err := s.SaveMarks(ctx, []store.ScheduleMark{{Name: "nightly", Since: steps.At, Slot: steps.At, Timing: "x", Paused: true}}, nil); err != nil {
		return err
	}
	if _, err := s.StartBatch(ctx, store.Batch{ID: "b", Action: "retry", Details: []byte(`{}`), By: "ada", Total: 3}, nil); err != nil {
		return err
	}
	if _, err := s.Pause(ctx, "gone", store.Pause{By: "ada", Why: "why"}, nil); err != nil {
		return err
	}
	if _, err := s.Register(ctx, []store.Registration{{Name: "h", On: []events.Pattern{events.MustPattern("a.b")}}}, nil); err != nil {
		return err
	}
	for at := 0; at < n; at += 1000 {
		evs := make([]*events.Event, min(1000, n-at))
		for i := range evs {
			evs[i] = steps.Event("a.b", fmt.Sprint("n", at+i))
			evs[i].Data = fmt.Appendf(nil, `{"n":%d,"name":"Ada Lovelace","email":"ada%d@example.com"}`, at+i, at+i)
		}
		steps.Must(s.Append(ctx, evs))(t)
		batch := store.SettleBatch{Marks: []store.Mark{{Handler: h.ID, LowWater: evs[len(evs)-1].Sequence}}}
		for _, e := range evs {
			batch.Settlements = append(batch.Settlements, steps.Outside(e, h.ID, 1, store.Succeeded))
		}
		steps.Must(s.Settle(ctx, batch))(t)
	}
	return nil
}

// dump is all that a store in a file has, as text.
func dump(t *testing.T, path string, tables ...string) string {
	t.Helper()
	s, err := lite.OpenSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b strings.Builder
	plan, err := transfer.Plan(ctx, s, tables)
	if err != nil {
		t.Fatal(err)
	}
	head, err := s.Head(ctx)
	fmt.Fprintln(&b, s.ID(), head, err)
	for i := range plan {
		fmt.Fprintln(&b, plan[i].Name)
		var lines []string
		for row, err := range s.Rows(ctx, &plan[i], nil) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%#v", row))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

// same compares dumps of evrun's own tables, the second one of what was in PostgreSQL.
func same(t *testing.T, was, now string) {
	t.Helper()
	was, _, _ = strings.Cut(was, "Two Keys\n")
	a, b := strings.Split(strings.ReplaceAll(was, `\x00`, "\ufffd"), "\n"), strings.Split(now, "\n")
	if len(a) != len(b) {
		t.Errorf("it has %d lines, not %d", len(b), len(a))
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("line %d was %s\nand is %s", i, a[i], b[i])
		}
	}
}

func moved(t *testing.T, from transfer.Source, to transfer.Target, o transfer.Options) *transfer.Result {
	t.Helper()
	o.To, o.Now = "there", time.Now()
	r, err := transfer.Run(ctx, from, to, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []transfer.Reader{from, to} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func must[T any](v T, err error) func(*testing.T) T { return steps.Must(v, err) }

func TestAStoreGoesThereAndBackAsItIs(t *testing.T) {
	path, address := filled(t, 3000), postgrestest.Database(t)
	was := dump(t, path, "*")
	r := moved(t, must(lite.OpenSource(path))(t), must(pg.OpenTarget(ctx, address))(t), transfer.Options{Tables: []string{"*"}})
	for _, d := range r.Tables {
		if d.Checked == (d.Name == "notes" || d.Name == "Two Keys" || d.Name == "empty") {
			t.Errorf("%+v", d)
		}
		if want := int64(0); d.Name == "runs" || d.Name == "attempts" {
			want = 1
			if d.Cleaned != want {
				t.Errorf("%+v", d)
			}
		}
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, store.ErrMoved) || !strings.Contains(err.Error(), "there") {
		t.Errorf("the source is opened: %v", err)
	}
	c := must(pgx.Connect(ctx, address))(t)
	defer c.Close(ctx)
	for _, x := range [][2]string{
		{`SELECT string_agg(concat_ws('|', id, text, weight, raw, at, "some"), ';' ORDER BY id) FROM notes`, "1|a\tb\\\n|1.5|\\x00ff|2026-11-27 10:00:00|7;5|1e+300|x"},
		{`SELECT string_agg(concat_ws('|', b, a, n), ';' ORDER BY a) FROM "two keys"`, "y|1;x|2|1.25"},
		{`INSERT INTO evrun.handlers (name, active, since) VALUES ('new', false, 0) RETURNING id::text`, "3"},
		{`DELETE FROM evrun.handlers WHERE name = 'new' RETURNING 'gone'`, "gone"},
		{`INSERT INTO evrun.users (name, email, created_at, event_id) VALUES ('', 'x', 0, '') RETURNING id::text`, "2"},
		{`DELETE FROM evrun.users WHERE email = 'x' RETURNING 'gone'`, "gone"},
		{`SELECT string_agg(concat_ws('|', handler, slots, low_water), ';' ORDER BY handler) FROM evrun.shares WHERE handler > 0`, "1|-1|3004;2|-1|0"},
	} {
		got := ""
		if err := c.QueryRow(ctx, x[0]).Scan(&got); err != nil || got != x[1] {
			t.Errorf("%s: %q, %v", x[0], got, err)
		}
	}
	back := filepath.Join(t.TempDir(), "back.db")
	moved(t, must(pg.OpenSource(ctx, address))(t), must(lite.OpenTarget(back))(t), transfer.Options{})
	same(t, was, dump(t, back))
	if _, err := postgres.Open(ctx, address, postgres.Options{}); !errors.Is(err, store.ErrMoved) {
		t.Errorf("the source is opened: %v", err)
	}
	if _, err := c.Exec(ctx, `UPDATE evrun.journal SET head = head + 1`); err == nil {
		t.Error("an event is accepted where it would be lost")
	}
	if _, err := pg.OpenSource(ctx, address); err != nil {
		t.Errorf("a source that was moved can be read: %v", err)
	}
}

// interrupted is a target whose transactions fail at times, before or after they are committed.
type interrupted struct {
	transfer.Target
	r *rand.Rand
}

var errCut = errors.New("cut off")

func (i *interrupted) Put(ctx context.Context, t *transfer.Table, part iter.Seq2[[]transfer.Row, error], a *transfer.Arrival) error {
	switch i.r.IntN(12) {
	case 0:
		return errCut
	case 1:
		return i.Target.Put(ctx, t, func(yield func([]transfer.Row, error) bool) {
			for rows, err := range part {
				if i.r.IntN(2) == 0 {
					yield(nil, errCut)
					return
				}
				if !yield(rows, err) {
					return
				}
			}
		}, a)
	case 2:
		if err := i.Target.Put(ctx, t, part, a); err != nil {
			return err
		}
		return errCut
	}
	return i.Target.Put(ctx, t, part, a)
}

func TestAnInterruptedTransferGoesOn(t *testing.T) {
	path, address := filled(t, 3000), postgrestest.Database(t)
	was := dump(t, path, "*")
	r := rand.New(rand.NewPCG(1, 2))
	cut := 0
	until := func(from func() transfer.Source, to func() transfer.Target) {
		t.Helper()
		for {
			source, target := from(), to()
			_, err := transfer.Run(ctx, source, &interrupted{target, r}, transfer.Options{Tables: []string{"notes"}, To: "there", Now: time.Now(), PartRows: 200})
			if cerr := errors.Join(source.Close(), target.Close()); cerr != nil {
				t.Fatal(cerr)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			cut++
		}
	}
	until(func() transfer.Source { return must(lite.OpenSource(path))(t) }, func() transfer.Target { return must(pg.OpenTarget(ctx, address))(t) })
	back := filepath.Join(t.TempDir(), "back.db")
	until(func() transfer.Source { return must(pg.OpenSource(ctx, address))(t) }, func() transfer.Target { return must(lite.OpenTarget(back))(t) })
	if cut < 4 {
		t.Errorf("it was only cut %d times", cut)
	}
	same(t, was, dump(t, back))
}

func TestTransfersThatAreRefused(t *testing.T) {
	path, address := filled(t, 0), postgrestest.Database(t)
	run := func(from transfer.Source, to transfer.Target, tables ...string) error {
		t.Helper()
		_, err := transfer.Run(ctx, from, to, transfer.Options{To: "there", Now: time.Now(), Tables: tables})
		return errors.Join(err, from.Close(), to.Close())
	}
	source := func() transfer.Source { return must(lite.OpenSource(path))(t) }
	target := func() transfer.Target { return must(pg.OpenTarget(ctx, address))(t) }
	if err := run(source(), target(), "none"); err == nil || !strings.Contains(err.Error(), "no table none") {
		t.Errorf("a table that does not exist: %v", err)
	}
	open := source()
	if _, err := lite.OpenSource(path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while it is moved: %v", err)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	c := must(pgx.Connect(ctx, address))(t)
	defer c.Close(ctx)
	must(c.Exec(ctx, `CREATE TABLE notes (id bigint, text text, weight double precision, raw bytea, at timestamptz, more text)`))(t)
	if err := run(source(), target(), "notes"); !errors.Is(err, transfer.ErrColumns) {
		t.Errorf("another table of the name: %v", err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, store.ErrMoved) {
		t.Errorf("half moved: %v", err)
	}
	must(c.Exec(ctx, `ALTER TABLE notes ADD "some" text; INSERT INTO notes (id) VALUES (1)`))(t)
	if err := run(source(), target(), "notes"); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("a table with rows: %v", err)
	}
	must(c.Exec(ctx, `DELETE FROM notes`))(t)
	other := filled(t, 0)
	if err := run(must(lite.OpenSource(other))(t), target()); !errors.Is(err, transfer.ErrOther) {
		t.Errorf("another source: %v", err)
	}
	reopened := source()
	if _, err := transfer.Reopen(ctx, reopened); err != nil {
		t.Error(err)
	}
	if err := reopened.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.With(ctx, path, sqlite.Options{}, func(*sqlite.Store) error { return nil }); err != nil {
		t.Errorf("reopened: %v", err)
	}
	if err := run(source(), target(), "notes"); !errors.Is(err, transfer.ErrOther) {
		t.Errorf("after it was used: %v", err)
	}
	must(c.Exec(ctx, `DROP SCHEMA evrun CASCADE`))(t)
	if err := run(source(), target(), "notes"); err != nil {
		t.Errorf("from the beginning: %v", err)
	}
	moved := &transfer.MovedError{}
	if err := run(source(), must(lite.OpenTarget(filepath.Join(t.TempDir(), "x.db")))(t)); !errors.As(err, &moved) {
		t.Errorf("moved again: %v", err)
	}
	if err := run(must(lite.OpenSource(other))(t), target()); !errors.Is(err, transfer.ErrNotEmpty) {
		t.Errorf("onto a store: %v", err)
	}
	must(c.Exec(ctx, `WITH n AS (INSERT INTO evrun.nodes (name, version, labels, wiring, started_at) VALUES ('n', '', '{}', '', 0) RETURNING id)
		INSERT INTO evrun.beats (node, expires_at) SELECT id, now() + interval '3 seconds' FROM n`))(t)
	if _, err := pg.OpenSource(ctx, address); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while a daemon is alive: %v", err)
	}
}
