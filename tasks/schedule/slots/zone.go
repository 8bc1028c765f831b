package slots

import (
	"math"
	"strings"
	"sync"
	"time"

	"evrun/tasks/fault"
)

// maxOffset bounds how far a zone's clock is ahead of or behind UTC, in seconds. The largest ever was 15:13:42.
const maxOffset = 26 * 60 * 60

// clock makes slots of the wall-clock times of a zone: the package comment has the rules.
type clock struct {
	loc    *time.Location
	wall   wall
	rhythm bool
}

func (c *clock) next(after time.Time) (time.Time, bool) {
	find := c.nextOnce
	if c.rhythm {
		find = c.nextRhythm
	}
	u, ok := find(max(after.Unix(), earliest.Unix()-1)) // slots are whole seconds: the fraction makes no difference
	if !ok || u >= latest.Unix() {
		return time.Time{}, false
	}
	return time.Unix(u, 0).UTC(), true
}

// nextOnce: the slot of a wall-clock time w is the first instant u whose clock shows w or later. That is after `after`
// exactly if no clock up to then has shown as much, so the next slot is that of the first w above the highest reading.
func (c *clock) nextOnce(after int64) (int64, bool) {
	w, ok := c.wall.next(c.highest(after))
	if !ok {
		return 0, false
	}
	for u := max(after+1, w-maxOffset); ; { // before that no clock shows w
		p := c.period(u)
		if first := max(u, w-p.offset); first < p.end {
			return first, true
		}
		u = p.end
	}
}

// highest returns the highest reading of the zone's clock up to an instant.
func (c *clock) highest(at int64) int64 {
	u := at - 2*maxOffset // readings from before then are lower than the one at the instant
	p := c.period(u)
	high := u + p.offset
	for p.end <= at {
		high = max(high, p.end-1+p.offset)
		p = c.period(p.end)
	}
	return max(high, at+p.offset)
}

// nextRhythm: the first instant whose clock shows a matching time.
func (c *clock) nextRhythm(after int64) (int64, bool) {
	for {
		p := c.period(after + 1)
		w, ok := c.wall.next(after + p.offset)
		if !ok {
			return 0, false
		}
		if u := w - p.offset; u < p.end {
			return u, true
		}
		skip := p.end - 1
		if p.end-after > 2*maxOffset { // no later clock shows less than this one does now, so the next match is w
			skip = max(skip, w-maxOffset-1)
		}
		after = skip
	}
}

func (c *clock) count(from, to time.Time) int64 {
	a := max(from.Unix(), earliest.Unix()-1)
	b := min(to.Unix(), latest.Unix()-1)
	if a >= b {
		return 0
	}
	if c.rhythm {
		return c.countRhythm(a, b)
	}
	return c.countOnce(a, b)
}

// countOnce: as the highest reading grows second by second each match is a slot; where it leaps over a gap, all matches
// in it are one.
func (c *clock) countOnce(from, to int64) int64 {
	high := c.highest(from)
	var n int64
	for p := c.period(from); ; {
		end := min(to, p.end-1)
		if reading := end + p.offset; reading > high {
			n += c.wall.count(high, reading)
			high = reading
		}
		if end == to {
			return n
		}
		start := p.end
		p = c.period(start)
		if reading := start + p.offset; reading > high {
			n += min(1, c.wall.count(high, reading))
			high = reading
		}
	}
}

func (c *clock) countRhythm(from, to int64) int64 {
	var n int64
	for from < to {
		p := c.period(from + 1)
		end := min(to, p.end-1)
		n += c.wall.count(from+p.offset, end+p.offset)
		from = end
	}
	return n
}

func (c *clock) nth(after time.Time, n int64) (time.Time, bool) {
	if n == 1 {
		return c.next(after)
	}
	// Double a window until it holds n slots, dropping those that don't, then halve it.
	low := max(after.Unix(), earliest.Unix()-1)
	end := latest.Unix() - 1
	for step := int64(daySeconds); ; step *= 2 {
		high := min(low+step, end)
		found := c.count(time.Unix(low, 0), time.Unix(high, 0))
		if found >= n {
			end = high
			break
		}
		if high == end {
			return time.Time{}, false
		}
		low, n = high, n-found
	}
	for end-low > 1 {
		middle := low + (end-low)/2
		if found := c.count(time.Unix(low, 0), time.Unix(middle, 0)); found >= n {
			end = middle
		} else {
			low, n = middle, n-found
		}
	}
	return time.Unix(end, 0).UTC(), true
}

// ClockChange says, in words, how a change of the zone's clock bears on a slot; "" where it doesn't.
func (s *Timing) ClockChange(slot time.Time) string {
	c, ok := s.series.(*clock)
	if !ok {
		return ""
	}
	u := slot.Unix()
	p := c.period(u)
	reading := u + p.offset
	at := func(w int64) string { return time.Unix(w, 0).UTC().Format("15:04:05") }
	if meant, ok := c.wall.next(c.highest(u - 1)); !c.rhythm && ok && meant < reading {
		return at(meant) + " is skipped by the clock"
	}
	if c.period(u-2*maxOffset).offset != p.offset {
		if high := c.highest(u - 1); high >= reading {
			return "the second " + at(reading) + " of the day"
		}
	}
	if p.end != math.MaxInt64 && p.end+c.period(p.end).offset <= reading {
		return "the first of two " + at(reading)
	}
	return ""
}

// period is a time through which a zone's clock keeps one offset. The next may have the same.
type period struct {
	end    int64 // the first instant after it, in Unix seconds
	offset int64 // seconds ahead of UTC
}

// period returns the one that an instant is in. Of time's two bounds only the end is used, and that with care: the start is
// too early after the last explicit change of some zones (America/Metlakatla, 2019), and on a leap year's 31 December
// the end lies in the past (https://go.dev/issue/81583).
func (c *clock) period(at int64) period {
	if c.loc == time.UTC {
		return period{end: math.MaxInt64}
	}
	t := time.Unix(at, 0).In(c.loc)
	_, offset := t.Zone()
	_, bound := t.ZoneBounds()
	end := bound.Unix()
	switch {
	case bound.IsZero():
		end = math.MaxInt64
	case end <= at:
		end = time.Date(t.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return period{end: end, offset: int64(offset)}
}

// checkZone refuses a zone made by hand whose clock is further from UTC than the search allows for.
func checkZone(loc *time.Location) *fault.Fault {
	if _, offset := time.Unix(0, 0).In(loc).Zone(); offset < -maxOffset || offset > maxOffset {
		return fault.At([]any{"timezone"}, "%s is %s from UTC", loc, time.Duration(offset)*time.Second)
	}
	return nil
}

var (
	zonesMu sync.Mutex
	zones   = map[string]*time.Location{} // by name
)

// LoadZone returns the zone of an IANA name; "" is UTC. A zone is loaded once and shared: 10,000 schedules in Paris hold
// one Paris. Its error is a [*fault.Fault], whose path begins at the schedule. The zones come from the machine or, where that has none, from time/tzdata if
// the program imports it.
func LoadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zonesMu.Lock()
	defer zonesMu.Unlock()
	if loc, ok := zones[name]; ok {
		return loc, nil
	}
	const hint = "an IANA name such as Europe/Paris or America/New_York"
	if strings.EqualFold(name, "local") {
		return nil, fault.At([]any{"timezone"}, "the machine's own zone differs from machine to machine").Hinting(hint)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		f := fault.At([]any{"timezone"}, "unknown time zone %q", name).Hinting(hint)
		if meant := zoneMeant(name); meant != "" {
			f.Hint = "write " + meant
		}
		return nil, f
	}
	if loc.String() == "UTC" {
		loc = time.UTC
	}
	zones[name] = loc
	return loc, nil
}

// areas begin most of the names of zones.
var areas = []string{"", "Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/", "Atlantic/", "Indian/"}

// zoneMeant returns the zone of a city whose name is in another case, or whose area is missing or misspelt; empty: none is known.
func zoneMeant(name string) string {
	city := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	if city == "" || len(city) > 40 || strings.Trim(city, "abcdefghijklmnopqrstuvwxyz_ -") != "" {
		return ""
	}
	letters := []byte(strings.ReplaceAll(city, " ", "_"))
	for i, c := range letters {
		if c >= 'a' && c <= 'z' && (i == 0 || letters[i-1] == '_' || letters[i-1] == '-') {
			letters[i] -= 'a' - 'A'
		}
	}
	for _, area := range areas {
		if _, err := time.LoadLocation(area + string(letters)); err == nil {
			return area + string(letters)
		}
	}
	return ""
}
