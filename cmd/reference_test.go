package cmd_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/cmd"
	"evrun/cmd/reference"
	"evrun/store/sqlite"
	"evrun/store/sqlite/schema"
)

// The reference under .github/docs is what the code says.
func TestReference(t *testing.T) {
	docs := filepath.Join("..", ".github", "docs")
	sources := reference.Sources{
		Root: cmd.Root(), Dir: "..", Tables: describedTables(t),
		Help: func(command string) string {
			var out bytes.Buffer
			if code := cmd.Main(nil, append(strings.Fields(command), "--help"), strings.NewReader(""), &out, &out); code != 0 {
				t.Errorf("%s --help: exit code %d", command, code)
			}
			return out.String()
		},
	}
	pages, err := reference.Pages(sources)
	if err != nil {
		t.Fatal(err)
	}
	descriptions := filepath.Join("..", "..", "cmd", "api", "openapi", "descriptions.json")
	if pages[descriptions], err = reference.Descriptions(sources); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(docs, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range pages {
		path := filepath.Join(docs, file)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Error(err)
			}
			continue
		}
		had, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if string(had) != text {
			t.Errorf("%s is not what the code says: go test ./cmd -run TestReference -update\n%s", path, firstDifference(string(had), text))
		}
	}
}

// firstDifference is the first line in which two texts differ.
func firstDifference(had, want string) string {
	a, b := strings.Split(had, "\n"), strings.Split(want, "\n")
	for i, line := range b {
		if i >= len(a) || a[i] != line {
			return "want " + line
		}
	}
	return "want no more than " + b[len(b)-1]
}

// describedTables are the tables and views of a new store, with what schema.Tables says about them. Each has a description, and so has each column.
func describedTables(t *testing.T) (list []reference.Table) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evrun.db")
	if err := sqlite.With(t.Context(), path, sqlite.Options{}, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names := queried(t, db, `SELECT name, '' FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'`)
	for _, doc := range schema.Tables {
		i := slices.IndexFunc(names, func(n [2]string) bool { return n[0] == doc.Name })
		if i < 0 {
			t.Errorf("store/sqlite/schema/docs.go describes %s, which the store does not have", doc.Name)
			continue
		}
		names = slices.Delete(names, i, i+1)
		described := reference.Table{Name: doc.Name, Doc: doc.Doc}
		if doc.Columns != nil {
			columns := queried(t, db, `SELECT name, type FROM pragma_table_xinfo(?)`, doc.Name)
			if len(columns) != len(doc.Columns) {
				t.Errorf("%s has %d columns, and store/sqlite/schema/docs.go describes %d", doc.Name, len(columns), len(doc.Columns))
			}
			for _, c := range columns {
				if doc.Columns[c[0]] == "" {
					t.Errorf("store/sqlite/schema/docs.go does not describe the column %s of %s", c[0], doc.Name)
				}
				described.Columns = append(described.Columns, reference.Column{Name: c[0], Type: c[1], Doc: doc.Columns[c[0]]})
			}
		}
		list = append(list, described)
	}
	for _, n := range names {
		t.Errorf("store/sqlite/schema/docs.go does not describe %s", n[0])
	}
	return list
}

func queried(t *testing.T, db *sql.DB, query string, args ...any) (list [][2]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var pair [2]string
		if err := rows.Scan(&pair[0], &pair[1]); err != nil {
			t.Fatal(err)
		}
		list = append(list, pair)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
