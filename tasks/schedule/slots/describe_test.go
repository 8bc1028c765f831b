package slots_test

import (
	"testing"

	"evrun/tasks/schedule/slots"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct{ zone, spec, want string }{
		{"", "every 1s", "every 1s"},
		{"", "every 90m", "every 1h30m"},
		{"", "every 24h", "every 24h"},
		{"", "every 1500ms", "every 1.5s"},
		{"Europe/Paris", "every 5s; from=2026-01-01T00:00:00Z; limit=10; jitter=2m", "every 5s, from 2026-01-01T01:00:00+01:00, limit 10, jitter 2m"},
		{"Europe/Paris", "daily 17:30 + 09:00", "daily 17:30, 09:00 Europe/Paris"},
		{"", "daily 09:00; until=2026-12-31T22:59:59Z", "daily 09:00 UTC, until 2026-12-31T22:59:59Z"},
		{"", "daily 01:00 + 02:00 + 03:00 + 04:00 + 05:00 + 06:00 + 07:00 + 08:00 + 09:00 + 10:00",
			"daily 01:00, 02:00, 03:00, 04:00, 05:00, 06:00, 07:00, 08:00 and 2 more UTC"},
		{"Europe/Paris", "weekly MON-FRI 09:00", "weekly MON-FRI 09:00 Europe/Paris"},
		{"", "monthly last 18:00", "monthly last 18:00 UTC"},
		{"Europe/Paris", "at 2026-12-25T18:00:00Z 2026-12-24T18:00:00Z", "at 2026-12-24T19:00:00+01:00, 2026-12-25T19:00:00+01:00 Europe/Paris"},
		{"Europe/Paris", "cron   0 9 * *   MON-FRI", `cron "0 9 * * MON-FRI" Europe/Paris`},
		{"", "cron @daily", `cron "@daily" UTC`},
	} {
		if got := parse(t, c.zone, c.spec).Describe(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.spec, got, c.want)
		}
	}
	combined, err := slots.New("test", slots.Spec{Daily: []string{"09:00"}, Weekly: []string{"SAT 12:00"}, Monthly: []string{"last 18:00"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := combined.Describe(), "daily 09:00; weekly SAT 12:00; monthly last 18:00 UTC"; got != want {
		t.Errorf("combined\n got %s\nwant %s", got, want)
	}
}
