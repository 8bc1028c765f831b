package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"evrun/store"
	"evrun/store/postgres"
)

// Sessions are used again: what a migration has left prepared there is in nobody's way.
func TestMigrationsFollowEachOther(t *testing.T) {
	s := open(t, store.Options{})
	for i := range 12 {
		texts := []string{fmt.Sprintf(`CREATE TABLE t%d (x INTEGER)`, i), fmt.Sprintf(`INSERT INTO t%d VALUES (1)`, i)}
		if i%3 == 2 { // it fails when it has been prepared
			texts[1] = fmt.Sprintf(`INSERT INTO t%d SELECT 1 / (x - 1) FROM generate_series(1, 1) x`, i)
		}
		var list []*store.Statement
		for _, text := range texts {
			st, err := postgres.ParseStatement(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, st)
		}
		_, err := s.Rewire(context.Background(), store.Wiring{Migrations: []store.Migration{{Handler: "h", Statements: list}}})
		if (err != nil) != (i%3 == 2) {
			t.Fatalf("%d: %v", i, err)
		}
	}
}
