package web

import (
	"cmp"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/output"
	"evrun/cmd/web/heatmap"
	"evrun/tasks/schedule/timeline"
)

var schedulesPage = page{pattern: "GET /schedules", right: access.Read, nav: "schedules", title: "Schedules", template: "schedules", load: loadSchedules}

// schedules are the schedules as a list, or what comes next of all of them.
type schedules struct {
	All     int // how many there are
	Rows    []scheduleRow
	Labels  []string // of all schedules
	Hint    string   // why none has the labels
	Wrong   string   // what can't be read of the filters
	Year    heatmap.Map
	Days    timeline.SlotDays
	Next    *comingSlots // nil: the list is shown
	Filters bool
	Zone    string // of the times that say no other
}

// scheduleRow is a schedule in the list.
type scheduleRow struct {
	api.Schedule
	State string // on, paused, waiting or ended
	Zone  string // of its times, such as JST; empty: that of most schedules
	LastWords,
	NextWords template.HTML
	Grace   string
	Results []stateCount // of the runs of its last slot
	Failed  bool         // one of them is dead
}

// stateCount is how many runs are in a state.
type stateCount struct {
	State string
	Count int
}

// results sorts the states of runs.
func results(states map[string]int) (list []stateCount) {
	for _, state := range slices.Sorted(maps.Keys(states)) {
		list = append(list, stateCount{state, states[state]})
	}
	return list
}

// slotTime is the time of a slot in words, as the clock of its schedule shows it.
func slotTime(t *time.Time, now time.Time) template.HTML {
	if t == nil {
		return ""
	}
	return timeElement(*t, "data-slot", heatmap.When(*t, now))
}

func rowOf(s api.Schedule, now time.Time) scheduleRow {
	if s.Paused != "" && s.Next != nil && s.Next.Before(now) {
		s.Next = nil // the first slot of the pause, which has passed
	}
	row := scheduleRow{Schedule: s, State: "on", LastWords: slotTime(s.Last, now), NextWords: slotTime(s.Next, now)}
	if grace, err := time.ParseDuration(s.Grace); err == nil {
		row.Grace = output.Duration(grace)
	}
	switch {
	case s.Paused != "":
		row.State = "paused"
	case s.Next == nil:
		row.State = "ended"
	case s.Waiting:
		row.State = "waiting"
	}
	if s.LastRuns != nil {
		row.Results, row.Failed = results(s.LastRuns.States), s.LastRuns.States["dead"] > 0
	}
	return row
}

func loadSchedules(q *request) (any, error) {
	ctx := q.Context()
	all, err := q.api.SchedulesWithLast(ctx, nil)
	if err != nil {
		return nil, err
	}
	view := schedules{All: len(all.Schedules), Labels: labelsOf(all.Schedules)}
	labels, search, show := q.all("label"), strings.ToLower(q.query.Get("search")), q.query.Get("show")
	view.Filters = len(labels) > 0 || search != "" || show != ""
	if len(labels) > 0 {
		if all, err = q.api.SchedulesWithLast(ctx, labels); err != nil {
			return nil, err
		}
		view.Hint = all.Hint
	}
	var names []string
	usual := usualZone(all.Schedules)
	view.Zone = usual
	for _, s := range all.Schedules {
		row := rowOf(s, q.now)
		wanted := show == "" || show == "paused" && s.Paused != "" || show == "failed" && row.Failed
		if !wanted || !strings.Contains(strings.ToLower(s.Name+" "+s.Emit+" "+s.Description), search) {
			continue
		}
		if s.Timezone != usual && s.Next != nil {
			row.Zone = zoneName(s)
		}
		view.Rows = append(view.Rows, row)
		names = append(names, s.Name)
	}
	if len(view.Rows) == 0 {
		return view, nil
	}
	if !view.Filters {
		names = nil
	}
	if q.query.Get("view") == "next" {
		q.title = "What comes next"
		view.Next, err = loadComing(q, names, zoneOf(usual))
		return view, err
	}
	if view.Days, err = q.api.SlotDays(ctx, names, nil, "", true); err != nil {
		return nil, err
	}
	view.Year = heatmap.Of(view.Days, today(view.Days, q.now))
	return view, nil
}

// zoneName is what the clocks of a schedule's time zone are called at its next slot, such as CET.
func zoneName(s api.Schedule) string { return s.Next.In(zoneOf(s.Timezone)).Format("MST") }

// usualZone is the zone that most schedules have.
func usualZone(list []api.Schedule) (zone string) {
	counts := map[string]int{}
	for _, s := range list {
		if counts[s.Timezone]++; counts[s.Timezone] > counts[zone] {
			zone = s.Timezone
		}
	}
	return zone
}

// labelsOf are all labels, as filters take them.
func labelsOf(list []api.Schedule) []string {
	seen := map[string]bool{}
	for _, s := range list {
		for key, value := range s.Labels {
			seen[key+"="+value] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// today is the date in the zone of days.
func today(d timeline.SlotDays, now time.Time) string {
	return now.In(zoneOf(d.Timezone)).Format(time.DateOnly)
}

// zoneOf loads a zone that the API has named.
func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// comingSlots is what comes next, or what came on another day.
type comingSlots struct {
	Within   string // 12h, 24h, 3d or 7d
	Date     string // from the beginning of that day; empty: from now on
	Timezone string
	Groups   []slotGroup // a day each
	Folded   []timeline.FoldedSlots
	Lanes    *heatmap.Lanes // nil: there are too many slots or schedules to draw them
	More     string         // the RFC 3339 time at which the next page begins
	Past     bool           // some of it has passed
}

// slotGroup are the slots of a day.
type slotGroup struct {
	Day   string
	Slots []slotRow
}

// slotRow is a slot in a list.
type slotRow struct {
	timeline.ScheduleSlot
	Time    template.HTML
	Results []stateCount
	Late    bool // it is published later than its time: it has a jitter
}

func slotRows(list []timeline.ScheduleSlot, zone *time.Location) (rows []slotRow) {
	for _, s := range list {
		if zone != nil {
			s.Slot, s.Fire = s.Slot.In(zone), s.Fire.In(zone)
		}
		clock := "15:04"
		if s.Slot.Second() != 0 || s.Slot.Nanosecond() != 0 {
			clock = "15:04:05.999"
		}
		rows = append(rows, slotRow{ScheduleSlot: s, Time: timeElement(s.Slot, "data-slot", s.Slot.Format(clock)), Results: results(s.Runs), Late: !s.Fire.Equal(s.Slot)})
	}
	return rows
}

// groups puts slots under the days on which they are.
func groups(rows []slotRow, now time.Time) (list []slotGroup) {
	for _, row := range rows {
		day := heatmap.Day(row.Slot, now)
		if n := len(list); n == 0 || list[n-1].Day != day {
			list = append(list, slotGroup{Day: day})
		}
		list[len(list)-1].Slots = append(list[len(list)-1].Slots, row)
	}
	return list
}

// windows are how far the view of what comes next looks, and in how many parts its drawing is divided.
var windows = map[string]struct {
	time  time.Duration
	parts int
}{"12h": {12 * time.Hour, 6}, "24h": {24 * time.Hour, 8}, "3d": {72 * time.Hour, 6}, "7d": {7 * 24 * time.Hour, 7}}

const (
	comingShown = 300
	foldDaily   = 12 // how many slots a day a schedule may have without being folded
)

func loadComing(q *request, names []string, zone *time.Location) (*comingSlots, error) {
	next := &comingSlots{Within: cmp.Or(q.query.Get("within"), "24h"), Timezone: zone.String()}
	if windows[next.Within].parts == 0 {
		next.Within = "24h"
	}
	window := windows[next.Within]
	from := q.now.In(zone)
	begin := time.Date(from.Year(), from.Month(), from.Day(), from.Hour(), 0, 0, 0, zone)
	if date, err := time.ParseInLocation(time.DateOnly, q.query.Get("from"), zone); err == nil {
		next.Date, begin, from = q.query.Get("from"), date, date
	}
	end := from.Add(window.time) // the drawing ends with a whole hour
	if t, err := time.Parse(time.RFC3339Nano, q.query.Get("since")); err == nil && t.After(from) && t.Before(end) {
		from = t
	}
	fold := foldDaily * max(1, int(window.time/(24*time.Hour)))
	page, err := q.api.Slots(q.Context(), client.SlotsQuery{Schedules: names, Since: from, Until: end, Fold: fold, Limit: comingShown})
	if err != nil {
		return nil, err
	}
	next.Folded, next.Groups = page.Folded, groups(slotRows(page.Slots, zone), q.now)
	next.Past = len(page.Slots) > 0 && page.Slots[0].State != timeline.Coming
	if page.Next != nil {
		next.More = page.Next.UTC().Format(time.RFC3339Nano)
	}
	if page.Next == nil && q.query.Get("since") == "" {
		next.Lanes = heatmap.LanesOf(page, begin, begin.Add(window.time), window.parts, q.now)
	}
	return next, nil
}
