package search_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/sqlite/sqlitetest"
	"evrun/store/storetest"
	"evrun/tasks/search"
)

// On a large journal, the first page of every list looks at little of it, whatever type, source, handler or state is asked for. The test prints how
// long each list and search takes, the first page and until it has what it wants, with a warm cache:
//
//	EVRUN_JOURNAL=5000000 go test -timeout 30m -run TestALargeJournal -v ./tasks/search # 20,000 events; 200,000 with EVRUN_PROOFS=long
//
// EVRUN_JOURNAL_FILE keeps the store there, and uses it again.
func TestALargeJournalIsSearchedFast(t *testing.T) {
	n := storetest.Size(t, "EVRUN_JOURNAL", 20_000, 200_000)
	path := cmp.Or(os.Getenv("EVRUN_JOURNAL_FILE"), filepath.Join(t.TempDir(), "evrun.db"))
	if _, err := os.Stat(path); err != nil {
		t.Logf("the migration of %d events took %v", n, sqlitetest.LargeJournal(t, path, n).Round(time.Millisecond))
	}
	s, err := sqlite.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	last := strconv.Itoa(n / 100 * 98)
	middle := sqlitetest.JournalBegin.Add(time.Duration(n/2) * 20 * time.Millisecond)
	for _, x := range []struct {
		runs  bool
		looks int64 // at most, for the first page; 0: as much as a step may
		found int   // in all; -1: as many as are wanted; -2: the rare ones
		sel   search.Selection
	}{
		{false, 200, -1, search.Selection{}},
		{false, 200, -1, search.Selection{Types: []string{"user.registered"}}},
		{false, 8192, -2, search.Selection{Types: []string{"rare.thing"}}},
		{false, 8192, -2, search.Selection{Types: []string{"rare.*"}}},
		{false, 8192, -2, search.Selection{Types: []string{"*.thing"}, Source: "/shop/web", Until: middle}},
		{false, 0, 0, search.Selection{Types: []string{"none.such"}}},
		{false, 0, 0, search.Selection{Types: []string{"none.*"}}},
		{false, 0, 0, search.Selection{Source: "/none"}},
		{false, 200, -1, search.Selection{Since: middle}},
		{true, 200, -1, search.Selection{}},
		{true, 400, -1, search.Selection{Handler: "save-user"}},
		{true, 200, -1, search.Selection{Handler: "announce"}},
		{true, 8192, -2, search.Selection{Handler: "rare"}},
		{true, 0, 0, search.Selection{Handler: "never"}},
		{true, 0, 0, search.Selection{Handler: "no-such"}},
		{true, 200, -1, search.Selection{States: []string{"succeeded"}}},
		{true, 20_000, -1, search.Selection{States: []string{"skipped"}}},
		{true, 2000, -1, search.Selection{States: []string{"dead"}}},
		{true, 0, 0, search.Selection{States: []string{"running"}}},
		{true, 0, 0, search.Selection{States: []string{"retrying"}}},
		{true, 0, 0, search.Selection{States: []string{"dropped"}}},
		{true, 0, 0, search.Selection{States: []string{"cancelled"}}},
		{true, 0, 0, search.Selection{Handler: "save-user", States: []string{"dead"}}},
		{true, 20_000, -1, search.Selection{Handler: "save-user", States: []string{"skipped"}}},
		{true, 0, 0, search.Selection{Handler: "announce", States: []string{"succeeded"}}},
		{true, 8192, -2, search.Selection{Types: []string{"rare.thing"}}},
		{true, 0, 0, search.Selection{Types: []string{"order.paid"}, Handler: "save-user"}}, // both are everywhere, and never together
		{true, 0, 0, search.Selection{Types: []string{"rare.thing"}, States: []string{"dead"}}},
		// A text that the data must have; 20 hits among the newest 100,000 of the type.
		{false, 0, -1, search.Selection{Types: []string{"user.registered"}, Where: `data.plan == "gold"`}},
		{false, 0, 1, search.Selection{Types: []string{"user.registered"}, Where: `data.email == "visitor-` + last + `@example.com"`}},
		{false, 0, 0, search.Selection{Where: `data.plan == "platinum"`}},
		// No text: each event is decoded.
		{false, 0, -1, search.Selection{Types: []string{"user.registered"}, Where: `data.total > 970`}},
		{false, 0, -1, search.Selection{Types: []string{"user.registered"}, Where: `data.total > 970 and data.plan != "free"`}},
		{true, 0, -1, search.Selection{States: []string{"dead"}, Where: `data.total == 3`}},
		{true, 0, -1, search.Selection{Where: `run.error contains "refused"`}},
	} {
		var warm time.Duration
		for range 2 {
			first, all, looked, found := timed(t, s, x.runs, x.sel)
			if x.looks > 0 && looked > x.looks {
				t.Errorf("%+v: the first page looked at %d", x.sel, looked)
			}
			if x.found >= 0 && found != x.found || x.found == -2 && found != (n-7)/2_000_006+1 && x.sel.Until.IsZero() {
				t.Errorf("%+v: found %d", x.sel, found)
			}
			if warm > 0 {
				t.Logf("first page %8v, %3d found in %8v: %s", first.Round(10*time.Microsecond), found, all.Round(10*time.Microsecond), words(x.runs, x.sel))
			}
			warm = all
		}
	}
}

func words(runs bool, sel search.Selection) string {
	parts := []string{"events"}
	if runs {
		parts[0] = "runs"
	}
	for _, part := range []struct{ flag, value string }{
		{"type", strings.Join(sel.Types, ",")}, {"source", sel.Source}, {"handler", sel.Handler}, {"state", strings.Join(sel.States, ",")}, {"where", sel.Where},
	} {
		if part.value != "" {
			parts = append(parts, fmt.Sprintf("--%s %q", part.flag, part.value))
		}
	}
	if !sel.Since.IsZero() {
		parts = append(parts, "--since …")
	}
	if !sel.Until.IsZero() {
		parts = append(parts, "--until …")
	}
	return strings.Join(parts, " ")
}

// timed searches for 100 items, or for 20 with a condition, up to 10 s.
func timed(t *testing.T, s store.Store, runs bool, sel search.Selection) (first, all time.Duration, looked int64, found int) {
	t.Helper()
	want := 100
	if sel.Where != "" {
		want = 20
	}
	began := time.Now()
	page := func(after string) (items int, scanned int64, next string) {
		if runs {
			q, err := sel.Runs(t.Context(), s)
			q.After, q.Limit = after, want-found
			page, perr := search.Runs(t.Context(), s, q)
			if err = cmp.Or(err, perr); err != nil {
				t.Fatal(err)
			}
			return len(page.Items), page.Scanned, page.Next
		}
		q, err := sel.Events(t.Context(), s)
		q.After, q.Limit = after, want-found
		page, perr := search.Events(t.Context(), s, q)
		if err = cmp.Or(err, perr); err != nil {
			t.Fatal(err)
		}
		return len(page.Items), page.Scanned, page.Next
	}
	for after := ""; ; {
		items, scanned, next := page(after)
		if after == "" {
			first, looked = time.Since(began), scanned
		}
		found += items
		if after = next; next == "" || found >= want || time.Since(began) > 10*time.Second {
			return first, time.Since(began), looked, found
		}
	}
}
