package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/events"
	"evrun/store"
)

var bareNumber = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)

var dayPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d`)

// parseDuration reads a duration as Go writes them, with d for days of 24 hours in front: 30s, 1h30m, 30d, 1d12h. It must be
// over zero.
func parseDuration(s string) (d time.Duration, msg, hint string) {
	const example = "write it with its unit: 500ms, 5s, 10m, 2h or 30d"
	switch {
	case len(s) > 64:
		return 0, fmt.Sprintf("%q is not a valid duration", clip(s)), example
	case bareNumber.MatchString(s):
		return 0, "a duration needs a unit", "write " + s + "s, if seconds are meant"
	case strings.HasPrefix(s, "-"):
		return 0, "a duration can't be negative", ""
	}
	rest, days := s, 0.0
	if m := dayPart.FindStringSubmatch(s); m != nil {
		days, _ = strconv.ParseFloat(m[1], 64)
		rest = s[len(m[0]):]
	}
	if rest != "" || s == "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || strings.ContainsAny(rest, "+-") {
			return 0, fmt.Sprintf("%q is not a valid duration", clip(s)), example
		}
	}
	if total := days*float64(24*time.Hour) + float64(d); total >= math.MaxInt64 {
		return 0, fmt.Sprintf("%q is too long", clip(s)), "the maximum is 290 years"
	}
	if d += time.Duration(days * float64(24*time.Hour)); d <= 0 {
		return 0, "it must be over zero", ""
	}
	return d, "", ""
}

// duration reads a duration over zero; 0 after a fault.
func (d *document) duration(n *yaml.Node, what string) time.Duration {
	s, ok := d.literal(n, what)
	if !ok {
		return 0
	}
	v, msg, hint := parseDuration(s)
	if msg != "" {
		d.at(n, about(what, msg), hint)
	}
	return v
}

// The least and the most that server.max_event can be. An event is held in memory a few times over.
const (
	minSize = 1 << 10
	maxSize = store.LargestMaxData
)

var (
	sizeParts = regexp.MustCompile(`^([0-9]{1,12})(?:\.([0-9]{1,3}))? ?([A-Za-z]+)$`)
	sizeUnits = map[string]float64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
)

// parseSize reads a size: 512KiB, 1MiB, 1.5MB.
func parseSize(s string) (size int, msg, hint string) {
	n, msg, hint := parseSizeWithin(s, minSize, maxSize, "from 1KiB to 64MiB")
	return int(n), msg, hint
}

// parseSizeWithin reads a size with its own bounds.
func parseSizeWithin(s string, least, most float64, bounds string) (size int64, msg, hint string) {
	const example = "write it with its unit: 512KiB, 1MiB or 2MB"
	if len(s) > 64 {
		return 0, fmt.Sprintf("%q is not a valid size", clip(s)), example
	}
	if bareNumber.MatchString(s) {
		return 0, "a size needs a unit", "write " + s + "B, if bytes are meant, or such as 1MiB"
	}
	m := sizeParts.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Sprintf("%q is not a valid size", clip(s)), example
	}
	unit, ok := sizeUnits[strings.ToLower(m[3])]
	if !ok {
		return 0, fmt.Sprintf("%q is not a valid unit of size", clip(m[3])), example
	}
	number, _ := strconv.ParseFloat(m[1]+"."+m[2]+"0", 64)
	if bytes := number * unit; bytes < least || bytes > most {
		return 0, fmt.Sprintf("%q is out of bounds", s), bounds
	}
	return int64(number * unit), "", ""
}

// instant reads a time with its offset from UTC.
func (d *document) instant(n *yaml.Node, what string) (time.Time, bool) {
	s, ok := d.literal(n, what)
	if !ok {
		return time.Time{}, false
	}
	if t, ok := events.ParseTime(s); ok {
		return t, true
	}
	hint := "write date, time and offset: 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			hint = "write " + t.Format("2006-01-02T15:04:05") + "Z for UTC, or the offset from it, such as +01:00, in place of Z"
			break
		}
	}
	d.at(n, fmt.Sprintf("%q: %q is not a valid time", what, clip(s)), hint)
	return time.Time{}, false
}
