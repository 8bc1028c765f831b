// Package heatmap draws the days of a year as a map of squares: a column a week, a row a day of the week, and the same days as a table of months, for those
// who can't see it. A square says by its shade how many slots a day has, and by a mark what went wrong on it: no colour is alone.
//
// No goroutines.
package heatmap

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/tasks/schedule/timeline"
)

// Sizes of the drawing, in its own units.
const (
	Step = 13 // from one square to the next
	Size = 11 // of a square
	left = 28 // of the names of the days
	top  = 16 // of the names of the months
)

// Map is a drawing.
type Map struct {
	Width, Height int
	Cells         []Cell
	Months        []Label
	Weekdays      []Label
	Text          string // what the drawing shows, in words
	Table         []Month
	Total         Month
}

// Label is a text beside the squares.
type Label struct {
	X, Y int
	Text string
}

// Cell is the square of a day.
type Cell struct {
	X, Y  int
	Date  string
	Class string // how many slots there are, and when the day is
	Mark  string // missed or failed; empty: neither
	Dot   bool   // slots of the day fall together with those of other schedules
	Clock bool   // a zone's clock changes on that day
	Today bool
	Title string
}

// Month sums up the days of a month.
type Month struct {
	Name                                       string
	Slots, Published, Missed, Failed, Together int64
}

// Of draws days. today is the date on which it is drawn.
func Of(d timeline.SlotDays, today string) Map {
	m := Map{Height: top + 7*Step}
	most := int64(1)
	for _, day := range d.Days {
		most = max(most, day.Slots)
	}
	changes := map[string]string{}
	for _, c := range d.Changes {
		changes[c.At.Format(time.DateOnly)] = fmt.Sprintf("the clock of %s goes from %s to %s", c.Timezone, c.From, c.To)
	}
	for i, name := range []string{"Mon", "", "Wed", "", "Fri", "", "Sun"} {
		if name != "" {
			m.Weekdays = append(m.Weekdays, Label{0, top + i*Step + Size - 2, name})
		}
	}
	column, lastLabel := 0, -4
	for i, day := range d.Days {
		date, err := time.Parse(time.DateOnly, day.Date)
		if err != nil {
			continue
		}
		row := (int(date.Weekday()) + 6) % 7
		if i > 0 && row == 0 {
			column++
		}
		x := left + column*Step
		if date.Day() <= 7 && (row == 0 || i == 0) && column-lastLabel > 2 {
			m.Months, lastLabel = append(m.Months, Label{x, top - 5, date.Format("Jan")}), column
		}
		c := cell(day, date, most, today)
		if c.X, c.Y = x, top+row*Step; changes[day.Date] != "" {
			c.Clock, c.Title = true, c.Title+"; "+changes[day.Date]
		}
		m.Cells, m.Width = append(m.Cells, c), x+Step
		m.sum(day, date)
	}
	m.Text = m.Total.words(d)
	return m
}

// cell describes the square of a day.
func cell(day timeline.SlotDay, date time.Time, most int64, today string) Cell {
	c := Cell{Date: day.Date, Dot: day.Together > 0 && day.Date >= today, Today: day.Date == today}
	level := 0
	if day.Slots > 0 {
		level = int(1 + 3*day.Slots/most)
	}
	c.Class = fmt.Sprintf("past-%d", level)
	if day.Date > today || day.Date == today && day.Slots > day.Published+day.Missed {
		c.Class = fmt.Sprintf("coming-%d", level)
	}
	switch {
	case day.Failed > 0:
		c.Mark = "failed"
	case day.Missed > 0:
		c.Mark = "missed"
	}
	words := []string{date.Format("Mon 2 January 2006")}
	switch {
	case day.Slots == 0 && day.Missed == 0:
		words = append(words, "no slots")
	case day.Date > today:
		words = append(words, count(day.Slots, "slot"))
	default:
		words = append(words, count(day.Slots, "slot")+", "+humanize.Comma(day.Published)+" published")
	}
	if day.Missed > 0 {
		words = append(words, humanize.Comma(day.Missed)+" missed")
	}
	if day.Failed > 0 {
		words = append(words, count(day.Failed, "failed run"))
	}
	if day.Together > 0 {
		words = append(words, humanize.Comma(day.Together)+" together with other schedules")
	}
	c.Title = words[0] + ": " + strings.Join(words[1:], ", ")
	return c
}

// sum adds a day to its month.
func (m *Map) sum(day timeline.SlotDay, date time.Time) {
	name := date.Format("January 2006")
	if n := len(m.Table); n == 0 || m.Table[n-1].Name != name {
		m.Table = append(m.Table, Month{Name: name})
	}
	for _, to := range []*Month{&m.Table[len(m.Table)-1], &m.Total} {
		to.Slots += day.Slots
		to.Published += day.Published
		to.Missed += day.Missed
		to.Failed += day.Failed
		to.Together += day.Together
	}
}

// words sums up a year.
func (m Month) words(d timeline.SlotDays) string {
	if len(d.Days) == 0 {
		return "no days"
	}
	text := fmt.Sprintf("%s from %s to %s: %s published, %s missed, %s", count(m.Slots, "slot"), d.Days[0].Date, d.Days[len(d.Days)-1].Date,
		humanize.Comma(m.Published), humanize.Comma(m.Missed), count(m.Failed, "failed run"))
	if m.Together > 0 {
		text += fmt.Sprintf(", %s together with other schedules", humanize.Comma(m.Together))
	}
	return text
}

func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(n) + " " + thing + "s"
}
