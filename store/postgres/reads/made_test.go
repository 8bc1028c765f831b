package reads

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/schema"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

var begun = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// made is a store with a journal, and the queries that were asked of its reader.
type made struct {
	*Reader
	config *pgxpool.Config

	mu    sync.Mutex
	asked []asked
}

type asked struct {
	query string
	args  []any
}

// TraceQueryStart implements [pgx.QueryTracer].
func (m *made) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.HasPrefix(data.SQL, "SET") {
		m.mu.Lock()
		m.asked = append(m.asked, asked{data.SQL, data.Args})
		m.mu.Unlock()
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (m *made) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// journal makes a store with n events, one a second, and their runs. Most are of the type common.made, which the handler most runs on; each 10th is of
// kind.a to kind.z, each 1,000th is rare, for the handler few. Of the runs, some retry, and some are dead.
func journal(t testing.TB, n int) *made {
	t.Helper()
	config, err := pgxpool.ParseConfig(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	m := &made{config: config.Copy()}
	c, err := pgx.ConnectConfig(t.Context(), config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := schema.Migrate(t.Context(), c, func() string { return "aaaaaaaa" }); err != nil {
		t.Fatal(err)
	}
	values := strings.NewReplacer("COUNT", strconv.Itoa(n), "BEGUN", strconv.FormatInt(begun.UnixMicro(), 10))
	for _, fill := range []string{
		`INSERT INTO evrun.handlers (name, active, patterns, since) VALUES ('most', true, '["common.*"]', 0), ('few', true, '["rare"]', 0), ('kinds', true, '["kind.>"]', 0)`,
		`INSERT INTO evrun.shares (handler, slots, low_water) VALUES (1, 15, COUNT), (1, ~15::bigint, COUNT - 7), (2, -1, COUNT / 2), (3, -1, 0)`,
		`INSERT INTO evrun.events (sequence, id, source, type, time, accepted_at, data, bytes, datacontenttype, chain, cause, extensions)
			SELECT i, CASE WHEN i % 1000 = 0 THEN 'twice' ELSE 'e' || i END, CASE WHEN i % 100 = 7 THEN '/seldom' ELSE '/usual/' || i / 1000 END,
				CASE WHEN i % 1000 = 1 THEN 'rare' WHEN i % 10 = 0 THEN 'kind.' || chr((97 + i / 10 % 26)::int) ELSE 'common.made' END, BEGUN + i * 1000000, BEGUN + i * 1000000,
				CASE WHEN i % 50 <> 3 THEN '{"number":' || i || CASE WHEN i % 70 = 0 THEN ',"x":"\u00e4"' ELSE '' END || '}' END, CASE WHEN i % 50 = 3 THEN '\x00ff'::bytea END,
				CASE WHEN i % 50 = 3 THEN 'application/octet-stream' END, CASE WHEN i % 20 > 15 THEN i - i % 20 + 15 END, CASE WHEN i % 20 > 15 THEN i - 1 END,
				CASE WHEN i % 90 = 0 THEN '{"@replayof":0,"@target":"few"}' WHEN i % 91 = 0 THEN '{"a":"\"@target\":\"few\""}' END
			FROM generate_series(1, COUNT::bigint) i`,
		`INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, finished_at, next_attempt_at, error, reason, joined)
			SELECT sequence, 1, s, 1 + (s IN (2, 5))::int, time, CASE WHEN s > 1 THEN time + 500 END, CASE WHEN s = 2 THEN time + 1000 * (sequence % 7) END, CASE WHEN s IN (2, 5) THEN 'error ' || sequence % 3 END,
				CASE WHEN s = 6 THEN 'dropped' END, CASE WHEN s = 4 AND sequence % 2 = 0 THEN sequence - 1 END
			FROM (SELECT *, CASE WHEN sequence % 97 = 0 THEN 5 WHEN sequence % 211 = 0 THEN 2 WHEN sequence % 503 = 0 THEN 1 WHEN sequence % 301 = 0 THEN 6 WHEN sequence % 5 = 2 THEN 4 ELSE 3 END AS s
				FROM evrun.events WHERE type = 'common.made' AND sequence % 13 <> 4) e`,
		`INSERT INTO evrun.runs (sequence, handler, state, attempt, started_at, finished_at, began_as)
			SELECT sequence, 2, 3, 1, time, time, CASE WHEN sequence % 3000 = 1 THEN 3 END FROM evrun.events WHERE type = 'rare' AND sequence % 7 > 0`,
		`INSERT INTO evrun.attempts SELECT sequence, handler, 1, started_at, finished_at, error FROM evrun.runs WHERE error IS NOT NULL`,
		`UPDATE evrun.journal SET head = COUNT`,
		`DELETE FROM evrun.events WHERE sequence % 1000 BETWEEN 600 AND 605 AND sequence < COUNT / 2`,
	} {
		if _, err := c.Exec(t.Context(), values.Replace(fill)); err != nil {
			t.Fatalf("%s: %v", fill, err)
		}
	}
	config.ConnConfig.Tracer = m
	if m.Reader, err = Open(t.Context(), config, "aaaaaaaa"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
