package erase

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"evrun/store/sqlite/conn"
)

const marker = "MARKER-of-a-person"

// made makes a database in which a marker was often written, moved, and deleted, and returns what is left.
func made(t *testing.T, path, pragmas string, seed uint64) *sql.DB {
	t.Helper()
	if err := conn.OFDLocking(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(query, err)
		}
	}
	exec(pragmas + `; PRAGMA journal_mode = WAL;
		CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT);
		CREATE TABLE b (k TEXT, n INTEGER, text TEXT, PRIMARY KEY (k, n)) WITHOUT ROWID;
		CREATE INDEX a_text ON a (text)`)
	r := rand.New(rand.NewPCG(seed, 1))
	text := func(mark bool) string {
		var b strings.Builder
		n := r.IntN(60)
		if r.IntN(10) == 0 {
			n = r.IntN(3000)
		}
		for range n + 1 {
			fmt.Fprintf(&b, "%x ", r.Uint64())
			if mark {
				b.WriteString(marker)
			}
		}
		return b.String()
	}
	exec(`BEGIN`)
	for i := range 150 {
		mark := r.IntN(3) == 0
		key := "keep"
		if mark {
			key = "mark"
		}
		key = fmt.Sprintf("%s-%d", key, r.IntN(1000))
		exec(`INSERT INTO a (text) VALUES (?)`, text(mark))
		exec(`INSERT OR REPLACE INTO b VALUES (?, ?, ?)`, key, r.IntN(5), text(mark))
		if i%20 == 0 {
			exec(`UPDATE a SET text = text || ? WHERE id % 17 = ?`, " more", i/20%17)
			exec(`DELETE FROM a WHERE id % 23 = ?`, i/20%23)
			exec(`COMMIT; BEGIN`)
		}
	}
	exec(`UPDATE a SET text = 'erased' WHERE text GLOB '*` + marker + `*' AND id % 2`)
	exec(`DELETE FROM a WHERE text GLOB '*` + marker + `*'`)
	exec(`DELETE FROM b WHERE text GLOB '*` + marker + `*'`)
	exec(`COMMIT`)
	for range 200 { // free pages are used again in part
		exec(`INSERT INTO a (text) VALUES (?)`, text(false))
	}
	return db
}

func contents(t *testing.T, db *sql.DB) string {
	t.Helper()
	sum := sha256.New()
	add := func(query string) {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var k, v string
			if err := rows.Scan(&k, &v); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(sum, k, v)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range []string{`SELECT id, text FROM a ORDER BY id`, `SELECT k || n, text FROM b ORDER BY k, n`, `SELECT id, text FROM a INDEXED BY a_text ORDER BY text, id`} {
		add(query)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// Nothing of what was deleted is left in the file, and all that was not is as it was.
func TestNothingIsLeftInUnusedPartsOfPages(t *testing.T) {
	for i, pragmas := range []string{
		`PRAGMA auto_vacuum = INCREMENTAL`, `PRAGMA auto_vacuum = NONE`, `PRAGMA page_size = 512; PRAGMA auto_vacuum = INCREMENTAL`, `PRAGMA page_size = 512`, `PRAGMA page_size = 65536`,
	} {
		path := filepath.Join(t.TempDir(), "a.db")
		db := made(t, path, pragmas, uint64(i))
		want := contents(t, db)
		checkpoint := func() []byte {
			t.Helper()
			if _, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return file
		}
		if n := bytes.Count(checkpoint(), []byte(marker)); n == 0 {
			t.Fatalf("%s: nothing was left before", pragmas)
		}
		if err := Pages(t.Context(), path); err != nil {
			t.Fatalf("%s: %v", pragmas, err)
		}
		if n := bytes.Count(checkpoint(), []byte(marker[:12])); n > 0 {
			t.Errorf("%s: %d are left", pragmas, n)
		}
		var ok string
		if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&ok); err != nil || ok != "ok" {
			t.Errorf("%s: %s, %v", pragmas, ok, err)
		}
		if contents(t, db) != want {
			t.Errorf("%s: the contents have changed", pragmas)
		}
		for range 50 { // and it goes on
			if _, err := db.Exec(`INSERT INTO a (text) SELECT text FROM a LIMIT 10`); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&ok); err != nil || ok != "ok" {
			t.Errorf("%s, later: %s, %v", pragmas, ok, err)
		}
	}
}
