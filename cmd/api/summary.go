package api

import (
	"net/http"
	"time"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/tasks/summary"
)

// summaryQuery selects the runs that are counted.
type summaryQuery struct {
	selecting
	ofRuns
	labeled
	Limit int `key:"limit" min:"1" max:"1000" default:"100" doc:"How many handlers, types and errors are listed."`
}

const (
	// summariesAtOnce bounds the work of counting: each goes through the journal, as fast as it can.
	summariesAtOnce = 4
	// summaryEvery is how often the counts are written.
	summaryEvery = 250 * time.Millisecond
)

// summary answers with lines of NDJSON: the counts so far, now and then, and in the end with done. A client that leaves ends it.
func (s *Server) summary(w http.ResponseWriter, r *http.Request, asked summaryQuery) error {
	release, err := s.summaries.take(r)
	if err != nil {
		return err
	}
	defer release()
	sel := asked.selection()
	sel.Handler, sel.States, sel.Labels = asked.Handler, asked.States, asked.Labels
	hint := s.labeled(&sel)
	q, err := sel.Runs(r.Context(), s.o.Store)
	if err != nil {
		return err
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	began, last := false, time.Time{}
	err = summary.Runs(ctx, s.o.Store, q, func(sum *summary.Summary) error {
		if now := time.Now(); !sum.Done && now.Sub(last) < summaryEvery {
			return nil
		}
		if !began {
			began = true
			w.Header().Set("Content-Type", ndjson.Type)
			w.WriteHeader(http.StatusOK)
		}
		line := shape.RunSummaryOf(sum, asked.Limit, asked.Where)
		line.Hint = hint
		if err := events.WriteJSON(w, line); err != nil {
			return err
		}
		last = time.Now()
		return http.NewResponseController(w).Flush()
	})
	if began {
		return nil // without done in the last line, the reader knows that the counts are not complete
	}
	return err
}
