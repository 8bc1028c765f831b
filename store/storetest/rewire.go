package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

// rewired returns a store's wiring as text: the active handlers, the schedules with marks, the head, and those of the named tables that exist.
func (d Driver) rewired(t *testing.T, s store.Store, tables ...string) string {
	t.Helper()
	var parts []string
	for _, c := range must(s.Handlers(ctx))(t) {
		if c.State == store.Active {
			parts = append(parts, "handler "+c.Name)
		}
	}
	for name := range must(s.ScheduleMarks(ctx))(t) {
		parts = append(parts, "schedule "+name)
	}
	if must(s.Head(ctx))(t) > 0 {
		parts = append(parts, "event")
	}
	for _, table := range tables {
		// The table exists if it can't be created. The second statement fails, so the creation is undone.
		err := d.migrate(t, s, "CREATE TABLE "+table+" (probe INTEGER)", "INSERT INTO nothing VALUES (1)")
		if err == nil || strings.Contains(err.Error(), "already exists") {
			parts = append(parts, "table "+table)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// tables is a migration of one handler.
func (d Driver) tables(t *testing.T, handler string, texts ...string) store.Migration {
	t.Helper()
	m := store.Migration{Handler: handler}
	for _, text := range texts {
		m.Statements = append(m.Statements, d.parse(t, text))
	}
	return m
}

// rewire tries a wiring with each kind of mistake, checks that nothing has changed, and then applies a valid wiring.
func rewire(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	before := store.Wiring{Handlers: []store.Registration{{Name: "old"}}, Marks: []store.ScheduleMark{{Name: "gone", Since: at, Slot: at}}}
	must(s.Rewire(ctx, before))(t)
	equal(t, "before", d.rewired(t, s), "handler old, schedule gone")
	next := func(more ...store.Migration) store.Wiring {
		return store.Wiring{
			Migrations: append([]store.Migration{d.tables(t, "one", `CREATE TABLE one (x INTEGER)`, `INSERT INTO one VALUES (1)`)}, more...), Within: time.Minute,
			Handlers: []store.Registration{{Name: "one"}, {Name: "two"}}, Marks: []store.ScheduleMark{{Name: "new", Since: at, Slot: at}}, Gone: []string{"gone"},
			Events: []*events.Event{event("a.b", "1")},
		}
	}
	for _, bad := range []store.Migration{
		d.tables(t, "two", `CREATE TABLE two (x INTEGER)`, `CREATE TABLE one (y INTEGER)`),
		d.tables(t, "two", `CREATE TABLE two (x INTEGER REFERENCES users (id))`),
		d.tables(t, "two", `CREATE TABLE two (x INTEGER)`, `DELETE FROM users`),
		d.tables(t, "two", `DROP TABLE events`),
	} {
		_, err := s.Rewire(ctx, next(bad))
		if !errors.Is(err, store.ErrStatement) || !strings.HasPrefix(err.Error(), "handler two: migrate: ") {
			t.Errorf("%v: %v", bad.Statements[0].Key, err)
		}
		equal(t, "after a refusal", d.rewired(t, s, "one", "two"), "handler old, schedule gone")
	}
	_, err := s.Rewire(ctx, next(d.tables(t, "two", `CREATE TABLE two (x INTEGER)`, `CREATE TABLE one (y INTEGER)`)))
	equal(t, "the statement is named", strings.HasPrefix(fmt.Sprint(err), "handler two: migrate: statement 2: "), true)
	got := must(s.Rewire(ctx, next(d.tables(t, "two", `CREATE TABLE two (x INTEGER)`))))(t)
	equal(t, "handlers", len(got), 2)
	equal(t, "the first", got[0].Name, "one")
	equal(t, "after", d.rewired(t, s, "one", "two"), "event, handler one, handler two, schedule new, table one, table two")
	// Again, without handlers.
	must(s.Rewire(ctx, store.Wiring{Migrations: next().Migrations}))(t)
	equal(t, "again", d.rewired(t, s, "one", "two"), "event, handler one, handler two, schedule new, table one, table two")
}

// rewireWithin limits the total time of migrations that do not end, or that are many.
func rewireWithin(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	must(s.Rewire(ctx, store.Wiring{Handlers: []store.Registration{{Name: "old"}}}))(t)
	endlessly := d.tables(t, "slow", `CREATE TABLE slow (x INTEGER)`, `INSERT INTO slow `+endless)
	written := make(chan error, 1)
	for _, m := range [][]store.Migration{{endlessly}, {d.tables(t, "one", `CREATE TABLE one (x INTEGER)`), endlessly, d.tables(t, "two", `CREATE TABLE two (x INTEGER)`)}} {
		go func() {
			_, err := s.Append(ctx, nil)
			written <- err
		}()
		_, err := s.Rewire(ctx, store.Wiring{Migrations: m, Within: 50 * time.Millisecond, Handlers: []store.Registration{{Name: "slow"}}})
		if !errors.Is(err, store.ErrTimeout) || !strings.Contains(err.Error(), ": migrate: statement ") { // on a busy machine it may be an earlier one
			t.Errorf("%v", err)
		}
		if err := <-written; err != nil {
			t.Errorf("another's write: %v", err)
		}
		equal(t, "after", d.rewired(t, s, "one", "slow", "two"), "handler old")
	}
	// A time limit that has passed before the first statement counts, too, even if the statement is fast.
	_, err := s.Rewire(ctx, store.Wiring{Migrations: []store.Migration{d.tables(t, "one", `CREATE TABLE one (x INTEGER)`)}, Within: 1})
	if !errors.Is(err, store.ErrTimeout) {
		t.Errorf("%v", err)
	}
	must(s.Rewire(ctx, store.Wiring{Migrations: []store.Migration{d.tables(t, "one", `CREATE TABLE one (x INTEGER)`)}}))(t)
	equal(t, "without a bound", d.rewired(t, s, "one"), "handler old, table one")
}
