package output

import (
	"bytes"
	"strings"
	"testing"

	"evrun/cmd/api"
)

func TestTheRunsOfASlotAreAllCounted(t *testing.T) {
	for _, x := range []struct {
		states map[string]int
		want   Cell
	}{
		{nil, Cell{Text: "-"}},
		{map[string]int{"succeeded": 1}, Cell{"succeeded", Green}},
		{map[string]int{"dead": 1}, Cell{"dead", Red}},
		{map[string]int{"succeeded": 2}, Cell{"2 succeeded", Green}},
		{map[string]int{"dead": 1, "succeeded": 2}, Cell{"1 dead, 2 succeeded", Red}},
		{map[string]int{"cancelled": 1, "dead": 1, "retrying": 1, "skipped": 3}, Cell{"1 cancelled, 1 dead, 1 retrying, 3 skipped", Red}},
	} {
		if got := slotRuns(&api.SlotRuns{States: x.states}); got != x.want {
			t.Errorf("%v: %v, want %v", x.states, got, x.want)
		}
	}
}

// After an update the old daemon still runs: the status says so.
func TestADaemonOfAnotherVersionIsPointedOut(t *testing.T) {
	for version, said := range map[string]bool{"1.2.0": false, "1.3.0": true} {
		var out bytes.Buffer
		if err := (&Printer{Out: &out, Version: version}).Status(api.Status{PID: 1, Version: "1.2.0"}, true); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "another version") != said {
			t.Errorf("evrun %s prints %s", version, &out)
		}
	}
}

// While the database of a store does not answer, nothing is claimed about what it has.
func TestAStoreThatDoesNotAnswerHasNoEvents(t *testing.T) {
	s := api.Status{PID: 1, Store: "postgres://db1/evrun", Problems: []api.Trouble{{What: api.TroubleStore, Text: "the database does not answer"}}}
	var out bytes.Buffer
	if err := (&Printer{Out: &out}).Status(s, false); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "0 events") || strings.Contains(text, "pruned") || !strings.Contains(text, s.Store) {
		t.Error(text)
	}
}
