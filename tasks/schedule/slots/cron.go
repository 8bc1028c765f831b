package slots

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"evrun/tasks/fault"
)

// descriptors are crons that have a name.
var descriptors = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// parseCron compiles a cron; the package comment has the grammar.
func parseCron(text string) (entry, *fault.Fault) {
	if len(text) > maxCron {
		return entry{}, &fault.Fault{Offset: maxCron, Message: fmt.Sprintf("%d bytes are more than %d", len(text), maxCron)}
	}
	words := split(text)
	if len(words) == 0 {
		return entry{}, fault.New("cron is empty").Hinting(fiveFields)
	}
	if strings.HasPrefix(words[0].text, "cron(") {
		return entry{}, fault.New("cron(…) is of AWS").Hinting("write the five fields without cron( ) and without the year at the end")
	}
	if first := words[0]; strings.ContainsAny(first.text, "=@") {
		named, err := parseNamed(words)
		if err != nil {
			return entry{}, err
		}
		words = split(named)
	}
	if n := len(words); n != 5 && n != 6 {
		return entry{}, wrongNumber(words)
	}

	second := word{text: "0"}
	if len(words) == 6 {
		second, words = words[0], words[1:]
	}
	var sets [6]uint64
	var d days
	for i, w := range []word{second, words[0], words[1], words[3], words[2], words[4]} {
		var err *fault.Fault
		if sets[i], err = cronFields[i].parse(w, &d); err != nil {
			return entry{}, withYear(err, second, words)
		}
	}
	d.months, d.dom, d.dow = uint16(sets[3]), uint32(sets[4]), uint8(sets[5])
	d.either = !isStar(words[2]) && !isStar(words[4])
	e := entry{
		days:  []days{d},
		times: times{second: sets[0], minute: sets[1], hour: uint32(sets[2])},
	}

	const year2000, years400 = 946684800, 146097 * daySeconds // the calendar repeats after 400 years
	if _, ok := e.next(year2000-1, year2000+years400); !ok {
		return entry{}, &fault.Fault{Offset: words[2].offset, Message: "no such day exists in any year", Hint: neverHint(words)}
	}
	return e, nil
}

const fiveFields = "minute, hour, day of month, month, day of week; or six with seconds first"

func neverHint(words []word) string {
	if strings.ContainsAny(words[2].text, "0123456789") && words[3].text != "*" {
		return "L is a month's last day"
	}
	return ""
}

// parseNamed handles what begins with a name in place of fields: @daily, and things that belong elsewhere.
func parseNamed(words []word) (string, *fault.Fault) {
	first := words[0]
	name := strings.ToLower(first.text)
	fail := func(msg, hint string) (string, *fault.Fault) {
		return "", &fault.Fault{Offset: first.offset, Message: msg, Hint: hint}
	}
	switch {
	case strings.HasPrefix(name, "tz=") || strings.HasPrefix(name, "cron_tz="):
		zone := first.text[strings.Index(first.text, "=")+1:]
		if _, err := LoadZone(zone); err != nil {
			return fail("a time zone doesn't belong in a cron", "write the zone as timezone: Europe/Paris, by its IANA name")
		}
		return fail("a time zone doesn't belong in a cron", "write it as timezone: "+zone)
	case name == "@every":
		hint := "write it as every: 5m"
		if len(words) == 2 {
			hint = "write it as every: " + words[1].text
		}
		return fail("@every is not a cron expression", hint)
	case name == "@reboot":
		return fail("@reboot is not a valid time", "wire a handler to evrun.started: on: evrun.started, when: data.reboot")
	}
	fields, ok := descriptors[name]
	if !ok {
		return fail(fmt.Sprintf("unknown name %q", first.text), "@yearly, @monthly, @weekly, @daily or @hourly")
	}
	if len(words) > 1 {
		first = words[1]
		return fail(fmt.Sprintf("%q is left over after %s", first.text, name), "")
	}
	return fields, nil
}

// isStar reports whether a day field is unrestricted in crontab(5)'s sense, which includes */2.
func isStar(w word) bool { return w.text[0] == '*' || w.text[0] == '?' }

// word is a piece of a text and where it begins.
type word struct {
	text   string
	offset int
}

// split cuts a text at white space.
func split(text string) []word {
	var words []word
	start := -1
	for i := 0; i <= len(text); i++ {
		if i == len(text) || strings.IndexByte(" \t\r\n", text[i]) >= 0 {
			if start >= 0 {
				words = append(words, word{text[start:i], start})
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	return words
}

// cronField is one field: its name, its values from min to max, and the names of some.
type cronField struct {
	name     string
	min, max int
	names    []string // of min, min+1, …; three letters are enough
	dom, dow bool     // which of the two day fields it is
}

var (
	monthNames = []string{
		"january", "february", "march", "april", "may", "june",
		"july", "august", "september", "october", "november", "december",
	}
	dayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

	domField = cronField{name: "day of month", min: 1, max: 31, dom: true}
	dowField = cronField{name: "day of week", min: 0, max: 6, names: dayNames, dow: true}

	cronFields = []*cronField{
		{name: "second", min: 0, max: 59},
		{name: "minute", min: 0, max: 59},
		{name: "hour", min: 0, max: 23},
		{name: "month", min: 1, max: 12, names: monthNames},
		&domField,
		&dowField,
	}
)

// parse returns a field's values as bits. Those that depend on the month go to d.
func (f *cronField) parse(w word, d *days) (uint64, *fault.Fault) {
	var set uint64
	offset := w.offset
	for item := range strings.SplitSeq(w.text, ",") {
		values, msg, hint := f.item(item, d)
		if msg != "" {
			if item != "" {
				msg = fmt.Sprintf("%s %q: %s", f.name, item, msg)
			} else {
				msg = fmt.Sprintf("%s %q: %s", f.name, w.text, msg)
			}
			return 0, &fault.Fault{Offset: offset, Message: msg, Hint: hint}
		}
		set |= values
		offset += len(item) + 1
	}
	return set, nil
}

// item returns the values of one item of a field's list; msg says what is wrong with it.
func (f *cronField) item(item string, d *days) (set uint64, msg, hint string) {
	if item == "" {
		return 0, "an item of the list is missing", ""
	}
	if ok, msg := f.special(item, d); ok || msg != "" {
		return 0, msg, ""
	}
	span, stepText, stepped := strings.Cut(item, "/")
	low, high, msg, hint := f.span(span, stepped)
	if msg != "" {
		return 0, msg, cmp.Or(f.jenkins(item), hint)
	}
	size := f.max - f.min + 1
	if f.dow && low == 7 { // Sunday; at a range's end 7 stays after Saturday
		low, high = 0, high%7
	}
	if low > high {
		high += size // 22-2: past the end
	}
	step := 1
	if stepped {
		if step, msg, hint = stepOf(stepText, high-low); msg != "" {
			return 0, msg, hint
		}
	}
	for v := low; v <= high; v += step {
		set |= 1 << (f.min + (v-f.min)%size)
	}
	return set, "", ""
}

// span reads the first and the last value of an item: *, ?, a value, or a range. With a step, a value begins a range that ends
// with the field.
func (f *cronField) span(text string, stepped bool) (low, high int, msg, hint string) {
	switch {
	case text == "?" && !f.dom && !f.dow:
		return 0, 0, "? is for the two day fields", "use *"
	case text == "*" || text == "?":
		return f.min, f.max, "", ""
	}
	lowText, highText, ranged := strings.Cut(text, "-")
	if low, msg, hint = f.value(lowText); msg != "" {
		return 0, 0, msg, hint
	}
	switch {
	case ranged:
		high, msg, hint = f.value(highText)
	case stepped:
		high = f.max
	default:
		high = low
	}
	return low, high, msg, hint
}

// stepOf reads a step, which must not be longer than the span.
func stepOf(text string, span int) (step int, msg, hint string) {
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil || text[0] == '+':
		return 0, fmt.Sprintf("%q is not a valid step", text), "a step is a number from 1"
	case n == 0:
		return 0, "a step of 0", "a step is a number from 1"
	case n > 1 && int(n) > span:
		return 0, fmt.Sprintf("a step of %d leaves the first value alone", n), "give that value without a step"
	}
	return int(n), "", ""
}

// value reads a number or a name.
func (f *cronField) value(text string) (n int, msg, hint string) {
	if name, ok := f.named(text); ok {
		return name, "", ""
	}
	limit := f.max
	if f.dow {
		limit = 7 // Sunday again
	}
	if hint = f.jenkins(text); hint != "" {
		return 0, fmt.Sprintf("%q, a moment that Jenkins chooses, is not a valid value", text), hint
	}
	hint = fmt.Sprintf("%d to %d", f.min, limit)
	if f.names != nil {
		first, last := f.names[0], f.names[len(f.names)-1]
		hint += fmt.Sprintf(", or %s to %s", strings.ToUpper(first[:3]), strings.ToUpper(last[:3]))
	}
	if text == "" {
		return 0, "a value is missing", hint
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, fmt.Sprintf("%q is not a valid value", text), hint
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n > limit:
		return 0, fmt.Sprintf("%s is above %d", text, limit), hint
	case n < f.min:
		return 0, fmt.Sprintf("%s is below %d", text, f.min), hint
	}
	return n, "", ""
}

// named looks a name up: its first three letters or all of it.
func (f *cronField) named(text string) (int, bool) {
	if len(text) < 3 {
		return 0, false
	}
	for i, name := range f.names {
		if strings.EqualFold(text, name) || strings.EqualFold(text, name[:3]) {
			return f.min + i, true
		}
	}
	return 0, false
}

// special reads items whose days depend on the month. It reports whether item was one, or what is wrong with it.
func (f *cronField) special(item string, d *days) (ok bool, msg string) {
	switch {
	case f.dom:
		return specialDom(item, d)
	case f.dow:
		return f.specialDow(item, d)
	}
	return false, ""
}

// specialDom reads L, L-3, LW and 15W.
func specialDom(item string, d *days) (ok bool, msg string) {
	upper := strings.ToUpper(item)
	switch {
	case upper == "L":
		d.fromLast |= 1
	case upper == "LW":
		d.lastWeekday = true
	case strings.HasPrefix(upper, "L-"):
		n, err := strconv.ParseUint(upper[2:], 10, 8)
		if err != nil || n < 1 || n > 30 {
			return false, "after L- comes how many days before the last, 1 to 30"
		}
		d.fromLast |= 1 << n
	case strings.HasSuffix(upper, "W"):
		n, err := strconv.ParseUint(upper[:len(upper)-1], 10, 8)
		if err != nil || n < 1 || n > 31 {
			return false, "before W comes a day of the month, 1 to 31, or L"
		}
		d.nearest |= 1 << n
	default:
		return false, ""
	}
	return true, ""
}

// specialDow reads FRI#2 and FRI#L.
func (f *cronField) specialDow(item string, d *days) (ok bool, msg string) {
	dayText, which, numbered := strings.Cut(item, "#")
	if !numbered {
		if upper := strings.ToUpper(item); strings.HasSuffix(upper, "L") {
			return false, "L stands after a #: FRI#L is the month's last Friday"
		}
		return false, ""
	}
	day, msg, _ := f.value(dayText)
	if msg != "" {
		return false, msg
	}
	if strings.EqualFold(which, "L") {
		d.nth[day%7] |= 1
		return true, ""
	}
	if len(which) != 1 || which[0] < '1' || which[0] > '5' {
		return false, "after # comes which one in the month, 1 to 5, or L for the last"
	}
	d.nth[day%7] |= 1 << (which[0] - '0')
	return true, ""
}
