package slots

import "math/bits"

// Wall-clock time is an int64 here: the seconds since 1970-01-01 00:00 that a clock shows, in any zone.
const (
	daySeconds = 24 * 60 * 60
	allHours   = 1<<24 - 1
	allMonths  = 1<<13 - 2
	allDoms    = 1<<32 - 2
	allDows    = 1<<7 - 1
	endOfWall  = 253402300800 + daySeconds // a day into the year 10000
)

// wall is a set of wall-clock times: the union of its entries. No time of day is in two entries, so that they can be
// counted one by one.
type wall []entry

// entry is a set of wall-clock times: some times of day on some days.
type entry struct {
	days  []days // united
	times times
}

// next returns the first member after a wall-clock time.
func (w wall) next(after int64) (int64, bool) {
	first, ok := int64(endOfWall), false
	for i := range w {
		if t, found := w[i].next(after, first); found {
			first, ok = t, true
		}
	}
	return first, ok
}

// count returns the number of members in (from, to].
func (w wall) count(from, to int64) int64 {
	if to <= from {
		return 0
	}
	var n int64
	for i := range w {
		n += w[i].count(from, to)
	}
	return n
}

// next returns the first member after one time and before another.
func (e *entry) next(after, before int64) (int64, bool) {
	day, second := splitDay(after + 1)
	year, month, dom := civil(day)
	first := day - int64(dom-1) // of the month
	set := e.in(year, month, first) >> dom << dom
	if set&(1<<dom) != 0 {
		if s, ok := e.times.next(second); ok {
			t := day*daySeconds + int64(s)
			return t, t < before
		}
		set &^= 1 << dom
	}
	for set == 0 {
		first += int64(monthLength(year, month))
		if month++; month > 12 {
			year, month = year+1, 1
		}
		if first*daySeconds >= before {
			return 0, false
		}
		set = e.in(year, month, first)
	}
	s, _ := e.times.next(0)
	t := (first+int64(bits.TrailingZeros32(set))-1)*daySeconds + int64(s)
	return t, t < before
}

// count returns the number of members in (from, to].
func (e *entry) count(from, to int64) int64 {
	n, year, month, first := e.sinceMonth(from)
	m, lastYear, lastMonth, _ := e.sinceMonth(to)
	total := m - n
	perDay := int64(e.times.perDay())
	for year != lastYear || month != lastMonth {
		total += int64(bits.OnesCount32(e.in(year, month, first))) * perDay
		first += int64(monthLength(year, month))
		if month++; month > 12 {
			year, month = year+1, 1
		}
	}
	return total
}

// sinceMonth returns the number of members from the beginning of t's month up to t itself, and that month.
func (e *entry) sinceMonth(t int64) (n int64, year, month int, first int64) {
	day, second := splitDay(t)
	year, month, dom := civil(day)
	first = day - int64(dom-1)
	set := e.in(year, month, first)
	n = int64(bits.OnesCount32(set&(1<<dom-1))) * int64(e.times.perDay())
	if set&(1<<dom) != 0 {
		n += int64(e.times.upTo(second))
	}
	return n, year, month, first
}

// in returns the entry's days in a month whose first is the given day since 1970: bit 1 to bit 31.
func (e *entry) in(year, month int, first int64) uint32 {
	var set uint32
	for i := range e.days {
		if e.days[i].months&(1<<month) != 0 {
			set |= e.days[i].in(monthLength(year, month), weekdayOf(first))
		}
	}
	return set
}

// days is a set of days, decided month by month.
type days struct {
	months      uint16   // bits 1 to 12
	dom         uint32   // bits 1 to 31
	orLast      uint32   // bits 1 to 31: that day, or the month's last if it has no such day
	fromLast    uint32   // bit n: n days before the month's last
	nearest     uint32   // bits 1 to 31: the day from Monday to Friday nearest to it in the month; none if there is no such day
	lastWeekday bool     // the last day from Monday to Friday
	dow         uint8    // bits 0 (Sunday) to 6
	nth         [7]uint8 // by weekday, bits 1 to 5: the n-th in the month; bit 0: its last
	either      bool     // a day of the month or a day of the week will do; else it must be both
}

// in returns the days in a month of the given length whose first is the given weekday: bit 1 to bit 31.
func (d *days) in(length, weekday int) uint32 {
	all := uint32(1<<(length+1) - 2)
	dom, dow := d.dom, d.weekly(weekday)
	if d.orLast|d.fromLast|d.nearest != 0 || d.lastWeekday {
		dom |= d.special(length, weekday)
	}
	if d.nth != [7]uint8{} {
		dow |= d.numbered(length, weekday)
	}
	if d.either {
		return (dom | dow) & all
	}
	return dom & dow & all
}

// weekly repeats the days of the week over a month.
func (d *days) weekly(weekday int) uint32 {
	const everyWeek = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35
	return uint32(uint64(d.dow) * everyWeek >> weekday << 1)
}

// special returns the days that depend on the month's length and first weekday.
func (d *days) special(length, weekday int) uint32 {
	set := d.orLast
	if set>>(length+1) != 0 {
		set |= 1 << length
	}
	for rest := d.fromLast; rest != 0; rest &= rest - 1 {
		if day := length - bits.TrailingZeros32(rest); day >= 1 {
			set |= 1 << day
		}
	}
	for rest := d.nearest; rest != 0; rest &= rest - 1 {
		if day := bits.TrailingZeros32(rest); day <= length {
			set |= 1 << nearestWeekday(day, length, weekday)
		}
	}
	if d.lastWeekday {
		set |= 1 << nearestWeekday(length, length, weekday)
	}
	return set
}

// numbered returns the n-th and the last weekdays of a month.
func (d *days) numbered(length, weekday int) uint32 {
	var set uint32
	for dow, which := range d.nth {
		first := 1 + (dow-weekday+7)%7
		for rest := which &^ 1; rest != 0; rest &= rest - 1 {
			if day := first + 7*(bits.TrailingZeros8(rest)-1); day <= length {
				set |= 1 << day
			}
		}
		if which&1 != 0 {
			set |= 1 << (first + (length-first)/7*7)
		}
	}
	return set
}

// nearestWeekday returns the day from Monday to Friday that is nearest to a day, without leaving the month.
func nearestWeekday(day, length, weekday int) int {
	switch (weekday + day - 1) % 7 {
	case 6: // Saturday
		if day == 1 {
			return 3
		}
		return day - 1
	case 0: // Sunday
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}

// times is a set of times of day: each of the hours, at each of the minutes, at each of the seconds.
type times struct {
	hour           uint32
	minute, second uint64
}

// next returns the first member, in seconds since midnight, that is not before a time.
func (t times) next(from int) (int, bool) {
	h, m, s := from/3600, from/60%60, from%60
	firstMinute, firstSecond := bits.TrailingZeros64(t.minute), bits.TrailingZeros64(t.second)
	if t.hour&(1<<h) != 0 {
		if t.minute&(1<<m) != 0 {
			if rest := t.second >> s << s; rest != 0 {
				return h*3600 + m*60 + bits.TrailingZeros64(rest), true
			}
		}
		if rest := t.minute >> (m + 1) << (m + 1); rest != 0 {
			return h*3600 + bits.TrailingZeros64(rest)*60 + firstSecond, true
		}
	}
	if rest := t.hour >> (h + 1) << (h + 1); rest != 0 {
		return bits.TrailingZeros32(rest)*3600 + firstMinute*60 + firstSecond, true
	}
	return 0, false
}

// upTo returns the number of members that are not after a time.
func (t times) upTo(to int) int {
	h, m, s := to/3600, to/60%60, to%60
	minutes, seconds := bits.OnesCount64(t.minute), bits.OnesCount64(t.second)
	n := bits.OnesCount32(t.hour&(1<<h-1)) * minutes * seconds
	if t.hour&(1<<h) != 0 {
		n += bits.OnesCount64(t.minute&(1<<m-1)) * seconds
		if t.minute&(1<<m) != 0 {
			n += bits.OnesCount64(t.second & (1<<(s+1) - 1))
		}
	}
	return n
}

func (t times) perDay() int {
	return bits.OnesCount32(t.hour) * bits.OnesCount64(t.minute) * bits.OnesCount64(t.second)
}

// splitDay splits a wall-clock time into days since 1970 and seconds since midnight.
func splitDay(t int64) (day int64, second int) {
	day = t / daySeconds
	if t%daySeconds < 0 {
		day--
	}
	return day, int(t - day*daySeconds)
}

// civil returns the Gregorian date of a day since 1970. From Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms" (civil_from_days).
func civil(day int64) (year, month, dom int) {
	z := day + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := int(z - era*146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	dom = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + int(era)*400
	if month <= 2 {
		year++
	}
	return year, month, dom
}

// weekdayOf returns the weekday of a day since 1970, 0 for Sunday.
func weekdayOf(day int64) int {
	w := int((day + 4) % 7)
	if w < 0 {
		w += 7
	}
	return w
}

func monthLength(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
