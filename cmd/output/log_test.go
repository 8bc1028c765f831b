package output

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// On a terminal the log has no control characters but its own colours, and times and durations are for people.
func TestTheLogForPeople(t *testing.T) {
	for _, color := range []bool{false, true} {
		var b strings.Builder
		log := slog.New(LogHandler(&b, slog.LevelInfo, color))
		log.Debug("unseen")
		log.Warn("attempt\x1b[2J failed", "handler", "say\x07", "took", 1234*time.Millisecond, "error", errors.New("line\nbreak"),
			"next", time.Date(2026, 11, 26, 1, 2, 3, 0, time.Local), slog.Group("handlers", "added", []string{"a\x1bb"}), "n", 3)
		line := b.String()
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x07") || strings.Contains(line, "\x1b[2J") || strings.Contains(line, "a\x1bb") {
			t.Errorf("a terminal would act on %q", line)
		}
		wanted := []string{`WRN`, `attempt\u001b[2J failed`, "1.2s", `line`, "2026-11-26 01:02:03"}
		if !color {
			wanted = append(wanted, "took=1.2s", "n=3", `next="2026-11-26 01:02:03"`)
		}
		for _, want := range wanted {
			if !strings.Contains(line, want) {
				t.Errorf("no %q in %q", want, line)
			}
		}
		if colored := strings.Contains(line, "\x1b[93mWRN"); colored != color {
			t.Errorf("coloured: %v: %q", colored, line)
		}
	}
}
