package emitter_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// evrun.schedule.missed and the reports of a reload are published even if their lists are long.
func TestNoticesOfManyNamesAreShortened(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	em := emitter.New(s, 1024)
	var names []string
	for range 1000 {
		names = append(names, "2026-12-24T18:00:00Z")
	}
	for name, data := range map[string]map[string]any{
		"slots":   {"schedule": "nightly", "count": 1000, "slots": names, "error": strings.Repeat("e", 5000)},
		"changes": {"path": "/srv/evrun.yaml", "handlers": tasks.Changes{Added: names, Removed: names}, "restart": []string{"store"}},
	} {
		e, err := em.Notice("evrun.schedule.missed", "", data)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(e.Data, &got); err != nil {
			t.Fatal(err)
		}
		if len(e.Data) > 1024 || len(e.Data) < 300 || got["shortened"] == nil || len(got) != len(data)+1 {
			t.Errorf("%s: %d bytes: %s", name, len(e.Data), e.Data)
		}
	}
	if len(names) != 1000 {
		t.Errorf("the caller's list has %d names", len(names))
	}
}
