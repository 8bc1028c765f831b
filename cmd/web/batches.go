package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/search"
)

var batchesPage = page{pattern: "GET /batches", right: "read", nav: "runs", title: "Batches", template: "batches", load: loadBatches}

const (
	batchesShown = 3                // that have ended, not long ago
	batchLately  = 10 * time.Minute // that is not long ago
)

// batchView is a batch as pages show it.
type batchView struct {
	api.Batch
	What string // its selection, in words
	Why  string
}

// Title is what the batch does.
func (b batchView) Title() string {
	if b.Action == "rerun" {
		return "Run again"
	}
	return capitalised(b.Action)
}

func loadBatches(q *request) (any, error) {
	all, err := q.api.Batches(q.Context())
	list := make([]batchView, len(all))
	for i, b := range all {
		list[i] = viewOf(b)
	}
	return list, err
}

// batchesLately are the batches that run or are stopped, and the last that have ended.
func batchesLately(all []api.Batch, now time.Time) (list []batchView) {
	ended := 0
	for _, b := range all {
		switch {
		case b.State != api.BatchEnded && len(list) < 10:
			list = append(list, viewOf(b))
		case b.EndedAt != nil && now.Sub(*b.EndedAt) < batchLately && ended < batchesShown:
			ended++
			list = append(list, viewOf(b))
		}
	}
	return list
}

func viewOf(b api.Batch) batchView {
	var asked struct {
		Selection search.Selection `json:"selection"`
		To        string           `json:"to"`
		Why       string           `json:"reason"`
	}
	if json.Unmarshal(b.Request, &asked) != nil {
		return batchView{Batch: b}
	}
	var parts []string
	s := asked.Selection
	for _, part := range []struct{ name, value string }{
		{"", strings.Join(s.States, ", ")}, {"handler ", s.Handler}, {"type ", strings.Join(s.Types, ", ")}, {"source ", s.Source},
		{"event #", s.Event}, {"chain of #", s.Chain}, {"where ", s.Where}, {"through ", asked.To},
	} {
		if part.value != "" {
			parts = append(parts, part.name+strings.TrimPrefix(part.value, "#"))
		}
	}
	if n := len(s.IDs); n > 0 {
		parts = append(parts, fmt.Sprintf("%d chosen by hand", n))
	}
	if !s.Since.IsZero() {
		parts = append(parts, "since "+s.Since.UTC().Format(time.DateTime))
	}
	if !s.Until.IsZero() {
		parts = append(parts, "until "+s.Until.UTC().Format(time.DateTime))
	}
	if n := len(s.Labels); n > 0 {
		parts = append(parts, fmt.Sprint("label ", strings.Join(s.Labels, ", ")))
	} else if n := len(s.Handlers); n > 0 {
		parts = append(parts, fmt.Sprintf("%d handlers", n))
	}
	return batchView{b, strings.Join(parts, " · "), asked.Why}
}
