package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
)

func TestWrongSQLIsExplained(t *testing.T) {
	for _, test := range []struct {
		with map[string]any
		want []toldFault
	}{
		{map[string]any{"statement": "INSERT INTO t VALUES (:nme, :b)", "params": map[string]any{"name": "${ data.name }", "c": 1}}, []toldFault{
			{path: "statement", msg: "the parameter :nme has no value under params", hint: `did you mean "name"?`, offset: 22},
			{path: "statement", msg: "the parameter :b has no value under params", hint: "add params: {b: …}", offset: 28},
			{path: "params.c", msg: "the statement has no parameter :c", hint: "it has nme and b", key: true},
			{path: "params.name", msg: "the statement has no parameter :name", hint: `did you mean "nme"?`, key: true},
		}},
		{map[string]any{"statement": "SELECT ':bee', :xyz, :x, :bee", "params": map[string]any{"x": 1, "xyz": 2}}, []toldFault{
			{path: "statement", msg: "the parameter :bee has no value under params", hint: "add params: {bee: …}", offset: 25},
		}},
		{map[string]any{"statement": "SELECT ':a'", "params": map[string]any{"a": 1}}, []toldFault{
			{path: "params.a", msg: "the statement has no parameter :a", hint: "the statement has no parameters", key: true},
		}},
		{map[string]any{"statement": "SELECT 1", "params": "${ data }"}, []toldFault{{path: "params", msg: `"params" must be a mapping, not the text "${ data }"`}}},
		{map[string]any{"statement": "SELECT :a", "params": map[string]any{"a": "${ dat.x }"}}, []toldFault{{path: "params.a", msg: `unknown name "dat"`, hint: `did you mean "data"?`, offset: 3}}},
		{map[string]any{"statement": "DELETE FROM t; DROP TABLE t"}, []toldFault{
			{path: "statement", msg: "a second statement begins here", hint: "write one statement; another one needs a handler of its own", offset: 15},
		}},
		{map[string]any{"statement": "CREATE TABLE t (x)"}, []toldFault{{path: "statement", msg: "CREATE can't run for each event", hint: "list it under migrate, which runs it once; the statement is for each event"}}},
		{map[string]any{"statement": "PRAGMA writable_schema = 1", "migrate": []any{"VACUUM", "INSERT INTO t VALUES (:a)", int64(5)}}, []toldFault{
			{path: "migrate[2]", msg: `"migrate" must be a text, not the number 5`, hint: `quote it: "5"`},
		}},
		{map[string]any{"statement": "PRAGMA writable_schema = 1", "migrate": []any{"VACUUM", "INSERT INTO t VALUES (:a)"}}, []toldFault{
			{path: "migrate[0]", msg: "VACUUM is not allowed"},
			{path: "migrate[1]", msg: "a migration has no event to take parameters from", hint: "write the values out", offset: 22},
			{path: "statement", msg: "PRAGMA is not allowed"},
		}},
		{map[string]any{"statement": "SELECT 1", "hold": "2s"}, []toldFault{{path: "hold", msg: "hold has no effect on a statement that only reads", hint: "set the handler's timeout instead"}}},
		{map[string]any{"statement": "DELETE FROM t", "hold": "2s", "dsn": "x.db"}, []toldFault{{path: "hold", msg: "hold has no effect on another file", hint: "set the handler's timeout instead"}}},
		{map[string]any{"statement": "INSERT INTO docs(docs) VALUES('optimize')"}, []toldFault{{path: "statement",
			msg: "fts5's command 'optimize' can't be stopped, and holds the store for as long as it takes", hint: "say how long that may be with the input hold, such as hold: 5s"}}},
		{map[string]any{"statement": "insert into main.\"docs\" (DOCS) values ('rebuild')"}, []toldFault{{path: "statement",
			msg: "fts5's command 'rebuild' can't be stopped, and holds the store for as long as it takes", hint: "say how long that may be with the input hold, such as hold: 5s"}}},
		{map[string]any{"statement": "INSERT INTO docs (docs) VALUES ('optimize')", "hold": "5s"}, nil},
		{map[string]any{"statement": "INSERT INTO docs (body) VALUES ('optimize')"}, nil},
		{map[string]any{"statement": "DELETE FROM t", "hold": "50ms"}, []toldFault{{path: "hold", msg: "every statement may take 50ms anyway", hint: "leave hold out, or make it longer"}}},
		{map[string]any{"statement": "SELECT 1", "dsn": "postgres://x"}, []toldFault{{path: "dsn", msg: "only an SQLite file can be named here", hint: "write its path"}}},
		{map[string]any{"statement": "SELECT 1", "dsn": ":memory:"}, []toldFault{{path: "dsn", msg: `":memory:" is not a valid path`, hint: "write the path of the file alone"}}},
		{map[string]any{"statement": "SELECT 1", "dsn": "file:x?mode=ro"}, []toldFault{{path: "dsn", msg: `"file:x?mode=ro" is not a valid path`, hint: "write the path of the file alone"}}},
		{map[string]any{"statement": "SELECT 1", "dsn": "${ data.file }"}, []toldFault{{path: "dsn", msg: "a path can't have an expression in it", hint: "each file needs a handler of its own"}}},
	} {
		_, errs := Build("sql", test.with, Deps{ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement})
		if got := faultsOf(errs); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v:\n got %+v\nwant %+v", test.with, got, test.want)
		}
	}
}

// sqlTx answers every statement with a result or an error, and records the arguments.
type sqlTx struct {
	store.Tx
	args   []any
	result store.Result
	err    error
}

func (tx *sqlTx) Exec(_ *store.Statement, args []any) (store.Result, error) {
	tx.args = args
	return tx.result, tx.err
}

func TestParametersAreExact(t *testing.T) {
	for data, want := range map[string]any{
		`null`: nil, `true`: int64(1), `false`: int64(0), `9007199254740993`: int64(9007199254740993), `-9223372036854775808`: int64(math.MinInt64),
		`1.5`: 1.5, `1e3`: 1e3, `""`: "", `"'; DROP TABLE t; --"`: "'; DROP TABLE t; --", `"a\u0000b"`: "a\x00b", `"${ event.id }"`: "${ event.id }",
		`[1,"<b>",{"a":9007199254740993}]`: `[1,"<b>",{"a":9007199254740993}]`, `{}`: `{}`,
		`9223372036854775808`: errLargeNumber, `-9223372036854775809`: errLargeNumber, `1e999`: "the number is too large for a column; string() would keep it as text",
	} {
		action := build[tasks.Inside](t, "sql", map[string]any{"statement": "SELECT :v", "params": map[string]any{"v": "${ data.v }"}}, Deps{ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement})
		effect, err := action.Prepare(delivery(`{"v":` + data + `}`))
		if err != nil {
			if text := fmt.Sprintf("params.v: %v", want); err.Error() != text || reflect.TypeOf(err) != reflect.TypeOf(tasks.Permanent(err)) {
				t.Errorf("%s: %v, want %v", data, err, text)
			}
			continue
		}
		tx := &sqlTx{}
		if _, err := effect.Write(tx); err != nil || !reflect.DeepEqual(tx.args, []any{want}) {
			t.Errorf("%s: %#v, %v", data, tx.args, err)
		}
	}
	for _, v := range []any{uint64(math.MaxInt64 + 1), math.NaN(), math.Inf(-1)} {
		if got, err := sqlArg(v); err == nil {
			t.Errorf("%v: %v", v, got)
		}
	}
	if got, err := sqlArg(uint64(math.MaxInt64)); err != nil || got != int64(math.MaxInt64) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTheResultOfAStatement(t *testing.T) {
	run := func(statement string, tx *sqlTx) (any, error) {
		t.Helper()
		effect, err := build[tasks.Inside](t, "sql", map[string]any{"statement": statement}, Deps{ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement}).Prepare(delivery(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		return effect.Write(tx)
	}
	result, err := run("SELECT 1", &sqlTx{result: store.Result{Columns: []string{"a", "b"}, Rows: [][]any{{int64(1), []byte{0xff}}, {nil, "x"}}}})
	if text, _ := json.Marshal(result); err != nil || string(text) != `{"changes":0,"row":{"a":1,"b":"/w=="},"rows":[{"a":1,"b":"/w=="},{"a":null,"b":"x"}]}` {
		t.Errorf("%s, %v", text, err)
	}
	result, err = run("SELECT 1", &sqlTx{result: store.Result{Columns: []string{"a"}}})
	if text, _ := json.Marshal(result); err != nil || string(text) != `{"changes":0,"row":null,"rows":[]}` {
		t.Errorf("%s, %v", text, err)
	}
	result, err = run("DELETE FROM t", &sqlTx{result: store.Result{Changes: 3}})
	if text, _ := json.Marshal(result); err != nil || string(text) != `{"changes":3,"row":null,"rows":[]}` {
		t.Errorf("%s, %v", text, err)
	}
	if _, err = run("DELETE FROM t RETURNING a, a", &sqlTx{result: store.Result{Columns: []string{"a", "a"}}}); err == nil || err.Error() != `two columns are named "a"; give one another name with AS` {
		t.Error(err)
	}
	for err, permanent := range map[error]bool{
		store.ErrStatement: true, store.ErrConflict: true, store.ErrTimeout: true, store.ErrBusy: false, store.ErrFull: false,
	} {
		_, got := run("DELETE FROM t", &sqlTx{err: fmt.Errorf("wrapped: %w", err)})
		if !errors.Is(got, err) || (reflect.TypeOf(got) == reflect.TypeOf(tasks.Permanent(err))) != permanent {
			t.Errorf("%v: %T", err, got)
		}
	}
}

func TestSQLElsewhere(t *testing.T) {
	dir := t.TempDir()
	deps := Deps{BaseDir: dir, ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement}
	insert := func(migrate any) *sqlElsewhere {
		with := map[string]any{"statement": "INSERT INTO seen VALUES (:id, :v) ON CONFLICT DO NOTHING RETURNING id", "dsn": "other.db",
			"params": map[string]any{"id": "${ event.id }", "v": "${ data.v }"}}
		if migrate != nil {
			with["migrate"] = migrate
		}
		return build[*sqlElsewhere](t, "sql", with, deps)
	}
	permanent := func(err error) bool { return reflect.TypeOf(err) == reflect.TypeOf(tasks.Permanent(err)) }

	missing := insert(nil)
	if _, err := missing.Do(t.Context(), delivery(`{}`)); !errors.Is(err, store.ErrNotFound) || permanent(err) {
		t.Errorf("no file: %v", err)
	}
	wrong := insert("CREATE TABEL seen")
	if _, err := wrong.Do(t.Context(), delivery(`{}`)); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), `near "TABEL"`) {
		t.Errorf("migrate: %v", err)
	}
	h := insert([]any{"CREATE TABLE IF NOT EXISTS seen (id PRIMARY KEY, v)"})
	for _, want := range []string{`{"changes":1,"row":{"id":"e1"},"rows":[{"id":"e1"}]}`, `{"changes":0,"row":null,"rows":[]}`} {
		result, err := h.Do(t.Context(), delivery(`{"v":"'; DROP TABLE seen; --"}`))
		if text, _ := json.Marshal(result); err != nil || string(text) != want {
			t.Errorf("%s, %v", text, err)
		}
	}
	reader := build[*sqlElsewhere](t, "sql", map[string]any{"statement": "SELECT v FROM seen", "dsn": filepath.Join(dir, "other.db")}, deps)
	result, err := reader.Do(t.Context(), delivery(`{}`))
	if text, _ := json.Marshal(result); err != nil || string(text) != `{"changes":0,"row":{"v":"'; DROP TABLE seen; --"},"rows":[{"v":"'; DROP TABLE seen; --"}]}` {
		t.Errorf("%s, %v", text, err)
	}
	stopped, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopping"))
	if _, err := reader.Do(stopped, delivery(`{}`)); err == nil || permanent(err) {
		t.Errorf("stopped: %v", err)
	}
	for _, e := range []*sqlElsewhere{missing, wrong, h, reader} {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkPrepareSQL measures a worker's work for one event.
func BenchmarkPrepareSQL(b *testing.B) {
	action := build[tasks.Inside](b, "sql", map[string]any{"statement": "INSERT INTO t VALUES (:name, :email)",
		"params": map[string]any{"name": "${ data.name }", "email": "${ data.email }"}}, Deps{ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement})
	d := delivery(`{"name":"Ada Lovelace","email":"ada@example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := action.Prepare(d); err != nil {
			b.Fatal(err)
		}
	}
}

// Without a handler's timeout, a statement on another file is stopped, too; a function that can't be stopped is bounded by size.
func TestAStatementElsewhereIsBounded(t *testing.T) {
	deps := Deps{BaseDir: t.TempDir(), ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement}
	for statement, want := range map[string]error{
		"INSERT INTO seen WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c": store.ErrTimeout,
		"INSERT INTO seen SELECT hex(zeroblob(:n))":                                                               store.ErrStatement,
	} {
		with := map[string]any{"statement": statement, "dsn": "other.db", "migrate": "CREATE TABLE IF NOT EXISTS seen (x)"}
		if strings.Contains(statement, ":n") {
			with["params"] = map[string]any{"n": int64(100_000_000)}
		}
		e := build[*sqlElsewhere](t, "sql", with, deps)
		e.timeout = time.Millisecond
		if want == store.ErrStatement {
			e.timeout = time.Hour
		}
		if _, err := e.Do(t.Context(), delivery(`{}`)); !errors.Is(err, want) {
			t.Errorf("%s: %v", statement, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A statement that only reads runs beside the writer.
func TestAStatementThatOnlyReadsHoldsNothing(t *testing.T) {
	for statement, reads := range map[string]bool{"SELECT 1": true, "WITH q AS (SELECT 1) SELECT * FROM q": true, "VALUES (1)": true, "DELETE FROM t RETURNING x": false} {
		action, faults := Build("sql", map[string]any{"statement": statement}, Deps{ParseStatement: sqlite.ParseStatement, ParseFiles: sqlite.ParseStatement})
		if len(faults) > 0 {
			t.Fatal(faults[0])
		}
		_, reading := action.(tasks.Reading)
		_, stating := action.(tasks.Stating)
		if reading != reads || stating == reads {
			t.Errorf("%s: %T", statement, action)
		}
		if shown, err := Show(action, delivery(`{}`).Env); err != nil || shown["statement"] != statement {
			t.Errorf("%s: %v, %v", statement, shown, err)
		}
	}
}
