package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"evrun/store"
)

// A new version of SQLite must not bring functions that nobody has reviewed.
func TestEveryFunctionWasLookedAt(t *testing.T) {
	list, err := openUser(t).conn.Pairs(`SELECT DISTINCT lower(name) FROM pragma_function_list`)
	if err != nil || len(list) < 100 {
		t.Fatal(len(list), err)
	}
	for _, f := range list {
		name := f[0]
		_, costly := costs[name]
		if !costly && !plain[name] && !forbidden[name] && !strings.HasPrefix(name, "geopoly_") { // no table of that module can be made
			t.Errorf("%s is neither in costs nor plain nor forbidden", name)
		}
		if costly && plain[name] || costly && forbidden[name] || plain[name] && forbidden[name] {
			t.Errorf("%s is in two of the lists", name)
		}
	}
}

// Functions that can't be stopped are refused in advance, by the size of their arguments: each of these took from seconds to minutes, or gigabytes,
// in one step.
func TestWhatCantBeStoppedIsBounded(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)`, `CREATE TABLE log (x)`, `CREATE VIRTUAL TABLE words USING fts5(word)`,
		`CREATE VIRTUAL TABLE thirds USING "fts5"(word, tokenize='trigram')`, `CREATE TABLE pages (x TEXT)`,
		`CREATE TRIGGER pages_words AFTER INSERT ON pages BEGIN INSERT INTO words VALUES (new.x); END`,
		`CREATE VIEW found AS SELECT id, instr(body, id) AS at FROM docs`,
		`CREATE TABLE checked (x TEXT CHECK (x NOT LIKE '%' || x || 'y%'))`, `CREATE TABLE made (x TEXT, y TEXT AS (replace(x, x, 'b')))`,
		`CREATE TABLE indexed (x TEXT)`, `CREATE INDEX indexed_x ON indexed (trim(x, x))`,
		`CREATE TABLE defaulted (id INTEGER, x TEXT DEFAULT (printf('%.*c', 100000, 'x')))`,
		`CREATE TRIGGER logged AFTER INSERT ON log BEGIN UPDATE docs SET body = 'x' WHERE body GLOB new.x; END`)
	if err := u.SchemaChanged(); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("a", 900_000)
	insert := understood(t, `INSERT INTO docs (body) VALUES (:body)`)
	if _, err := u.Exec(context.Background(), Limit{}, insert, []any{body}); err != nil {
		t.Fatal(err)
	}
	pattern := strings.Repeat("a", 49_000) + "b"
	for _, c := range []struct {
		text string
		args []any
	}{
		{`SELECT count(*) FROM docs WHERE body LIKE '%' || :q || '%'`, []any{pattern}},
		{`SELECT count(*) FROM docs WHERE body LIKE '%b%'`, nil},
		{`SELECT count(*) FROM docs WHERE body GLOB :q`, []any{"*b*"}},
		{`SELECT instr(body, :q) FROM docs`, []any{pattern}},
		{`SELECT length(replace(body, :q, '')) FROM docs`, []any{pattern}},
		{`SELECT length(trim(:x, :q))`, []any{body, pattern}},
		{`SELECT length(ltrim(:x, :q))`, []any{pattern, pattern}},
		{`SELECT length(trim((:x), :q))`, []any{body, pattern}},
		{`SELECT length(trim(substr(:x, (1)), (:q)))`, []any{body, pattern}},
		{`SELECT length("rtrim"(:x, :q))`, []any{pattern, pattern}},
		{`SELECT unhex(:x, :q)`, []any{pattern, pattern}},
		{`SELECT hex(body) FROM docs`, nil},
		{`SELECT length(hex(zeroblob(:n)))`, []any{int64(100_000_000)}},
		{`SELECT length(randomblob(:n))`, []any{int64(1_000_000_000)}},
		{`SELECT length(printf('%.*c', :n, 'x'))`, []any{int64(1_000_000_000)}},
		{`SELECT length(format('%*s', :n, 'x'))`, []any{int64(1_000_000_000)}},
		{`SELECT length(strftime(:f, 'now'))`, []any{strings.Repeat("%J", 40_000)}},
		{`SELECT length(json_patch(:a, :b))`, []any{`{"a":"` + pattern + `"}`, `{"b":1}`}},
		{`SELECT count(*) FROM words WHERE words MATCH :q`, []any{strings.Repeat("a OR ", 1000) + "b"}},
		{`INSERT INTO words VALUES (:x)`, []any{body}},
		{`INSERT INTO words SELECT body FROM docs`, nil},
		{`INSERT INTO thirds VALUES (:x)`, []any{pattern}},
		{`INSERT INTO pages VALUES (:x)`, []any{body}},
		{`SELECT at FROM found`, nil},
		{`INSERT INTO log VALUES (:x)`, []any{body}},
		{`INSERT INTO checked VALUES (:x)`, []any{body}},
		{`INSERT INTO made (x) VALUES (:x)`, []any{body}},
		{`SELECT y FROM made WHERE x = :x`, []any{body}},
		{`INSERT INTO indexed VALUES (:x)`, []any{body}},
		{`INSERT INTO defaulted (id) VALUES (:id)`, []any{int64(1)}},
		{`WITH RECURSIVE c(x) AS (SELECT 'aaaaaaaa' UNION ALL SELECT x || x FROM c) SELECT count(*) FROM c`, nil}, // 1 GB in 27 steps
	} {
		s := understood(t, c.text)
		for range 2 { // kept, too
			_, err := u.Exec(context.Background(), Limit{}, s, c.args)
			if !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), "larger than") && !strings.Contains(err.Error(), "longer than 64 bytes") {
				t.Errorf("%.60s: %v", c.text, err)
			}
		}
	}
	// Small values, and literals in place of the slow argument, still work; so do large values without these functions.
	u = openUser(t)
	u.must(t, `CREATE TABLE docs (body TEXT CHECK (length(trim(body)) > 0))`, `CREATE TABLE keyed (id TEXT DEFAULT (lower(hex(randomblob(16)))), body TEXT)`, `CREATE VIRTUAL TABLE words USING fts5(word)`)
	if err := u.SchemaChanged(); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Exec(context.Background(), Limit{}, understood(t, `INSERT INTO docs VALUES (:x)`), []any{strings.Repeat("b", 60_000)}); err != nil {
		t.Error(err)
	}
	text := strings.Repeat("é", 30_000)
	for _, c := range []struct {
		text string
		args []any
		want any
	}{
		{`SELECT :x LIKE '%éa%'`, []any{text}, int64(0)},
		{`SELECT instr(:x, 'a')`, []any{text}, int64(0)},
		{`SELECT length(replace(:x, 'é', ''))`, []any{text}, int64(0)},
		{`SELECT length(trim(:x)) + length(trim(:x, 'é/'))`, []any{text}, int64(30_000)},
		{`SELECT length(hex(randomblob(16)) || :x)`, []any{body}, int64(900_032)},
		{`INSERT INTO keyed (body) VALUES (:x) RETURNING length(id)`, []any{body}, int64(32)},
		{`SELECT count(*) FROM docs, keyed WHERE keyed.body = :x`, []any{body}, int64(1)},
		{`SELECT strftime('%Y', '2026-01-02') || length(:x)`, []any{body}, "2026900000"},
		{`SELECT length(body || :x) FROM (SELECT :x AS body)`, []any{body}, int64(1_800_000)},
		{`SELECT count(*) FROM json_each(:x)`, []any{`[1,2]`}, int64(2)},
		{`SELECT count(*) FROM words WHERE words MATCH 'a OR b' AND :x > ''`, []any{body}, int64(0)},
	} {
		r, err := u.Exec(context.Background(), Limit{}, understood(t, c.text), c.args)
		if err != nil || r.Rows[0][0] != c.want {
			t.Errorf("%.60s: %v, %v", c.text, r.Rows, err)
		}
	}
}

func TestVirtualTablesAreOfKnownModules(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE VIRTUAL TABLE words USING fts5(word)`, `CREATE VIRTUAL TABLE terms USING fts5vocab(words, row)`, `CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)`,
		`INSERT INTO words VALUES ('hello')`, `INSERT INTO boxes VALUES (1, 0, 1)`)
	for _, text := range []string{`CREATE VIRTUAL TABLE raw USING sqlite_dbpage`, `CREATE VIRTUAL TABLE raw USING SQLITE_DBPAGE('main')`, `CREATE VIRTUAL TABLE raw USING dbstat`,
		`CREATE VIRTUAL TABLE raw USING geopoly(a)`, `CREATE VIRTUAL TABLE raw USING nowhere`} {
		if _, err := u.Exec(context.Background(), Limit{}, understood(t, text), nil); !errors.Is(err, store.ErrStatement) || !strings.Contains(err.Error(), "fts5, fts5vocab, rtree and rtree_i32 are") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{`SELECT data FROM sqlite_dbpage`, `SELECT * FROM DbStat`, `UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1`,
		`INSERT INTO words_data VALUES (1, 'x')`, `SELECT * FROM pragma_module_list`} {
		if _, err := u.Exec(context.Background(), Limit{}, understood(t, text), nil); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{`SELECT term FROM terms`: "hello", `SELECT id FROM boxes WHERE x0 < 1`: "1", `SELECT value FROM json_each('[7]')`: "7"} {
		if r, err := u.Exec(context.Background(), Limit{}, understood(t, text), nil); err != nil || len(r.Rows) != 1 || fmt.Sprint(r.Rows[0][0]) != want {
			t.Errorf("%s: %v, %v", text, r.Rows, err)
		}
	}
}

// An old store may already have such a table: it can be read, but not written.
func TestPagesCantBeWritten(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (x)`)
	if err := u.conn.Exec(`CREATE VIRTUAL TABLE raw USING sqlite_dbpage`); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Exec(context.Background(), Limit{}, understood(t, `UPDATE raw SET data = zeroblob(4096) WHERE pgno = 1`), nil); err == nil {
		t.Error("page 1 was written")
	}
}

// Emptying a table in one step can't be stopped.
func TestATableIsEmptiedRowByRow(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE t (x)`)
	opcodes := func() (list []string) {
		st, err := u.conn.Pairs(`EXPLAIN DELETE FROM t`)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range st {
			list = append(list, p[1])
		}
		return list
	}
	if !slices.Contains(opcodes(), "Clear") {
		t.Error("SQLite clears no table any more")
	}
	defer u.guard.on(rows, nil)()
	if slices.Contains(opcodes(), "Clear") {
		t.Error("under the guard it is cleared at once")
	}
}

// ALTER TABLE calls functions of SQLite's own on the text of the schema.
func TestLargeTablesCanBeAltered(t *testing.T) {
	u := openUser(t)
	u.must(t, `CREATE TABLE wide (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT /* `+strings.Repeat("x", 20_000)+` */, c INTEGER REFERENCES wide (id))`,
		`CREATE INDEX wide_b ON wide (b)`, `CREATE VIEW narrow AS SELECT a, b FROM wide`,
		`CREATE TRIGGER counted AFTER INSERT ON wide BEGIN UPDATE wide SET c = new.id WHERE id = new.id; END`,
		`ALTER TABLE wide RENAME TO wider`, `ALTER TABLE wider RENAME COLUMN a TO name`, `ALTER TABLE wider ADD COLUMN d TEXT DEFAULT 'x' CHECK (d <> '')`,
		`ALTER TABLE wider ADD COLUMN e`, `ALTER TABLE wider DROP COLUMN e`, `INSERT INTO wider (name) VALUES ('Ada')`)
	if r, err := u.Exec(context.Background(), Limit{}, understood(t, `SELECT name, d, c FROM wider`), nil); err != nil || fmt.Sprint(r.Rows) != "[[Ada x 1]]" {
		t.Errorf("%v, %v", r.Rows, err)
	}
}
