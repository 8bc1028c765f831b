package api

import (
	"net/http"
	"time"

	"evrun/cmd/api/backfill"
	"evrun/tasks/schedule"
)

const backfillFirst = 5 // slots that an answer shows

// backfillSchedule publishes a page of a schedule's past slots, or only counts them.
func (s *Server) backfillSchedule(r *http.Request, ask Backfill, _ none) (done Backfilled, err error) {
	if ask.From.IsZero() {
		return done, problem(http.StatusBadRequest, "from: the time of the first slot is missing")
	}
	if _, err := s.publishing(r); err != nil {
		return done, err
	}
	st, err := s.o.Schedules.State(r.Context(), r.PathValue("name"))
	if err != nil {
		return done, s.aboutSchedule(r, err)
	}
	now := time.Now()
	during := schedule.Span{From: ask.From, To: now}
	if ask.To != nil {
		during.To = *ask.To
	}
	if !during.From.Before(during.To) {
		return done, problem(http.StatusBadRequest, "to is not after from: only slots that have passed can be published again")
	}
	zone := st.Timing.Location()
	b := st.Backfill(during, now)
	done = Backfilled{Schedule: st.Name, From: during.From.In(zone), To: b.To().In(zone), Count: b.Count(), First: []time.Time{}, Recorded: ask.Recorded}
	for _, slot := range b.First(backfillFirst) {
		done.First = append(done.First, slot.In(zone))
	}
	if !ask.DryRun && done.Count > 0 {
		if err := (&backfill.Backfill{Store: s.o.Store, Emitter: s.o.Emitter}).Fire(r.Context(), b, ask.After, &done); err != nil {
			return done, err
		}
	}
	return done, nil
}
