package slots_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"evrun/tasks/fault"
	"evrun/tasks/schedule/slots"
)

func TestSpecsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		spec  string // as in slotCases
		index int
		at    int // the byte that the error points at
		want  string
	}{
		// every
		{"every 99ms", 0, 0, "every: 99ms is shorter than the least interval, 100ms"},
		{"every -5s", 0, 0, "every: -5s is shorter than the least interval, 100ms"},
		// The number of fields.
		{"cron  ", 0, 0, "cron: cron is empty; minute, hour, day of month, month, day of week; or six with seconds first"},
		{"cron 0 9 * *", 0, 0, "cron: cron has 4 fields, not five or six; minute, hour, day of month, month, day of week; or six with seconds first"},
		{"cron 0 0 9 * * MON 2027", 0, 14, "cron: cron has 7 fields, not five or six; there is no field for the year: leave it out, and write from: 2027-01-01T00:00:00Z and until: 2027-12-31T23:59:59Z beside the cron"},
		{"cron every single day at nine", 0, 0, `cron: minute "every": "every" is not a valid value; 0 to 59`},
		// Crons of other tools.
		{"cron 0 0 9 ? * MON *", 0, 14, "cron: cron has 7 fields, not five or six; there is no field for the year: leave this * out"},
		{"cron 0 9 ? * MON *", 0, 4, `cron: hour "?": ? is for the two day fields; six fields begin with the second, and have no year at the end: write 0 9 ? * MON`},
		{"cron 0 9 1 * ? 2027", 0, 8, `cron: month "?": ? is for the two day fields; six fields begin with the second, and have no year at the end: write 0 9 1 * ?`},
		{"cron rate(5 minutes)", 0, 0, "cron: rate(…) is of AWS, not a cron; write every: 5m in place of cron"},
		{"cron rate(1 day)", 0, 0, "cron: rate(…) is of AWS, not a cron; write every: 1d in place of cron"},
		{"cron cron(0 9 * * ? *)", 0, 0, "cron: cron(…) is of AWS; write the five fields without cron( ) and without the year at the end"},
		{"cron H/15 * * * *", 0, 0, `cron: minute "H/15": "H", a moment that Jenkins chooses, is not a valid value; write */15 in its place; jitter: 5m beside cron spreads load`},
		{"cron 0 H(0-7) * * *", 0, 2, `cron: hour "H(0-7)": "H(0", a moment that Jenkins chooses, is not a valid value; write 0 in its place; jitter: 1h beside cron spreads load`},
		// Names in place of fields.
		{"cron @every 5m", 0, 0, "cron: @every is not a cron expression; write it as every: 5m"},
		{"cron @every", 0, 0, "cron: @every is not a cron expression; write it as every: 5m"},
		{"cron @reboot", 0, 0, "cron: @reboot is not a valid time; wire a handler to evrun.started: on: evrun.started, when: data.reboot"},
		{"cron @fortnightly", 0, 0, `cron: unknown name "@fortnightly"; @yearly, @monthly, @weekly, @daily or @hourly`},
		{"cron @", 0, 0, `cron: unknown name "@"; @yearly, @monthly, @weekly, @daily or @hourly`},
		{"cron @daily 5", 0, 7, `cron: "5" is left over after @daily`},
		{"cron CRON_TZ=Europe/Paris 0 9 * * *", 0, 0, "cron: a time zone doesn't belong in a cron; write it as timezone: Europe/Paris"},
		{"cron CRON_TZ=UTC", 0, 0, "cron: a time zone doesn't belong in a cron; write it as timezone: UTC"},
		{"cron TZ=0", 0, 0, "cron: a time zone doesn't belong in a cron; write the zone as timezone: Europe/Paris, by its IANA name"},
		{"cron tz=UTC 0 9 * * *", 0, 0, "cron: a time zone doesn't belong in a cron; write it as timezone: UTC"},
		// Values.
		{"cron 60 9 * * *", 0, 0, `cron: minute "60": 60 is above 59; 0 to 59`},
		{"cron 0 24 * * *", 0, 2, `cron: hour "24": 24 is above 23; 0 to 23`},
		{"cron 0 0 0 * *", 0, 4, `cron: day of month "0": 0 is below 1; 1 to 31`},
		{"cron 0 0 32 * *", 0, 4, `cron: day of month "32": 32 is above 31; 1 to 31`},
		{"cron 0 0 * 13 *", 0, 6, `cron: month "13": 13 is above 12; 1 to 12, or JAN to DEC`},
		{"cron 0 0 * 0 *", 0, 6, `cron: month "0": 0 is below 1; 1 to 12, or JAN to DEC`},
		{"cron 0 0 * * 8", 0, 8, `cron: day of week "8": 8 is above 7; 0 to 7, or SUN to SAT`},
		{"cron 61 0 0 * * *", 0, 0, `cron: second "61": 61 is above 59; 0 to 59`},
		{"cron 0 0 * * MOO", 0, 8, `cron: day of week "MOO": "MOO" is not a valid value; 0 to 7, or SUN to SAT`},
		{"cron 0 0 * * MO", 0, 8, `cron: day of week "MO": "MO" is not a valid value; 0 to 7, or SUN to SAT`},
		{"cron 0 0 * * MON,TUE,WEN", 0, 16, `cron: day of week "WEN": "WEN" is not a valid value; 0 to 7, or SUN to SAT`},
		{"cron 0   9-  * * *", 0, 4, `cron: hour "9-": a value is missing; 0 to 23`},
		{"cron -5 9 * * *", 0, 0, `cron: minute "-5": a value is missing; 0 to 59`},
		{"cron +5 9 * * *", 0, 0, `cron: minute "+5": "+5" is not a valid value; 0 to 59`},
		{"cron 1-2-3 9 * * *", 0, 0, `cron: minute "1-2-3": "2-3" is not a valid value; 0 to 59`},
		{"cron *-5 9 * * *", 0, 0, `cron: minute "*-5": "*" is not a valid value; 0 to 59`},
		{"cron ** 9 * * *", 0, 0, `cron: minute "**": "**" is not a valid value; 0 to 59`},
		{"cron 99999999999999999999 9 * * *", 0, 0, `cron: minute "99999999999999999999": 99999999999999999999 is above 59; 0 to 59`},
		{"cron H 9 * * *", 0, 0, `cron: minute "H": "H", a moment that Jenkins chooses, is not a valid value; write 0 in its place; jitter: 5m beside cron spreads load`},
		{"cron ٣ 9 * * *", 0, 0, `cron: minute "٣": "٣" is not a valid value; 0 to 59`},
		// Lists and steps.
		{"cron 1,,2 9 * * *", 0, 2, `cron: minute "1,,2": an item of the list is missing`},
		{"cron , 9 * * *", 0, 0, `cron: minute ",": an item of the list is missing`},
		{"cron 1, 9 * * *", 0, 2, `cron: minute "1,": an item of the list is missing`},
		{"cron */0 9 * * *", 0, 0, `cron: minute "*/0": a step of 0; a step is a number from 1`},
		{"cron */ 9 * * *", 0, 0, `cron: minute "*/": "" is not a valid step; a step is a number from 1`},
		{"cron */x 9 * * *", 0, 0, `cron: minute "*/x": "x" is not a valid step; a step is a number from 1`},
		{"cron */+5 9 * * *", 0, 0, `cron: minute "*/+5": "+5" is not a valid step; a step is a number from 1`},
		{"cron */60 9 * * *", 0, 0, `cron: minute "*/60": a step of 60 leaves the first value alone; give that value without a step`},
		{"cron 0 5-7/9 * * *", 0, 2, `cron: hour "5-7/9": a step of 9 leaves the first value alone; give that value without a step`},
		{"cron */5/2 9 * * *", 0, 0, `cron: minute "*/5/2": "5/2" is not a valid step; a step is a number from 1`},
		{"cron 0 ? * * *", 0, 2, `cron: hour "?": ? is for the two day fields; use *`},
		// L, W, #.
		{"cron 0 0 L-0 * *", 0, 4, `cron: day of month "L-0": after L- comes how many days before the last, 1 to 30`},
		{"cron 0 0 L-31 * *", 0, 4, `cron: day of month "L-31": after L- comes how many days before the last, 1 to 30`},
		{"cron 0 0 W * *", 0, 4, `cron: day of month "W": before W comes a day of the month, 1 to 31, or L`},
		{"cron 0 0 32W * *", 0, 4, `cron: day of month "32W": before W comes a day of the month, 1 to 31, or L`},
		{"cron 0 0 * * 5L", 0, 8, `cron: day of week "5L": L stands after a #: FRI#L is the month's last Friday`},
		{"cron 0 0 * * L", 0, 8, `cron: day of week "L": L stands after a #: FRI#L is the month's last Friday`},
		{"cron 0 0 * * FRI#6", 0, 8, `cron: day of week "FRI#6": after # comes which one in the month, 1 to 5, or L for the last`},
		{"cron 0 0 * * FRI#", 0, 8, `cron: day of week "FRI#": after # comes which one in the month, 1 to 5, or L for the last`},
		{"cron 0 0 * * #2", 0, 8, `cron: day of week "#2": a value is missing`},
		{"cron 0 0 1#2 * *", 0, 4, `cron: day of month "1#2": "1#2" is not a valid value; 1 to 31`},
		{"cron 0 L * * *", 0, 2, `cron: hour "L": "L" is not a valid value; 0 to 23`},
		// What never comes.
		{"cron 0 0 30 2 *", 0, 4, "cron: no such day exists in any year; L is a month's last day"},
		{"cron 0 0 31 4,6,9,11 *", 0, 4, "cron: no such day exists in any year; L is a month's last day"},
		{"cron 0 0 31W FEB *", 0, 4, "cron: no such day exists in any year; L is a month's last day"},
		{"cron 0 0 L-30 2 *", 0, 4, "cron: no such day exists in any year; L is a month's last day"},
		// daily, weekly, monthly
		{"daily 9", 0, 0, `daily[0]: "9" is not a valid time of day; HH:MM or HH:MM:SS, such as 09:00`},
		{"daily 9am", 0, 0, `daily[0]: "9am" is not a valid time of day; HH:MM or HH:MM:SS, such as 09:00`},
		{"daily 09:00 + 24:00", 1, 0, `daily[1]: "24:00" is not a valid time of day; 00:00 is the day's first minute`},
		{"daily 09:00 + 10:00 + 09:60", 2, 0, `daily[2]: "09:60" is not a valid time of day; 00:00 to 23:59:59`},
		{"daily 09:5", 0, 0, `daily[0]: "09:5" is not a valid time of day; HH:MM or HH:MM:SS, such as 09:00`},
		{"daily 09:00pm", 0, 0, `daily[0]: "09:00pm" is not a valid time of day; HH:MM or HH:MM:SS, such as 09:00`},
		{"daily -1:00", 0, 0, `daily[0]: "-1:00" is not a valid time of day; HH:MM or HH:MM:SS in 24 hours, such as 09:00 or 21:30`},
		{"daily MON 09:00", 0, 0, `daily[0]: "MON 09:00" is not a valid time of day; one time an entry, such as 09:00`},
		{"weekly 09:00", 0, 0, `weekly[0]: "09:00" is not days and a time; such as "MON-FRI 09:00" weekly, "1,15 09:00" or "last 18:00" monthly`},
		{"weekly MON,FRO 09:00", 0, 4, `weekly[0]: day of week "FRO": "FRO" is not a valid value; 0 to 7, or SUN to SAT`},
		{"weekly MON 09:00 + MON 25:00", 1, 4, `weekly[1]: "25:00" is not a valid time of day; 00:00 to 23:59:59`},
		{"weekly FRI#2 09:00", 0, 3, `weekly[0]: # is for a cron; such as cron: "0 9 * * FRI#2"`},
		{"monthly 0 09:00", 0, 0, `monthly[0]: day of month "0": 0 is below 1; 1 to 31`},
		{"monthly 1,32 09:00", 0, 2, `monthly[0]: day of month "32": 32 is above 31; 1 to 31`},
		{"monthly first 09:00", 0, 0, `monthly[0]: day of month "first": "first" is not a valid value; 1 to 31`},
		{"monthly 1, 09:00", 0, 2, `monthly[0]: day of month "": an item of the list is missing; 1 to 31, or last`},
		// Bounds.
		{"daily 09:00; from=2026-01-02T00:00:00Z; until=2026-01-02T00:00:00Z", 0, 0, "until: until is not after from"},
		{"daily 09:00; from=2026-01-02T09:00:01Z; until=2026-01-03T09:00:00Z", 0, 0, "until: there is no slot before it; until is exclusive: a slot at that very time is left out"},
		{"at 2026-01-01T00:00:00Z; from=2026-01-01T00:00:01Z", 0, 0, "from: there is no slot at or after it"},
		{"every 5s; limit=-1", 0, 0, "limit: -1 is negative; leave it out for no limit"},
		{"every 5s; jitter=-1s", 0, 0, "jitter: -1s is negative"},
		{"every 5s; dst=once", 0, 0, "dst: every takes no notice of clock changes; leave dst out"},
		{"at 2026-01-01T00:00:00Z; dst=rhythm", 0, 0, "dst: at takes no notice of clock changes; leave dst out"},
		{"daily 09:00; dst=twice", 0, 0, `dst: unknown choice "twice"; once or rhythm`},
	} {
		t.Run(c.spec, func(t *testing.T) {
			refused(t, spec(t, "UTC", c.spec), c.index, c.at, c.want)
		})
	}
}

func refused(t *testing.T, spec slots.Spec, index, at int, want string) {
	t.Helper()
	_, err := slots.New("test", spec)
	var e *fault.Fault
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want %s", err, want)
	}
	entry := 0
	if len(e.Path) == 2 {
		entry = e.Path[1].(int)
	}
	if e.Error() != want || entry != index || e.Offset != at {
		t.Errorf("error\n got %s at %d of [%d]\nwant %s at %d of [%d]", e, e.Offset, entry, want, at, index)
	}
}

func TestSpecsThatNoTextHolds(t *testing.T) {
	at := instant(t, "2026-01-01T00:00:00Z")
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		spec slots.Spec
		at   int
		want string
	}{
		{"nothing", slots.Spec{}, 0, "no timing is given; give one of every, cron, daily, weekly, monthly, at"},
		{"two", slots.Spec{Every: time.Hour, Cron: "@daily"}, 0, "cron: cron is given as well as every; give one of them; daily, weekly and monthly alone may be combined"},
		{"every and daily", slots.Spec{Every: time.Hour, Daily: []string{"09:00"}}, 0, "daily: daily is given as well as every; give one of them; daily, weekly and monthly alone may be combined"},
		{"daily and at", slots.Spec{Daily: []string{"09:00"}, At: []time.Time{at}}, 0, "at: at is given as well as daily; give one of them; daily, weekly and monthly alone may be combined"},
		{"10 kB of fields", slots.Spec{Cron: strings.Repeat("* ", 5000)}, 1024, "cron: 10000 bytes are more than 1024"},
		{"a long time of day", slots.Spec{Daily: []string{strings.Repeat("0", 300)}}, 256, "daily[0]: 300 bytes are more than 256"},
		{"at in the year 10000", slots.Spec{At: []time.Time{far}}, 0, "at[0]: at lies outside the years 1 to 9999"},
		{"from in the year 10000", slots.Spec{Every: time.Hour, From: far}, 0, "from: from lies outside the years 1 to 9999"},
		{"until in the year 10000", slots.Spec{Every: time.Hour, Until: far}, 0, "until: until lies outside the years 1 to 9999"},
		{"a zone beyond the world", slots.Spec{Cron: "@daily", Zone: time.FixedZone("far", 100*3600)}, 0, "timezone: far is 100h0m0s from UTC"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.spec, 0, c.at, c.want) })
	}
	refused(t, slots.Spec{Daily: make([]string, 1)}, 0, 0, `daily[0]: "" is not a valid time of day; one time an entry, such as 09:00`)
	many := make([]string, 1001)
	for i := range many {
		many[i] = "09:00"
	}
	refused(t, slots.Spec{Daily: many}, 1000, 0, "daily[1000]: more than 1000 entries")
	refused(t, slots.Spec{At: make([]time.Time, 10_001)}, 10_000, 0, "at[10000]: 10001 times are more than 10000")
}

func TestZones(t *testing.T) {
	for _, name := range []string{"Europe/Pariss", "Local", "local", "../etc/passwd", "\x00"} {
		_, err := slots.LoadZone(name)
		var e *fault.Fault
		if !errors.As(err, &e) || fault.Path(e.Path) != "timezone" || e.Hint == "" {
			t.Errorf("zone %q: %v, want a timezone error with a hint", name, err)
		}
	}
	for _, name := range []string{"", "UTC", "Etc/UTC"} {
		if loc, err := slots.LoadZone(name); err != nil || name != "Etc/UTC" && loc != time.UTC {
			t.Errorf("zone %q: %v, %v", name, loc, err)
		}
	}
	a, _ := slots.LoadZone("Asia/Kolkata")
	if b, _ := slots.LoadZone("Asia/Kolkata"); a != b {
		t.Error("a zone is loaded twice")
	}
}
