package slots_test

import (
	"fmt"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

func TestAYearOfADailySlotHasItsDays(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo"} {
		for _, at := range []string{"00:00", "00:30", "01:30", "02:00", "02:30", "09:00", "23:30"} {
			s := parse(t, zone, "daily "+at)
			for year := 2000; year < 2040; year++ {
				want := 365
				if year%4 == 0 {
					want = 366
				}
				from := time.Date(year, 1, 1, 0, 0, 0, 0, s.Location()).Add(-1)
				to := time.Date(year+1, 1, 1, 0, 0, 0, 0, s.Location()).Add(-1)
				slots, more := s.Between(from, to, 400)
				if len(slots) != want || more || s.Count(from, to) != int64(want) {
					t.Errorf("%s at %s in %d: %d slots, %d counted, want %d", zone, at, year, len(slots), s.Count(from, to), want)
				}
			}
		}
	}
}

func TestTheYearThatSkippedADay(t *testing.T) {
	s := parse(t, "Pacific/Apia", "daily 09:00")
	from := time.Date(2011, 1, 1, 0, 0, 0, 0, s.Location())
	if n := s.Count(from, from.AddDate(1, 0, 0)); n != 365 { // 364 days, and the skipped day's slot at the end of the gap
		t.Errorf("%d slots at 09:00 in 2011, want 365", n)
	}
	s = parse(t, "Pacific/Apia", "daily 00:00")
	if n := s.Count(from.Add(-1), from.AddDate(1, 0, 0).Add(-1)); n != 364 { // the skipped day's slot is the next day's
		t.Errorf("%d slots at 00:00 in 2011, want 364", n)
	}
}

func TestLongBacklogsAreCounted(t *testing.T) {
	from := instant(t, "2023-01-01T00:00:00Z")
	to := instant(t, "2026-01-01T00:00:00Z") // 1,096 days
	for _, c := range []struct {
		zone, spec string
		want       int64
	}{
		{"UTC", "every 1s", 1096 * 86400},
		{"UTC", "every 100ms", 1096 * 864000},
		{"UTC", "every 7s", 1767225600/7 - 1672531200/7},
		{"UTC", "cron * * * * * *", 1096 * 86400},
		{"Europe/Paris", "cron * * * * * *", 1096 * 86400},
		{"Europe/Paris", "cron */30 * * * *", 1096 * 48},
		{"Europe/Paris", "cron * * * * * *; dst=once", 1096*86400 - 3*3600}, // not in the second pass
		{"Europe/Paris", "daily 02:30", 1096},
		{"Europe/Paris", "daily 02:10 + 02:50", 2*1096 - 3}, // one slot at the end of each gap
		{"Europe/Paris", "daily 02:30; dst=rhythm", 1096 - 3 + 3},
		{"UTC", "daily 09:00; until=2024-01-01T00:00:00Z", 365},
		{"UTC", "daily 09:00; from=2025-01-01T00:00:00Z", 365},
		{"UTC", "daily 09:00; from=2020-01-01T00:00:00Z; limit=1100", 4},
		{"UTC", "monthly last 09:00 + 31 09:00", 36},
	} {
		s := parse(t, c.zone, c.spec)
		if n := s.Count(from, to); n != c.want {
			t.Errorf("%s in %s: %d slots, want %d", c.spec, c.zone, n, c.want)
			continue
		}
		// The newest thousand, as a cap would keep them.
		start := from
		if c.want > 1000 {
			start, _ = s.Nth(from, c.want-1000)
		}
		slots, more := s.Between(start, to, 1000)
		if int64(len(slots)) != min(1000, c.want) || more {
			t.Errorf("%s in %s: %d slots kept, more %v", c.spec, c.zone, len(slots), more)
		}
		last, ok := s.Last(from, to)
		if !ok || !last.Equal(slots[len(slots)-1]) {
			t.Errorf("%s in %s: the last is %v, want %v", c.spec, c.zone, last, slots[len(slots)-1])
		}
	}
}

func TestCountsOfNothing(t *testing.T) {
	s := parse(t, "", "daily 09:00")
	at := instant(t, "2026-01-01T09:00:00Z")
	if n := s.Count(at, at); n != 0 {
		t.Errorf("%d slots in an empty span", n)
	}
	if n := s.Count(at, at.Add(-time.Hour*48)); n != 0 {
		t.Errorf("%d slots in a span that ends before it begins", n)
	}
	if slot, ok := s.Last(at, at.Add(time.Hour)); ok {
		t.Errorf("%v is no slot of a span without any", slot)
	}
	for _, n := range []int64{0, -1} {
		if slot, ok := s.Nth(at, n); ok {
			t.Errorf("slot %d is %v", n, slot)
		}
	}
	if slot, ok := s.Nth(at, 1<<62); ok {
		t.Errorf("slot 2^62 is %v", slot)
	}
	if slot, ok := parse(t, "", "every 5s").Nth(at, 1<<62); ok {
		t.Errorf("slot 2^62 is %v", slot)
	}
	if slots, more := s.Between(at.Add(-1), at, 0); len(slots) != 0 || !more {
		t.Errorf("at most none of one: %v, more %v", slots, more)
	}
}

func TestSlotsEndWithTheYear9999(t *testing.T) {
	end := instant(t, "9999-12-31T23:59:59.999999999Z")
	for _, text := range []string{"every 5s", "cron * * * * *", "daily 09:00", "monthly last 18:00"} {
		for _, zone := range []string{"UTC", "Pacific/Apia", "America/New_York"} {
			s := parse(t, zone, text)
			for _, after := range []time.Time{end, end.AddDate(1, 0, 0), end.AddDate(1e6, 0, 0)} {
				if slot, ok := s.Next(after); ok {
					t.Errorf("%s in %s: a slot at %v", text, zone, slot)
				}
			}
			for _, after := range []time.Time{{}, time.Time{}.AddDate(-1e6, 0, 0)} {
				if slot, ok := s.Next(after); !ok || slot.Year() != 1 {
					t.Errorf("%s in %s: the first slot after %v is %v", text, zone, after, slot)
				}
			}
		}
	}
}

// The bounds of zone periods that time gives are wrong here: see clock.period.
func TestBoundsThatTimeGetsWrong(t *testing.T) {
	for _, zone := range []string{"Europe/Paris", "America/New_York", "Australia/Lord_Howe"} {
		for _, text := range []string{"cron 0 */6 * * *", "cron 0 0,6,12,18 * * *; dst=rhythm", "daily 00:00 + 06:00 + 12:00 + 18:00"} {
			s := parse(t, zone, text)
			from := time.Date(2024, 1, 1, 0, 0, 0, 0, s.Location()).Add(-1)
			to := time.Date(2049, 1, 1, 0, 0, 0, 0, s.Location()).Add(-1)
			const want = 4 * (25*365 + 7)
			if slots, _ := s.Between(from, to, 40_000); len(slots) != want || s.Count(from, to) != want {
				t.Errorf("%s in %s: %d slots, %d counted, want %d", text, zone, len(slots), s.Count(from, to), want)
			}
		}
	}
	// The clock went back from 02:00 to 01:00 on 20 January 2019, for the last time but for the yearly rule.
	s := parse(t, "America/Metlakatla", "daily 01:30")
	slots, _ := s.Between(instant(t, "2019-01-19T12:00:00Z"), instant(t, "2019-01-22T12:00:00Z"), 9)
	var got string
	for _, slot := range slots {
		got += show(slot.In(s.Location())) + " "
	}
	if want := "2019-01-20T01:30-08:00 2019-01-21T01:30-09:00 2019-01-22T01:30-09:00 "; got != want {
		t.Errorf("slots\n got %s\nwant %s", got, want)
	}
}

func TestLimitCountsFromWhereItIsTold(t *testing.T) {
	s := parse(t, "", "every 1h; limit=2")
	at := instant(t, "2026-01-01T00:30:00Z")
	if n := s.Count(at, at.Add(24*time.Hour)); n != 24 {
		t.Errorf("%d slots without a beginning, want all 24", n)
	}
	if _, ok := s.Number(at); ok {
		t.Error("slots are numbered without a beginning")
	}
	counted := s.CountedFrom(at)
	slots, more := counted.Between(at.Add(-24*time.Hour), at.Add(24*time.Hour), 100)
	if more || len(slots) != 26 { // earlier slots don't matter
		t.Errorf("%d slots around the beginning, want 24 before it and 2 after", len(slots))
	}
	for i, want := range []string{"2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"} {
		slot, ok := counted.Nth(at, int64(i+1))
		if n, _ := counted.Number(slot); !ok || !slot.Equal(instant(t, want)) || n != int64(i+1) {
			t.Errorf("slot %d is %v with number %d, want %s", i+1, slot, n, want)
		}
	}
	if slot, ok := counted.Next(instant(t, "2026-01-01T02:00:00Z")); ok {
		t.Errorf("a third slot at %v", slot)
	}
	if s.Count(at, at.Add(24*time.Hour)) != 24 {
		t.Error("counting changed the schedule itself")
	}

	bounded := parse(t, "", "every 1h; from=2026-01-01T00:00:00Z; limit=2")
	if bounded.CountedFrom(at) != bounded {
		t.Error("a schedule that has its beginning takes another")
	}
	if n, ok := bounded.Number(instant(t, "2026-01-01T00:00:00Z")); !ok || n != 1 {
		t.Errorf("the slot at from has number %d, want 1", n)
	}
}

func TestJitter(t *testing.T) {
	hourly := spec(t, "UTC", "cron @hourly; jitter=10m")
	a, err := slots.New("a", hourly)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := slots.New("a", hourly)
	b, _ := slots.New("b", hourly)
	slots, _ := a.Between(instant(t, "2026-01-01T00:00:00Z"), latest, 6000)
	same, tenths := 0, [10]int{}
	for _, slot := range slots {
		delay := a.Fire(slot).Sub(slot)
		if delay < 0 || delay >= 10*time.Minute {
			t.Fatalf("slot %v is %v late, want less than 10 minutes", slot, delay)
		}
		if !again.Fire(slot).Equal(a.Fire(slot)) {
			t.Fatalf("slot %v fires at %v, then at %v", slot, a.Fire(slot), again.Fire(slot))
		}
		if b.Fire(slot).Equal(a.Fire(slot)) {
			same++
		}
		tenths[delay/time.Minute]++
	}
	if same > 1 {
		t.Errorf("%d slots of two schedules have the same jitter", same)
	}
	for i, n := range tenths {
		if n < 500 || n > 700 {
			t.Errorf("%d of 6000 delays are in minute %d, want about 600", n, i)
		}
	}
}

func TestJitterKeepsTheOrderOfSlots(t *testing.T) {
	for _, text := range []string{"every 1s; jitter=1h", "cron 0,1 9 * * *; jitter=24h", "at 2026-01-01T00:00:00Z 2026-01-01T00:00:01Z; jitter=1h"} {
		s := parse(t, "Europe/Paris", text)
		slots, _ := s.Between(instant(t, "2025-12-31T00:00:00Z"), latest, 100)
		for i := 1; i < len(slots); i++ {
			if fire := s.Fire(slots[i-1]); !fire.Before(slots[i]) {
				t.Errorf("%s: slot %v fires at %v, not before slot %v", text, slots[i-1], fire, slots[i])
			}
		}
	}
}

func ExampleTiming_Next() {
	paris, _ := slots.LoadZone("Europe/Paris")
	s, err := slots.New("backup", slots.Spec{Daily: []string{"02:30"}, Zone: paris})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Describe())
	slot := time.Date(2026, 3, 28, 0, 0, 0, 0, paris)
	for range 3 {
		slot, _ = s.Next(slot)
		fmt.Println(slot.In(paris))
	}
	// Output:
	// daily 02:30 Europe/Paris
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
}
