package heatmap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/tasks/schedule/timeline"
)

func TestAMapOfDays(t *testing.T) {
	d := timeline.SlotDays{Changes: []timeline.ClockChange{{At: time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), Timezone: "Europe/Paris", From: "02:00", To: "03:00"}}}
	first := time.Date(2026, 3, 23, 0, 0, 0, 0, time.UTC) // a Monday
	for i := range 14 {
		d.Days = append(d.Days, timeline.SlotDay{Date: first.AddDate(0, 0, i).Format(time.DateOnly), Slots: 4})
	}
	d.Days[0].Slots = 0
	d.Days[1].Published = 4
	d.Days[2].Published, d.Days[2].Missed = 3, 1
	d.Days[3].Published, d.Days[3].Failed = 4, 2
	d.Days[4].Slots = 1
	d.Days[8].Together = 1
	m := Of(d, "2026-03-27")
	var got []string
	for _, c := range m.Cells {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%d,%d %s %s", (c.X-left)/Step, (c.Y-top)/Step, c.Class, c.Mark)))
	}
	want := "0,0 past-0|0,1 past-4|0,2 past-4 missed|0,3 past-4 failed|0,4 coming-1|0,5 coming-4|0,6 coming-4|1,0 coming-4|1,1 coming-4"
	if text := strings.Join(got[:9], "|"); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	for i, want := range map[int]string{
		0: "Mon 23 March 2026: no slots", 2: "Wed 25 March 2026: 4 slots, 3 published, 1 missed", 3: "Thu 26 March 2026: 4 slots, 4 published, 2 failed runs",
		4: "Fri 27 March 2026: 1 slot, 0 published", 6: "Sun 29 March 2026: 4 slots; the clock of Europe/Paris goes from 02:00 to 03:00", 8: "Tue 31 March 2026: 4 slots, 1 together with other schedules",
	} {
		if m.Cells[i].Title != want {
			t.Errorf("%q, want %q", m.Cells[i].Title, want)
		}
	}
	if !m.Cells[4].Today || !m.Cells[6].Clock || !m.Cells[8].Dot || m.Width != left+2*Step || len(m.Table) != 2 || m.Table[0].Name != "March 2026" || m.Table[1].Slots != 5*4 {
		t.Errorf("%+v", m)
	}
	if want := "49 slots from 2026-03-23 to 2026-04-05: 11 published, 1 missed, 2 failed runs, 1 together with other schedules"; m.Text != want {
		t.Errorf("%q, want %q", m.Text, want)
	}
}

func TestTimesInWords(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 27, 22, 30, 0, 0, time.UTC) // 23:30 in Paris
	for _, x := range []struct {
		t    time.Time
		when string
		day  string
	}{
		{time.Date(2026, 11, 27, 23, 45, 0, 0, paris), "today 23:45", "Today, Friday 27 November"},
		{time.Date(2026, 11, 28, 0, 15, 5, 0, paris), "tomorrow 00:15:05", "Tomorrow, Saturday 28 November"},
		{time.Date(2026, 11, 26, 9, 0, 0, 0, paris), "yesterday 09:00", "Yesterday, Thursday 26 November"},
		{time.Date(2026, 12, 3, 9, 0, 0, 0, paris), "Thursday 09:00", "Thursday 3 December"},
		{time.Date(2026, 12, 4, 9, 0, 0, 0, paris), "4 December 09:00", "Friday 4 December"},
		{time.Date(2027, 1, 4, 9, 0, 0, 0, paris), "4 January 09:00", "Monday 4 January 2027"},
		{time.Date(2028, 1, 4, 9, 0, 0, 0, paris), "4 January 2028 09:00", "Tuesday 4 January 2028"},
		{time.Date(2025, 1, 4, 9, 0, 0, 0, paris), "4 January 2025 09:00", "Saturday 4 January 2025"},
	} {
		if got := When(x.t, now); got != x.when {
			t.Errorf("%v is %q, want %q", x.t, got, x.when)
		}
		if got := Day(x.t, now); got != x.day {
			t.Errorf("%v is on %q, want %q", x.t, got, x.day)
		}
	}
}

func TestLanes(t *testing.T) {
	begin := time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC)
	p := timeline.SlotList{
		Slots: []timeline.ScheduleSlot{
			{Schedule: "a", Slot: begin.Add(6 * time.Hour), State: timeline.Coming}, {Schedule: "b", Slot: begin.Add(12 * time.Hour), State: timeline.Coming, Paused: "hand"},
			{Schedule: "a", Slot: begin.Add(18 * time.Hour), State: timeline.Coming},
		},
		Folded: []timeline.FoldedSlots{{Schedule: "tick", When: "every 1s", Slots: 86400, First: begin, Last: begin.Add(24 * time.Hour)}},
	}
	l := LanesOf(p, begin, begin.Add(24*time.Hour), 8, begin.Add(time.Hour))
	if got, want := fmt.Sprintf("%v %d %v %s", l.Parts, l.Now, l.Lanes[:2], l.Lanes[2].Text), "[16:00 19:00 22:00 01:00 04:00 07:00 10:00 13:00] 41 [{a 2 slots [{250 coming} {750 coming}] <nil>} {b 1 slot [{500 paused}] <nil>}] 86,400 slots, every 1s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if one := LanesOf(timeline.SlotList{Slots: p.Slots[:1]}, begin, begin.Add(time.Hour), 2, begin); one != nil {
		t.Errorf("%+v", one)
	}
}
