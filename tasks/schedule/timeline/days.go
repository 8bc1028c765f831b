package timeline

import (
	"context"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
)

// MaxDays is how many days an answer has at most: 53 weeks.
const MaxDays = 371

// SlotDay counts the slots of a day.
type SlotDay struct {
	Date      string `json:"date"`      // such as 2026-11-27
	Slots     int64  `json:"slots"`     // planned slots, from when the schedule was first seen or its times last changed
	Published int64  `json:"published"` // published slots; of a schedule with more than 400 past slots, those that were not reported as missed
	Missed    int64  `json:"missed"`    // slots that were not published
	Failed    int64  `json:"failed"`    // runs on its slots that are dead or were dropped
	Together  int64  `json:"together"`  // slots at the same time as one of another schedule
}

// SlotGroup is a group of schedules that have slots at the same time.
type SlotGroup struct {
	Schedules []string   `json:"schedules"`      // 20 at most
	More      int        `json:"more,omitempty"` // how many further schedules
	Slots     int64      `json:"slots"`          // how many times they have a slot at the same moment
	Next      *time.Time `json:"next,omitempty"` // the next such moment
}

// ClockChange is a change of a zone's clock, and what it does to slots.
type ClockChange struct {
	At       time.Time     `json:"at"`       // the first instant with the new time
	Timezone string        `json:"timezone"` // whose clock it is
	From     string        `json:"from"`     // what the clock would have shown then, such as 02:00
	To       string        `json:"to"`       // what it shows
	Slots    []ChangedSlot `json:"slots"`    // the slots that it affects, one for each schedule
}

// ChangedSlot is a slot that a change of the clock moves, drops or repeats.
type ChangedSlot struct {
	Schedule string    `json:"schedule"`
	Slot     time.Time `json:"slot"`           // the first one that is affected
	Clock    string    `json:"clock"`          // what happens, in words
	More     int       `json:"more,omitempty"` // how many later slots of the schedule are affected
}

// SlotDays are the slots of schedules, counted by days.
type SlotDays struct {
	Timezone string        `json:"timezone"`           // the zone of the days
	Recorded *time.Time    `json:"recorded,omitempty"` // what was accepted before may be pruned: nothing is said about slots before it
	Complete bool          `json:"complete"`           // false: there was not enough time to count everything that was missed, failed or coincides
	Days     []SlotDay     `json:"days"`               // in order, without a gap
	Together []SlotGroup   `json:"together"`           // groups of schedules with slots at the same time, the 20 most frequent
	Frequent []string      `json:"frequent"`           // schedules with more than 12 slots a day: they coincide with everything, and are left out of together
	Changes  []ClockChange `json:"changes"`            // changes of the clocks in the zones of the schedules
}

// DaysQuery selects days.
type DaysQuery struct {
	Names []string  // of the schedules; nil: all
	First time.Time // midnight of its date in UTC
	Days  int
	Zone  *time.Location // of the days; nil: [Schedules.ZoneOf]
	Rare  bool           // leave out schedules with more than 12 slots a day
}

// HalfYearAgo returns the Monday of 26 weeks before a day, as midnight of its date in UTC.
func HalfYearAgo(day time.Time) time.Time {
	date := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
	return date.AddDate(0, 0, -26*7-(int(date.Weekday())+6)%7)
}

// span is a day.
type span struct{ from, to time.Time } // to is exclusive

// count returns the number of slots of a day that are after a time.
func (d span) count(t *slots.Timing, after time.Time) int64 {
	return t.Count(slots.Later(d.from.Add(-1), after), d.to.Add(-1))
}

// ZoneOf returns the zone of the schedules' days: the one that most of them have, UTC if there are none.
func (s *Schedules) ZoneOf(names []string) *time.Location {
	zone, most := time.UTC, 0
	counts := map[string]int{}
	for _, st := range s.chosen(names) {
		at := st.Timing.Location()
		if counts[at.String()]++; counts[at.String()] > most {
			zone, most = at, counts[at.String()]
		}
	}
	return zone
}

// Days counts slots by days.
func (s *Schedules) Days(ctx context.Context, q DaysQuery) (SlotDays, error) {
	if q.Zone == nil {
		q.Zone = s.ZoneOf(q.Names)
	}
	answer := SlotDays{Timezone: q.Zone.String(), Complete: true, Days: make([]SlotDay, q.Days), Together: []SlotGroup{}, Frequent: []string{}, Changes: []ClockChange{}}
	days := make([]span, q.Days)
	for i := range days {
		date := q.First.AddDate(0, 0, i)
		whole := slots.Days(q.Zone, date, date)
		days[i], answer.Days[i].Date = span{whole.From, whole.To}, date.Format(time.DateOnly)
	}
	recorded, err := s.recorded(ctx)
	if err != nil {
		return answer, err
	}
	if !recorded.IsZero() {
		at := recorded.In(q.Zone)
		answer.Recorded = &at
	}
	of := s.chosen(q.Names)
	if q.Rare {
		rare := s.rare(s.All, days[0].from, days[len(days)-1].to)
		of = slices.DeleteFunc(of, func(st *schedule.State) bool {
			often := !slices.Contains(rare, st)
			if often {
				answer.Frequent = append(answer.Frequent, st.Name)
			}
			return often
		})
	}
	c := counting{Schedules: s, days: days, of: of, recorded: recorded, answer: &answer}
	for _, step := range []func(context.Context) error{c.planned, c.leftOut, c.published, c.failed} {
		if err := step(ctx); err != nil {
			return answer, err
		}
	}
	c.together()
	answer.Changes = c.changes(q.Zone)
	return answer, nil
}

// counting is the work on an answer.
type counting struct {
	*Schedules
	days     []span
	of       []*schedule.State
	recorded time.Time
	answer   *SlotDays

	missing missing
}

// at returns the day of a time, or nil.
func (c *counting) at(t time.Time) *SlotDay {
	i, found := slices.BinarySearchFunc(c.days, t, func(d span, t time.Time) int { return d.from.Compare(t) })
	if !found {
		i--
	}
	if i < 0 || !t.Before(c.days[i].to) {
		return nil
	}
	return &c.answer.Days[i]
}

func (c *counting) first() time.Time { return c.days[0].from }
func (c *counting) end() time.Time   { return c.days[len(c.days)-1].to }

// planned counts the slots of each day.
func (c *counting) planned(context.Context) error {
	for _, st := range c.of {
		for i, d := range c.days {
			c.answer.Days[i].Slots += d.count(st.Slots(), st.Since)
		}
	}
	return nil
}

// leftOut counts the missed slots.
func (c *counting) leftOut(ctx context.Context) (err error) {
	if !c.first().Before(c.Now) {
		return nil
	}
	if c.missing, err = c.missed(ctx, c.first(), c.of); err != nil {
		return err
	}
	c.answer.Complete = c.missing.complete
	for _, left := range c.missing.list {
		c.share(left)
	}
	return nil
}

// share adds slots that were left out to their days.
func (c *counting) share(left leftOut) {
	if first, last := c.at(left.First), c.at(left.Last); first != nil && first == last {
		first.Missed += left.Count
		return
	}
	if int64(len(left.Slots)) == left.Count {
		for _, slot := range left.Slots {
			if day := c.at(slot); day != nil {
				day.Missed++
			}
		}
		return
	}
	for _, st := range c.of {
		if st.Name == left.Schedule || st.Was == left.Schedule {
			for i, d := range c.days {
				if n := st.Slots().Count(slots.Later(d.from, left.First).Add(-1), sooner(d.to.Add(-1), left.Last)); n > 0 {
					c.answer.Days[i].Missed += n
				}
			}
		}
	}
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// published counts the slots that were published: one by one if they are few.
func (c *counting) published(ctx context.Context) error {
	if len(c.of) == 1 && c.Journal != nil {
		st := c.of[0]
		if list, more := st.Timing.Between(c.first().Add(-1), sooner(st.Decided(), c.end().Add(-1)), fewEvents); !more {
			return c.lookUp(ctx, st, list)
		}
	}
	for _, st := range c.of {
		begin := slots.Later(st.Since, c.recorded)
		for i, d := range c.days {
			c.answer.Days[i].Published += st.Slots().Count(slots.Later(d.from.Add(-1), begin), sooner(d.to.Add(-1), st.Decided()))
		}
	}
	for i := range c.answer.Days {
		day := &c.answer.Days[i]
		day.Published = max(0, day.Published-day.Missed)
	}
	return nil
}

// lookUp counts the slots whose events are in the journal. A slot that was left out and was published later is not missed.
func (c *counting) lookUp(ctx context.Context, st *schedule.State, list []time.Time) error {
	for _, slot := range list {
		e, err := c.eventOf(ctx, st, slot)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		day := c.at(slot)
		day.Published++
		if !slot.After(st.Since) {
			day.Slots++ // from before its times were known
		}
		if c.missing.reason(st, slot) != "" {
			day.Missed = max(0, day.Missed-1)
		}
	}
	return nil
}

// failed counts runs on slots that are dead or dropped: of the handlers that take the events of the schedules, because the store has an index of them.
func (c *counting) failed(ctx context.Context) error {
	if c.Journal == nil || !c.first().Before(c.Now) {
		return nil
	}
	handlers, err := c.Journal.Handlers(ctx)
	if err != nil {
		return err
	}
	types, sources := map[string]bool{}, map[string]bool{}
	for _, st := range c.of {
		types[st.Type] = true
		for _, part := range st.Parts() {
			sources[c.Source(part)] = true
		}
	}
	q := store.RunQuery{States: []store.RunState{store.Dead, store.Dropped}, Since: c.first(), Bare: true}
	if len(c.of) == 1 && c.of[0].Was == "" {
		q.Source = c.Source(c.of[0].Part())
	}
	until := time.Now().Add(budget)
	for _, h := range handlers {
		if q.Patterns = taken(h.On, types); q.Patterns == nil {
			continue
		}
		q.Handler = h.Name
		if err := c.failedOf(ctx, q, sources, until); err != nil {
			return err
		}
	}
	return nil
}

// taken returns patterns for the types that match one of a handler's patterns; nil: none does.
func taken(on []events.Pattern, types map[string]bool) (list []events.Pattern) {
	for typ := range types {
		if slices.ContainsFunc(on, func(p events.Pattern) bool { return p.Match(typ) }) {
			if p, err := events.ParsePattern(typ); err == nil {
				list = append(list, p)
			}
		}
	}
	if len(list) > mostTypes {
		return on
	}
	return list
}

// failedOf counts the failed runs of a handler, as far as there is time.
func (c *counting) failedOf(ctx context.Context, q store.RunQuery, sources map[string]bool, until time.Time) error {
	for {
		part, err := c.Journal.ScanRuns(ctx, q, lookStep)
		if err != nil {
			return err
		}
		if err := c.countFailed(ctx, part.Items, sources); err != nil || part.End {
			return err
		}
		if n := len(part.Items); n > 0 && part.Reached == part.Items[n-1].Sequence {
			q.AfterID = part.Items[n-1].ID
		} else {
			q.AfterID, q.Before = "", part.Reached
		}
		if time.Now().After(until) {
			c.answer.Complete = false
			return nil
		}
	}
}

// countFailed counts those runs whose events are of slots.
func (c *counting) countFailed(ctx context.Context, runs []store.Run, sources map[string]bool) error {
	var sequences []int64
	for _, run := range runs {
		if _, err := time.Parse(time.RFC3339Nano, run.EventID); err == nil {
			sequences = append(sequences, run.Sequence)
		}
	}
	found, err := store.EventsOf(ctx, c.Journal, slices.Compact(sequences))
	if err != nil {
		return err
	}
	of := make(map[int64]bool, len(found))
	for _, e := range found {
		of[e.Sequence] = sources[e.Source]
	}
	for _, run := range runs {
		if !of[run.Sequence] {
			continue
		}
		slot, err := time.Parse(time.RFC3339Nano, run.EventID)
		if day := c.at(slot); err == nil && day != nil {
			day.Failed++
		}
	}
	return nil
}
