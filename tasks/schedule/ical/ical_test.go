package ical

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

func calendar(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n"
}

func vevent(lines ...string) string {
	return "BEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT"
}

// Most rules are the examples of RFC 5545, 3.8.5.3.
func TestSpans(t *testing.T) {
	paris, err := slots.LoadZone("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	const ny = "DTSTART;TZID=America/New_York:"
	for _, c := range []struct{ event, want string }{
		{vevent("DTSTART;VALUE=DATE:20261225"), "20261224T23-20261225T23"},
		{vevent("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"), "20261223T23-20261226T23"},
		{vevent("DTSTART;VALUE=DATE:20260329"), "20260328T23-20260329T22"},
		{vevent("DTSTART:20261225T090000Z", "DTEND:20261225T110000Z"), "20261225T09-20261225T11"},
		{vevent("DTSTART:20261225T090000", "DURATION:PT2H"), "20261225T08-20261225T10"},
		{vevent(ny+"20261225T090000", "DURATION:P1D"), "20261225T14-20261226T14"},
		{vevent("DTSTART:20261225T090000Z"), "20261225T09-20261225T09"},
		{vevent("DTSTART;VALUE=DATE:20260101", "STATUS:CANCELLED"), ""},
		{vevent("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY;COUNT=3"), "20251231T23-20260101T23 20261231T23-20270101T23 20271231T23-20280101T23"},
		{vevent("DTSTART:20260701T100000Z", "RRULE:FREQ=DAILY;UNTIL=20260704T100000Z", "EXDATE:20260702T100000Z,20260703T100000Z"), "20260701T10-20260701T10 20260704T10-20260704T10"},
		{vevent("DTSTART:20260701T100000Z", "RDATE:20260801T100000Z", "RDATE;VALUE=PERIOD:20260901T100000Z/PT3H"), "20260701T10-20260701T10 20260801T10-20260801T10 20260901T10-20260901T13"},
		{vevent(ny+"19970902T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR"),
			"days 0902 0903 0905 0915 0917 0919 0929 1001 1003 1013 1015 1017 1027 1029 1031 1110 1112 1114 1124 1126 1128 1208 1210 1212 1222"},
		{vevent(ny+"19970805T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"), "days 0805 0810 0819 0824"},
		{vevent(ny+"19970805T090000", "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU"), "days 0805 0817 0819 0831"},
		{vevent(ny+"19970905T090000", "RRULE:FREQ=MONTHLY;COUNT=4;BYDAY=1FR"), "days 0905 1003 1107 1205"},
		{vevent(ny+"19970907T090000", "RRULE:FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU"), "days 0907 0928 1102 1130 0104 0125 0301 0329 0503 0531"},
		{vevent(ny+"19970922T090000", "RRULE:FREQ=MONTHLY;COUNT=6;BYDAY=-2MO"), "days 0922 1020 1117 1222 0119 0216"},
		{vevent(ny+"19970928T090000", "RRULE:FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3"), "days 0928 1029 1128"},
		{vevent(ny+"19970930T090000", "RRULE:FREQ=MONTHLY;COUNT=5;BYMONTHDAY=1,-1"), "days 0930 1001 1031 1101 1130"},
		{vevent(ny+"19970610T090000", "RRULE:FREQ=YEARLY;COUNT=4;BYMONTH=6,7"), "days 0610 0710 0610 0710"},
		{vevent(ny+"19970101T090000", "RRULE:FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200"), "days 0101 0410 0719 0101 0409 0718 0101 0410 0719 0101"},
		{vevent(ny+"19970519T090000", "RRULE:FREQ=YEARLY;COUNT=3;BYDAY=20MO"), "days 0519 0518 0517"},
		{vevent(ny+"19970512T090000", "RRULE:FREQ=YEARLY;COUNT=3;BYWEEKNO=20;BYDAY=MO"), "days 0512 0511 0517"},
		{vevent(ny+"19970313T090000", "RRULE:FREQ=YEARLY;COUNT=4;BYMONTH=3;BYDAY=TH"), "days 0313 0320 0327 0305"},
		{vevent(ny+"19980213T090000", "RRULE:FREQ=MONTHLY;COUNT=4;BYDAY=FR;BYMONTHDAY=13"), "days 0213 0313 1113 0813"},
		{vevent(ny+"19961105T090000", "RRULE:FREQ=YEARLY;INTERVAL=4;COUNT=3;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8"), "days 1105 1107 1102"},
		{vevent(ny+"19970904T090000", "RRULE:FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"), "days 0904 1007 1106"},
		{vevent(ny+"19970929T090000", "RRULE:FREQ=MONTHLY;COUNT=7;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2"), "days 0929 1030 1127 1230 0129 0226 0330"},
		{vevent(ny+"20070115T090000", "RRULE:FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5"), "days 0115 0130 0215 0315 0330"},
		{vevent("UID:a", "DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY;COUNT=3") + "\r\n" + vevent("UID:a", "RECURRENCE-ID;VALUE=DATE:20260112", "DTSTART;VALUE=DATE:20260113"),
			"days 0104 0118 0112"},
		{vevent("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY"), "days 0228 0228 0228"},
	} {
		cal, err := Parse(calendar(c.event))
		if err != nil {
			t.Errorf("%s: %v", c.event, err)
			continue
		}
		spans, err := cal.Spans(paris, until)
		if err != nil {
			t.Errorf("%s: %v", c.event, err)
			continue
		}
		var got []string
		for _, s := range spans {
			if strings.HasPrefix(c.want, "days") {
				got = append(got, s.From.Format("0102"))
			} else {
				got = append(got, s.From.Format("20060102T15")+"-"+s.To.Format("20060102T15"))
			}
		}
		if text := strings.Join(got, " "); text != strings.TrimPrefix(c.want, "days ") {
			t.Errorf("%s\n got %s\nwant %s", c.event, text, c.want)
		}
	}
}

func TestWhatCannotBeFollowedIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "line 1: the file has no calendar",
		"hello":                           "line 1: \"hello\" is not a line",
		"BEGIN:VCARD\nEND:VCARD":          "line 1: an iCalendar file begins",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT":   "the file ends within VEVENT",
		calendar(vevent("SUMMARY:x")):     "line 3: the event has no DTSTART",
		calendar(vevent("DTSTART:20261")): "line 4: \"20261\" is not a valid date",
		calendar(vevent("DTSTART:20260230T000000")):                                    "is not a valid date",
		calendar(vevent("DTSTART;TZID=W. Europe:20260101T000000")):                     "unknown time zone",
		calendar(vevent("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY")):            "line 5: an event that recurs within a day",
		calendar(vevent("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY;BYHOUR=3")):      "\"BYHOUR\" of RRULE can't be followed",
		calendar(vevent("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY;INTERVAL=0")):    "must be a number from 1",
		calendar(vevent("DTSTART:20260101T000000Z", "RRULE:COUNT=3")):                  "has no FREQ",
		calendar(vevent("DTSTART;VALUE=DATE:20260102", "DTEND;VALUE=DATE:20260101")):   "doesn't fit",
		calendar(vevent("DTSTART:20260101T000000Z", "RECURRENCE-ID:20260108T000000Z")): "line 3: the event has a RECURRENCE-ID and no UID",
		"BEGIN:VCALENDAR\nEND:VEVENT":                                                  "ends nothing",
		strings.Repeat("x", MaxSize+1):                                                 "over 1 MiB",
	} {
		_, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
	// Rules that never come, and those that come too often, end.
	for _, c := range []struct{ rule, want string }{
		{"RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "too much work"}, {"RRULE:FREQ=DAILY", "more than"},
	} {
		var list []string
		for range 200 {
			list = append(list, vevent("DTSTART;VALUE=DATE:00020101", c.rule))
		}
		cal, err := Parse(calendar(list...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cal.Spans(time.UTC, time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

// Many events that share a uid with many changes, and rules with long lists, are refused before they take long.
func TestTheWorkOfACalendarIsBounded(t *testing.T) {
	var shared []string
	for i := range 3000 {
		at := fmt.Sprintf("20260101T%02d%02d%02d", i/3600, i/60%60, i%60)
		shared = append(shared, vevent("UID:a", "DTSTART;TZID=Europe/Paris:"+at), vevent("UID:a", "DTSTART:20270101T000000", "RECURRENCE-ID:"+at))
	}
	days := strings.TrimSuffix(strings.Repeat("366,", 400), ",")
	for name, text := range map[string]string{
		"one uid":    calendar(shared...),
		"long lists": calendar(vevent("DTSTART;VALUE=DATE:00020101", "RRULE:FREQ=DAILY;BYYEARDAY="+days), vevent("DTSTART;VALUE=DATE:00020101", "RRULE:FREQ=DAILY;BYYEARDAY="+days)),
	} {
		cal, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cal.Spans(time.UTC, time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil || !strings.Contains(err.Error(), "too much work") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse: any text is read or refused, and its spans are ordered in themselves.
func FuzzParse(f *testing.F) {
	for _, rule := range []string{"RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "RRULE:FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU", "RDATE;VALUE=PERIOD:20260901T100000Z/PT3H", "EXDATE:20260701"} {
		f.Add(calendar(vevent("UID:x", "DTSTART;TZID=Europe/Paris:20260701T100000", rule)))
	}
	f.Add("BEGIN:VCALENDAR\n folded\nEND:VCALENDAR")
	f.Fuzz(func(t *testing.T, text string) {
		cal, err := Parse(text)
		if err != nil {
			return
		}
		spans, err := cal.Spans(time.UTC, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			return
		}
		for _, s := range spans {
			if s.To.Before(s.From) && s.To.Year() < 9999 {
				t.Fatal(fmt.Sprint(s))
			}
		}
	})
}
