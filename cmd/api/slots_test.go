package api_test

import (
	"fmt"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/daemon/daemontest"
)

// What came of slots shows in the list of slots, in their days, and as what came of the last one.
func TestWhatCameOfSlots(t *testing.T) {
	t.Parallel()
	d := daemontest.Start(t, `
schedules:
  - {name: night, daily: "00:00", do: exec, with: {shell: "exit 1"}}
  - {name: tick, every: 500ms, emit: ticked}
handlers:
  - {name: note, on: ticked, do: log, with: {message: x}}
defaults: {retry: {attempts: 1}}
`)
	ctx := t.Context()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	from := today.AddDate(0, 0, -3)
	if _, err := d.Backfill(ctx, "night", api.Backfill{From: from, To: &today}); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		days, err := d.SlotDays(ctx, []string{"night"}, nil, from.Format(time.DateOnly), false)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%+v", days.Days[:3])
		want := fmt.Sprintf("[{Date:%s Slots:1 Published:1 Missed:0 Failed:1 Together:0} {Date:%s Slots:1 Published:1 Missed:0 Failed:1 Together:0} {Date:%s Slots:1 Published:1 Missed:0 Failed:1 Together:0}]",
			from.Format(time.DateOnly), from.AddDate(0, 0, 1).Format(time.DateOnly), from.AddDate(0, 0, 2).Format(time.DateOnly))
		if got == want {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
	page, err := d.Slots(ctx, client.SlotsQuery{Schedules: []string{"night"}, Since: from, Until: today})
	if err != nil || len(page.Slots) != 3 || page.Slots[0].State != "published" || page.Slots[2].Runs["dead"] != 1 || page.Slots[1].Sequence == 0 {
		t.Fatalf("%+v %v", page, err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := d.SchedulesWithLast(ctx, nil)
		if err != nil || len(list.Schedules) != 2 {
			t.Fatal(list, err)
		}
		if tick := list.Schedules[1]; tick.LastRuns != nil && tick.LastRuns.States["succeeded"] == 1 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%+v", list.Schedules[1])
		}
	}
}
