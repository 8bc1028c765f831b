package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proofClock names a file with a duration, by which the store of a proof's daemon is ahead of the clock, or behind it. The file may change while the
// daemon runs.
const proofClock = "EVRUN_PROOF_CLOCK"

// movedClock is the clock of a daemon with proofClock.
func movedClock(file string) func() time.Time {
	return func() time.Time {
		text, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		by, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			panic(err)
		}
		return time.Now().Add(by)
	}
}

// clock is a clock that a proof moves.
type clock string

// newClock makes a clock that shows now.
func newClock(t *testing.T, now time.Time) clock {
	t.Helper()
	c := clock(filepath.Join(t.TempDir(), "clock"))
	c.set(t, now)
	return c
}

// set moves the clock.
func (c clock) set(t *testing.T, now time.Time) {
	t.Helper()
	if err := os.WriteFile(string(c)+"~", []byte(time.Until(now).String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(string(c)+"~", string(c)); err != nil { // at once, for those who read it meanwhile
		t.Fatal(err)
	}
}

// env has what a daemon needs to use the clock.
func (c clock) env() string { return proofClock + "=" + string(c) }
