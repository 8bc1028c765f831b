package slots_test

import (
	"testing"

	"evrun/tasks/schedule/slots"
)

func TestDescribe(t *testing.T) {
	for _, c := range []struct{ zone, spec, want string }{
		{"", "every 1s", "every second"},
		{"", "every 5s", "every 5 seconds"},
		{"", "every 1m", "every minute"},
		{"", "every 90m", "every 1 hour 30 minutes"},
		{"", "every 24h", "every 24 hours"},
		{"", "every 250ms", "every 250 milliseconds"},
		{"", "every 1500ms", "every 1 second 500 milliseconds"},
		{"", "every 5s; from=2026-01-01T00:00:00Z; limit=10; jitter=2s", "every 5 seconds, from 2026-01-01 00:00 UTC, 10 times, up to 2 seconds late"},
		{"Europe/Paris", "daily 09:00", "every day at 09:00 Europe/Paris"},
		{"Europe/Paris", "daily 17:30 + 09:00 + 12:00:30", "every day at 09:00, 12:00:30 and 17:30 Europe/Paris"},
		{"Europe/Paris", "daily 09:00; from=2026-01-01T00:00:00Z; until=2026-12-31T22:59:59Z", "every day at 09:00 Europe/Paris, from 2026-01-01 01:00, until 2026-12-31 23:59:59"},
		{"Europe/Paris", "daily 09:00; from=2026-01-01T00:00:00Z; limit=1", "every day at 09:00 Europe/Paris, from 2026-01-01 01:00, once"},
		{"Europe/Paris", "weekly MON-FRI 09:00", "every weekday at 09:00 Europe/Paris"},
		{"", "weekly MON 09:00", "every Monday at 09:00 UTC"},
		{"", "weekly SAT,SUN 10:30", "every Saturday and Sunday at 10:30 UTC"},
		{"", "weekly MON,WED,FRI 09:00", "every Monday, Wednesday and Friday at 09:00 UTC"},
		{"", "weekly SUN,TUE 09:00", "every Tuesday and Sunday at 09:00 UTC"},
		{"", "weekly MON-THU 09:00", "every day from Monday to Thursday at 09:00 UTC"},
		{"", "weekly FRI-MON 09:00", "every day from Friday to Monday at 09:00 UTC"},
		{"", "weekly MON-FRI 09:00 + MON-FRI 17:00 + SAT 10:00", "every weekday at 09:00 and 17:00; every Saturday at 10:00 UTC"},
		{"", "weekly SUN-SAT 09:00", "every day at 09:00 UTC"},
		{"", "monthly last 18:00", "on the last day of each month at 18:00 UTC"},
		{"", "monthly 31 18:00", "on the last day of each month at 18:00 UTC"},
		{"", "monthly 30 18:00", "on the 30th (or else the last day) of each month at 18:00 UTC"},
		{"", "monthly 1 09:00", "on the 1st of each month at 09:00 UTC"},
		{"", "monthly 1,15,last 09:00", "on the 1st, 15th and last day of each month at 09:00 UTC"},
		{"", "monthly 1-5 09:00", "on the 1st to 5th of each month at 09:00 UTC"},
		{"", "at 2026-12-24T18:00:00Z", "once at 2026-12-24 18:00 UTC"},
		{"Europe/Paris", "at 2026-12-24T18:00:00Z 2026-12-25T18:00:00Z", "once at 2026-12-24 19:00 and 2026-12-25 19:00 Europe/Paris"},
		{"", "at 2026-01-05T00:00:00Z 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2026-01-04T00:00:00Z", "once at each of 5 times from 2026-01-01 00:00 to 2026-01-05 00:00 UTC"},

		{"Europe/Paris", "cron 0 9 * * MON-FRI", "every weekday at 09:00 Europe/Paris"},
		{"", "cron 0 9,17 * * 1-5", "every weekday at 09:00 and 17:00 UTC"},
		{"", "cron 30 0 9 * * *", "every day at 09:00:30 UTC"},
		{"", "cron * * * * *", "every minute"},
		{"", "cron * * * * * *", "every second"},
		{"", "cron */10 * * * * *", "every 10 seconds"},
		{"", "cron 30 * * * * *", "at 30 seconds past every minute"},
		{"", "cron */15 * * * *", "every 15 minutes"},
		{"Asia/Kolkata", "cron */15 * * * *", "every 15 minutes Asia/Kolkata"},
		{"", "cron 0,30 * * * *", "every 30 minutes"},
		{"", "cron 10,40 * * * *", "at 10 and 40 minutes past every hour"},
		{"", "cron @hourly", "every hour"},
		{"", "cron 5 * * * *", "at 5 minutes past every hour"},
		{"", "cron 0 */2 * * *", "every 2 hours from 00:00 UTC"},
		{"", "cron 30 1/6 * * *", "every day at 01:30, 07:30, 13:30 and 19:30 UTC"},
		{"", "cron 0 */5 * * *", "every day at 00:00, 05:00, 10:00, 15:00 and 20:00 UTC"},
		{"", "cron 0 9-17 * * MON-FRI", "every hour from 09:00 to 17:00 on weekdays UTC"},
		{"", "cron */15 9-17 * * MON-FRI", "every 15 minutes from 09:00 to 17:45 on weekdays UTC"},
		{"", "cron * 9-10 * * *", "every minute from 09:00 to 10:59 UTC"},
		{"", "cron */10 22-2 * * *", "every 10 minutes from 22:00 to 02:50 UTC"},
		{"", "cron */10 22-2 * * MON", `cron "*/10 22-2 * * MON" UTC`},
		{"", "cron 5,35 8-18 * * MON,WED", "at 5 and 35 minutes past every hour, from 08:05 to 18:35 on Mondays and Wednesdays UTC"},
		{"", "cron */10 9 * * *", "every 10 minutes from 09:00 to 09:50 UTC"},
		{"", "cron */7 * * * *", `cron "*/7 * * * *" UTC`},
		{"", "cron */40 * * * *", "at 0 and 40 minutes past every hour"},
		{"", "cron 1-59/2 * * * *", `cron "1-59/2 * * * *" UTC`},
		{"", "cron @daily", "every day at 00:00 UTC"},
		{"", "cron @weekly", "every Sunday at 00:00 UTC"},
		{"", "cron @monthly", "on the 1st of each month at 00:00 UTC"},
		{"", "cron @yearly", "on the 1st of January at 00:00 UTC"},
		{"", "cron 0 9 1,15 * *", "on the 1st and 15th of each month at 09:00 UTC"},
		{"", "cron 0 9 1-7 * *", "on the 1st to 7th of each month at 09:00 UTC"},
		{"", "cron 0 9 */2 * *", "on every 2nd day from the 1st of each month at 09:00 UTC"},
		{"", "cron 0 9 L * *", "on the last day of each month at 09:00 UTC"},
		{"", "cron 0 9 L-2 * *", "on the 2nd day before the last of each month at 09:00 UTC"},
		{"", "cron 0 9 LW * *", "on the last weekday of each month at 09:00 UTC"},
		{"", "cron 0 9 15W,L * *", "on the weekday nearest to the 15th and last day of each month at 09:00 UTC"},
		{"", "cron 0 9 29 2 *", "on the 29th of February at 09:00 UTC"},
		{"", "cron 0 9 * 6-8 *", "every day in June to August at 09:00 UTC"},
		{"", "cron 0 9 * JAN,JUL MON", "every Monday in January and July at 09:00 UTC"},
		{"", "cron 0 9 * * FRI#2", "on the second Friday of each month at 09:00 UTC"},
		{"", "cron 0 9 * * MON#1,FRI#L", "on the first Monday and last Friday of each month at 09:00 UTC"},
		{"", "cron 0 0 13 * FRI", "on the 13th of each month and every Friday at 00:00 UTC"},
		{"", "cron 0 0 1 * */2", "on the 1st of each month if it is a Tuesday, Thursday, Saturday or Sunday at 00:00 UTC"},
		{"", "cron 0 0 1-31 * MON", "every day at 00:00 UTC"},
		{"", "cron 0 * 1 1 *", "every hour on the 1st of January UTC"},
		{"", "cron   0   9 * *   MON#1,2  ", "every Tuesday and on the first Monday of each month at 09:00 UTC"},
	} {
		if got := parse(t, c.zone, c.spec).Describe(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.spec, got, c.want)
		}
	}
	combined, err := slots.New("test", slots.Spec{Daily: []string{"09:00"}, Weekly: []string{"SAT 12:00"}, Monthly: []string{"last 18:00"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "every day at 09:00; every Saturday at 12:00; on the last day of each month at 18:00 UTC"
	if got := combined.Describe(); got != want {
		t.Errorf("combined\n got %s\nwant %s", got, want)
	}
}
