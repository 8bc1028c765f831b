package web

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/control"
	"evrun/tasks/search"
)

func TestTheStatesThatHandlersCountAreKnownAtOnce(t *testing.T) {
	handlers := []control.HandlerStatus{{Name: "a", Dead: 2, Running: 1}, {Name: "b", Dead: 40}}
	for _, x := range []struct {
		sel   search.Selection
		known bool
		dead  int
	}{
		{search.Selection{}, true, 42}, {search.Selection{Handler: "a", States: []string{"succeeded"}}, true, 2}, {search.Selection{Where: "data.x > 1"}, false, 0},
	} {
		chip := chips(handlers, x.sel)[0]
		if chip.Name != "dead" || chip.Known != x.known || chip.Count != x.dead {
			t.Errorf("%+v: %+v", x.sel, chip)
		}
	}
}

func TestARunListIsCountedAndChangedAsItIsShown(t *testing.T) {
	sel := search.Selection{States: []string{"dead"}, Handler: "a", Where: `data.x > "1&2"`, Since: time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)}
	l := runList{Selection: sel}
	v, err := url.ParseQuery(l.Counted())
	if err != nil || v.Get("state") != "dead" || v.Get("handler") != "a" || v.Get("where") != sel.Where || v.Get("since") != "2026-11-27T08:00:00Z" {
		t.Errorf("%v, %v", v, err)
	}
	text, err := l.Batch()
	var back search.Selection
	if err != nil || json.Unmarshal([]byte(text), &back) != nil || back.Where != sel.Where || !back.Since.Equal(sel.Since) || back.Handler != "a" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestOfBatchesWhatNeedsALookIsShown(t *testing.T) {
	now := time.Now()
	at := func(ago time.Duration) *time.Time { then := now.Add(-ago); return &then }
	list := batchesLately([]api.Batch{
		{ID: "a", State: api.BatchRunning}, {ID: "b", State: api.BatchEnded, EndedAt: at(time.Hour)}, {ID: "c", State: api.BatchEnded, EndedAt: at(time.Minute)},
		{ID: "d", State: api.BatchStopped, Request: json.RawMessage(`{"selection":{"handler":"h","state":["dead"]},"reason":"why"}`)},
	}, now)
	if len(list) != 3 || list[1].ID != "c" || list[2].What != "dead · handler h" || list[2].Why != "why" {
		t.Errorf("%+v", list)
	}
}
