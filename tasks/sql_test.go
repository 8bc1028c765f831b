package tasks_test

import (
	"database/sql"
	"log/slog"
	"testing"
	"time"

	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/handlers"
)

// sqlHandler makes a handler of the kind sql, on user.registered.
func sqlHandler(t testing.TB, with map[string]any) *tasks.Handler {
	t.Helper()
	action, faults := handlers.Build("sql", with, handlers.Deps{Log: slog.New(slog.DiscardHandler), BaseDir: t.TempDir(), OpenDatabase: sqlite.OpenDatabase})
	for _, f := range faults {
		t.Fatal(f)
	}
	return &tasks.Handler{Name: "sign-up", On: on("user.registered"), Kind: "sql", Action: action}
}

// reader opens the database at path beside the daemon.
func reader(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// BenchmarkBulkSQL is BenchmarkBulk with the kind sql: a table like that of the users, with its unique index.
func BenchmarkBulkSQL(b *testing.B) {
	const table = "CREATE TABLE sign_ups (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL COLLATE NOCASE UNIQUE, event_id TEXT NOT NULL) STRICT"
	const insert = "INSERT INTO sign_ups (name, email, event_id) VALUES (:name, :email, :event) "
	for name, statement := range map[string]string{
		"insert": insert,
		"upsert": insert + "ON CONFLICT (email) DO UPDATE SET name = excluded.name",
		"return": insert + "RETURNING id",
	} {
		b.Run(name, func(b *testing.B) {
			at := path(b)
			d := start(b, at, sqlHandler(b, map[string]any{"statement": statement, "migrate": table,
				"params": map[string]any{"name": "${ data.name }", "email": "${ data.email }", "event": "${ event.id }"}}))
			db := reader(b, at)
			bulk(b, d, func(n int) {
				for last := 0; last < n; wait(time.Millisecond) {
					if err := db.QueryRow("SELECT ifnull(max(id), 0) FROM sign_ups").Scan(&last); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
