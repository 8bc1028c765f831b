package api

import (
	"net/http"
	"slices"
	"time"

	"evrun/cmd/api/query"
	"evrun/cmd/api/shape"
	"evrun/tasks/control"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/schedule/timeline"
)

// ofSchedules are the parameters that select schedules.
type ofSchedules struct {
	Schedules []string `key:"schedule" doc:"The name of a schedule; several, or with commas. All, unless given."`
	labeled
}

// timeline has schedules and their past.
func (s *Server) timeline(states []schedule.State) timeline.Schedules {
	t := timeline.Schedules{Source: s.o.Emitter.Source, All: states, Now: time.Now()}
	if s.o.Store != nil {
		t.Journal = s.o.Store
	}
	return t
}

// selected returns the schedules, and the names of the selected ones; nil: all.
func (s *Server) selected(r *http.Request, q ofSchedules) (t timeline.Schedules, names []string, err error) {
	states, err := s.o.Schedules.States(r.Context())
	if err != nil {
		return t, nil, err
	}
	t = s.timeline(states)
	name := func(st schedule.State) string { return st.Name }
	all := shape.Each(states, name)
	for _, wanted := range q.Schedules {
		if !slices.Contains(all, wanted) {
			return t, nil, unknown("schedule", wanted, all)
		}
	}
	if len(q.Schedules) == 0 && len(q.Labels) == 0 {
		return t, nil, nil
	}
	chosen, _ := control.ByLabels(states, q.Labels)
	names = slices.DeleteFunc(shape.Each(chosen, name), func(name string) bool {
		return len(q.Schedules) > 0 && !slices.Contains(q.Schedules, name)
	})
	return t, names, nil
}

// mostTime bounds the time of a request: to count slots takes a little for each month.
const mostTime = 100 * 366 * 24 * time.Hour

type slotsQuery struct {
	ofSchedules
	Since query.Time `key:"since" doc:"Slots from this time on, in RFC 3339; from now on, unless given."`
	Until query.Time `key:"until" doc:"Slots before this time, in RFC 3339; a day later than the first, unless given."`
	Order string     `key:"order" enum:"oldest,newest" default:"oldest" doc:"Which come first."`
	Fold  int        `key:"fold" min:"0" doc:"Only count the slots of schedules that have more than so many in the time; 0: list them all."`
	sized
}

func (s *Server) listSlots(r *http.Request, q slotsQuery) (page timeline.SlotList, err error) {
	t, names, err := s.selected(r, q.ofSchedules)
	if err != nil {
		return page, err
	}
	asked := timeline.Query{Names: names, From: q.Since.Time, To: q.Until.Time, Limit: min(q.Limit, maxPage), Fold: q.Fold, Newest: q.Order == "newest"}
	if asked.From.IsZero() {
		asked.From = t.Now
	}
	if asked.To.IsZero() {
		asked.To = asked.From.AddDate(0, 0, 1)
	}
	if asked.To.Sub(asked.From) > mostTime || asked.From.Year() < 1 || asked.To.Year() > 9999 {
		return page, problem(http.StatusBadRequest, "until: 100 years after since at most")
	}
	return t.Page(r.Context(), asked)
}

type daysQuery struct {
	ofSchedules
	From string `key:"from" doc:"The first day, such as 2026-11-23; the Monday of 26 weeks ago, unless given."`
	Days int    `key:"days" min:"1" default:"371" doc:"How many days; more than 371 are 371."`
	Rare bool   `key:"rare" doc:"Leave out schedules with more than 12 slots a day."`
	Zone string `key:"timezone" doc:"Of the days; that of most of the schedules, unless given." example:"Europe/Paris"`
}

func (s *Server) slotDays(r *http.Request, q daysQuery) (days timeline.SlotDays, err error) {
	t, names, err := s.selected(r, q.ofSchedules)
	if err != nil {
		return days, err
	}
	asked := timeline.DaysQuery{Names: names, Days: min(q.Days, timeline.MaxDays), Zone: t.ZoneOf(names), Rare: q.Rare}
	if q.Zone != "" {
		if asked.Zone, err = slots.LoadZone(q.Zone); err != nil {
			return days, problem(http.StatusBadRequest, err.Error())
		}
	}
	if asked.First = timeline.HalfYearAgo(t.Now.In(asked.Zone)); q.From != "" {
		if asked.First, err = time.Parse(time.DateOnly, q.From); err != nil || asked.First.Year() < 2 || asked.First.Year() > 9990 {
			return days, problem(http.StatusBadRequest, "from: write a date such as 2026-11-23")
		}
	}
	return t.Days(r.Context(), asked)
}
