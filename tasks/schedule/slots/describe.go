package slots

import (
	"fmt"
	"strings"
	"time"

	"evrun/tasks/fault"
)

// maxDescribed is how many entries of a list a description has at most.
const maxDescribed = 8

// Describe writes the timing on one line, as the file has it, with the zone that it follows: `cron "0 9 * * MON-FRI"
// Europe/Paris`, `daily 09:00, 17:30 UTC`, `every 5s`.
func (s *Timing) Describe() string {
	spec := &s.spec
	var parts []string
	zone := " " + s.loc.String()
	switch kind := s.series.(type) {
	case every:
		zone = "" // it counts real time
		parts = append(parts, "every "+fault.ShortDuration(kind.interval.String()))
	case list:
		times := make([]string, len(kind))
		for i, t := range kind {
			times[i] = s.instant(t)
		}
		parts = append(parts, "at "+few(times))
	default:
		if spec.Cron != "" {
			parts = append(parts, fmt.Sprintf("cron %q", strings.Join(strings.Fields(spec.Cron), " ")))
		}
		for _, group := range []struct {
			name    string
			entries []string
		}{{"daily", spec.Daily}, {"weekly", spec.Weekly}, {"monthly", spec.Monthly}} {
			if len(group.entries) > 0 {
				parts = append(parts, group.name+" "+few(group.entries))
			}
		}
	}
	text := strings.Join(parts, "; ") + zone
	if !spec.From.IsZero() {
		text += ", from " + s.instant(spec.From)
	}
	if !spec.Until.IsZero() {
		text += ", until " + s.instant(spec.Until)
	}
	if spec.Limit > 0 {
		text += fmt.Sprintf(", limit %d", spec.Limit)
	}
	if spec.Jitter > 0 {
		text += ", jitter " + fault.ShortDuration(spec.Jitter.String())
	}
	return text
}

// few lists entries, and counts those that are too many.
func few(entries []string) string {
	if more := len(entries) - maxDescribed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(entries[:maxDescribed], ", "), more)
	}
	return strings.Join(entries, ", ")
}

// instant writes a time as the zone's clock shows it.
func (s *Timing) instant(t time.Time) string { return t.In(s.loc).Format(time.RFC3339Nano) }
