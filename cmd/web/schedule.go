package web

import (
	"slices"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/web/heatmap"
	"evrun/tasks/schedule/timeline"
)

var schedulePage = page{pattern: "GET /schedules/{name}", right: access.Read, nav: "schedules", template: "schedule", load: loadSchedule}

// The sizes of the page.
const (
	comingOfOne = 20
	pastOfOne   = 20
	dayOfOne    = 200
)

// scheduleView is one schedule.
type scheduleView struct {
	scheduleRow
	Year           heatmap.Map
	Days           timeline.SlotDays
	Earlier, Later string // the first days of other maps
	Together       []togetherWith
	Changes        []timeline.ClockChange // those that affect its slots
	Coming         []slotRow
	Past           []slotRow
	Day            string // the day whose slots are shown in Past, such as 2026-11-27; empty: the latest ones
	DayWords       string
	Older          string // where the next page of Past begins, in RFC 3339
}

// togetherWith are schedules whose slots fall together with those of another.
type togetherWith struct {
	timeline.SlotGroup
	Others []string
	Words  any
}

func loadSchedule(q *request) (any, error) {
	ctx, name := q.Context(), q.PathValue("name")
	s, err := q.api.Schedule(ctx, name, 1)
	if err != nil {
		return nil, err
	}
	q.title = name
	view := scheduleView{scheduleRow: rowOf(s, q.now)}
	if view.Days, err = q.api.SlotDays(ctx, []string{name}, nil, date(q.query.Get("from")), false); err != nil {
		return nil, err
	}
	view.Year = heatmap.Of(view.Days, today(view.Days, q.now))
	if first, err := time.Parse(time.DateOnly, view.Days.Days[0].Date); err == nil {
		view.Earlier, view.Later = first.AddDate(0, 0, -26*7).Format(time.DateOnly), first.AddDate(0, 0, 26*7).Format(time.DateOnly)
	}
	for _, g := range view.Days.Together {
		others := slices.DeleteFunc(slices.Clone(g.Schedules), func(other string) bool { return other == name })
		view.Together = append(view.Together, togetherWith{g, others, slotTime(g.Next, q.now)})
	}
	for _, c := range view.Days.Changes {
		if len(c.Slots) > 0 {
			view.Changes = append(view.Changes, c)
		}
	}
	coming, err := q.api.Slots(ctx, client.SlotsQuery{Schedules: []string{name}, Since: q.now, Until: q.now.AddDate(20, 0, 0), Limit: comingOfOne})
	if err != nil {
		return nil, err
	}
	view.Coming = wordRows(coming.Slots, q.now)
	err = view.loadPast(q)
	return view, err
}

// loadPast asks for the latest slots, or those of the day that the URL names.
func (v *scheduleView) loadPast(q *request) error {
	past := client.SlotsQuery{Schedules: []string{v.Name}, Since: v.Since.AddDate(-1, 0, 0), Until: q.now, Newest: true, Limit: pastOfOne}
	if t, err := time.Parse(time.RFC3339Nano, q.query.Get("until")); err == nil && t.Before(q.now) && t.After(past.Since) {
		past.Until = t
	}
	if day, err := time.ParseInLocation(time.DateOnly, q.query.Get("day"), zoneOf(v.Timezone)); err == nil {
		v.Day, v.DayWords = q.query.Get("day"), heatmap.Day(day, q.now)
		past.Since, past.Limit = day, dayOfOne
		if end := day.AddDate(0, 0, 1); q.query.Get("until") == "" || past.Until.After(end) {
			past.Until = end
		}
	}
	if !past.Since.Before(past.Until) {
		return nil
	}
	page, err := q.api.Slots(q.Context(), past)
	if err != nil {
		return err
	}
	if v.Past = wordRows(page.Slots, q.now); page.Next != nil {
		v.Older = page.Next.UTC().Format(time.RFC3339Nano)
	}
	if v.Day == "" { // slots from before it was known are only of interest where they were published
		before := slices.IndexFunc(v.Past, func(r slotRow) bool { return r.State == timeline.Unknown && !r.Slot.After(v.Since) })
		if before >= 0 && !slices.ContainsFunc(v.Past[before:], func(r slotRow) bool { return r.State == timeline.Published }) {
			v.Past, v.Older = v.Past[:before], ""
		}
	}
	return nil
}

// wordRows are the slots of one schedule, with their times in words.
func wordRows(list []timeline.ScheduleSlot, now time.Time) []slotRow {
	rows := slotRows(list, nil)
	for i := range rows {
		rows[i].Time = slotTime(&rows[i].Slot, now)
	}
	return rows
}

// date is a date, or nothing.
func date(text string) string {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return ""
	}
	return text
}
