package reads

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
)

// plan is a node of a plan, as far as the test minds.
type plan struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Again    float64 `json:"Rows Removed by Index Recheck"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []plan
}

// read is how many rows of events and runs a plan has read.
func (p *plan) read() (rows int) {
	if p.Relation == "events" || p.Relation == "runs" {
		rows = int((p.Rows + p.Removed + p.Again) * p.Loops)
	}
	for i := range p.Plans {
		rows += p.Plans[i].read()
	}
	return rows
}

// Each question reads about what it answers, and not the journal, whether or not the server has statistics of the tables.
func TestQueriesReadLittle(t *testing.T) {
	n := storetest.Size(t, "EVRUN_READS", 40_000, 40_000)
	m := journal(t, n)
	c, err := pgx.ConnectConfig(t.Context(), m.config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), `SET default_transaction_read_only = off`); err != nil {
		t.Fatal(err)
	}
	tail := int64(n - 500)
	most := store.Consumer{ID: 1, Name: "most", LowWater: tail, On: []events.Pattern{events.MustPattern("common.*")}}
	pattern := func(texts ...string) (list []events.Pattern) {
		for _, text := range texts {
			list = append(list, events.MustPattern(text))
		}
		return list
	}
	eventsOf := func(q store.EventQuery) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := m.Events(ctx, q)
			return err
		}
	}
	runsOf := func(q store.RunQuery) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := m.ScanRuns(ctx, q, 4096)
			return err
		}
	}
	questions := []struct {
		name string
		most int // rows
		ask  func(context.Context) error
	}{
		{"a page of all", 1200, eventsOf(store.EventQuery{After: 10})},
		{"the last ones", 120, eventsOf(store.EventQuery{Last: true, Limit: 100})},
		{"what a handler reads next", 2500, eventsOf(store.EventQuery{After: tail, Patterns: most.On, WithoutRun: 1, TakenBy: &most, Slots: 255, Limit: 1000})},
		{"a page of what a handler reads", 2500, eventsOf(store.EventQuery{After: 5, Patterns: most.On, Limit: 1000})},
		{"all events that are rare", 3 * n / 1000, eventsOf(store.EventQuery{Patterns: pattern("rare")})},
		{"rare ones and those of a kind", 250, eventsOf(store.EventQuery{Patterns: pattern("rare", "kind.c"), Last: true, Limit: 100})},
		{"those of all kinds", 400, eventsOf(store.EventQuery{Patterns: pattern("kind.>"), Last: true, Limit: 100})},
		{"what is not there", 100, eventsOf(store.EventQuery{Patterns: pattern("none")})},
		{"since a time", 300, eventsOf(store.EventQuery{Since: begun.Add(time.Duration(n/2) * time.Second), Limit: 100})},
		{"a chain", 30, eventsOf(store.EventQuery{Chain: 8015})},
		{"an id", 10, eventsOf(store.EventQuery{ID: "e77"})},
		{"by sequences", 10, eventsOf(store.EventQuery{Sequences: []int64{5, 900, 30_000}})},
		{"an event", 1 + n/1000, func(ctx context.Context) error {
			_, err := m.Event(ctx, "twice")
			return err
		}},
		{"the latest runs", 400, runsOf(store.RunQuery{Limit: 100})},
		{"dead ones", 3000, runsOf(store.RunQuery{State: store.Dead, Limit: 100})},
		{"running ones of a handler", 2000 + n/70, runsOf(store.RunQuery{State: store.Running, Handler: "most"})},
		{"retrying ones, oldest first", 3000, runsOf(store.RunQuery{States: []store.RunState{store.Retrying, store.Running}, Oldest: true, Limit: 50})},
		{"dead ones on rare events", 15_000, runsOf(store.RunQuery{State: store.Dead, Patterns: pattern("rare")})},
		{"runs on rare events", 4 * n / 1000, runsOf(store.RunQuery{Patterns: pattern("rare")})},
		{"runs of a handler that runs seldom", 10_000, runsOf(store.RunQuery{Handler: "few", Limit: 10})},
		{"runs of an event", 20, runsOf(store.RunQuery{Sequence: 8001})},
		{"runs of a chain", 60, runsOf(store.RunQuery{Chain: 8015})},
		{"a run", 10, func(ctx context.Context) error {
			_, err := m.FindRun(ctx, "8002-most-aaaaaaaa")
			return err
		}},
		{"pending runs", 400, func(ctx context.Context) error {
			_, err := m.Pending(ctx, 1, store.AllSlots, 100)
			return err
		}},
		{"pending runs, in order", 3 * n / 200, func(ctx context.Context) error {
			_, err := m.PendingAfter(ctx, 1, 1000, 100)
			return err
		}},
		{"counts", 3 * n / 90, func(ctx context.Context) error {
			_, err := m.Counts(ctx)
			return err
		}},
		{"what waits", 2000, func(ctx context.Context) error {
			_, _, err := m.CountWaiting(ctx, most, 0)
			return err
		}},
		{"the types", 200, func(ctx context.Context) error {
			_, err := m.Types(ctx, "", 100)
			return err
		}},
		{"joined", 10, func(ctx context.Context) error {
			_, err := m.Joined(ctx, 1, 1)
			return err
		}},
		{"copies", 100, func(ctx context.Context) error {
			_, err := m.Copies(ctx, []int64{8015, 77})
			return err
		}},
		{"a count of the dead", 20_000, func(ctx context.Context) error {
			_, err := m.TallyRuns(ctx, store.RunQuery{State: store.Dead}, 4096)
			return err
		}},
	}
	for _, known := range []struct{ name, by string }{
		{"without statistics", `DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'evrun'::regnamespace)`},
		{"with statistics", `ANALYZE`},
	} {
		if _, err := c.Exec(t.Context(), known.by); err != nil {
			t.Fatal(err)
		}
		for _, question := range questions {
			t.Run(question.name+", "+known.name, func(t *testing.T) {
				m.asked = nil
				begun := time.Now()
				if err := question.ask(t.Context()); err != nil {
					t.Fatal(err)
				}
				took, rows, plans := time.Since(begun), 0, ""
				for _, a := range m.asked {
					var text string
					if err := c.QueryRow(t.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) `+a.query, a.args...).Scan(&text); err != nil {
						t.Fatalf("%s: %v", a.query, err)
					}
					var of []struct{ Plan plan }
					if err := json.Unmarshal([]byte(text), &of); err != nil {
						t.Fatal(err)
					}
					rows += of[0].Plan.read()
					plans += a.query + "\n" + text + "\n"
				}
				t.Logf("%d rows, %d queries, %v", rows, len(m.asked), took)
				if rows > question.most {
					t.Errorf("it reads %d rows, want at most %d:\n%s", rows, question.most, plans)
				}
			})
		}
	}
}

// TestNoReadLastsForever: a query that does not end is ended, and says why. What the reader asks can't write.
func TestNoReadLastsForever(t *testing.T) {
	m := journal(t, 10)
	if _, err := list(t.Context(), m.Reader, number, `DELETE FROM evrun.events RETURNING sequence`); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write: %v", err)
	}
	if !storetest.Long() {
		return
	}
	if _, err := list(t.Context(), m.Reader, number, `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`); !errors.Is(err, store.ErrBusy) {
		t.Errorf("an endless one: %v", err)
	}
}
