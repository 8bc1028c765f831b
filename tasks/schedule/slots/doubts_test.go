package slots_test

import (
	"slices"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

// Doubts are about valid crons; the cron of a hint has none.
func TestDoubtsOfCrons(t *testing.T) {
	for cron, want := range map[string]string{
		"0 9 1 * MON":    `for one such day of the week in a month write 0 9 * * MON#1; if either is meant, write monthly: "1 09:00" and weekly: "MON 09:00" in place of cron`,
		"0 9 8-14 * 2":   "for one such day of the week in a month write 0 9 * * 2#2",
		"0 9 L * FRI":    "for one such day of the week in a month write 0 9 * * FRI#L",
		"0 0 9 1 * 7":    `for one such day of the week in a month write 0 0 9 * * 7#1; if either is meant, write monthly: "1 09:00" and weekly: "SUN 09:00" in place of cron`,
		"0 9 1,15 * 1-3": `if either is meant, write monthly: "1,15 09:00" and weekly: "MON,TUE,WED 09:00" in place of cron`,
		"0 9 31 * 1-3":   "if either is meant, make two schedules of it, each with * in the other field; a day that is both has two slots then",
		"*/5 9 1 * 1-3":  "if either is meant, make two schedules of it, each with * in the other field; a day that is both has two slots then",
		"0 9 1 1 MON":    "for one such day of the week in a month write 0 9 * 1 MON#1",
		"* 9 * * *":      "write 0 9 * * *, or 0-59 in place of the first *",
		"* 0 9 * * *":    "write 0 0 9 * * *, or 0-59 in place of the first *",
		"0 9 * * MON#1":  "", "0 9 */2 * MON": "", "0 9 1-31 * MON": "", "0 9 1 * *": "", "0 9 1 * ?": "", "* * * * *": "", "* * * * * *": "",
		"* 9-17 * * *": "", "0-59 9 * * *": "", "0-59 0 9 * * *": "", "@daily": "", "wrong": "",
	} {
		got := ""
		if f := slots.Doubt(cron); f != nil {
			got = f.Hint
		}
		if got != want {
			t.Errorf("%s: %q, want %q", cron, got, want)
		}
	}
	// monthly and weekly of a hint have the slots of the cron.
	cron, err := slots.New("", slots.Spec{Cron: "0 9 13 * FRI"})
	if err != nil {
		t.Fatal(err)
	}
	monthly, weekly, ok := slots.Calendar("0 9 13 * FRI")
	if !ok {
		t.Fatal("none")
	}
	calendar, err := slots.New("", slots.Spec{Monthly: []string{monthly}, Weekly: []string{weekly}})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one, _ := cron.Between(from, from.AddDate(2, 0, 0), 1000)
	other, _ := calendar.Between(from, from.AddDate(2, 0, 0), 1000)
	if !slices.Equal(one, other) {
		t.Errorf("%d slots, and %d", len(one), len(other))
	}
}
