package schema

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"evrun/store"
)

// Micros is a time as the tables have it.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of [Micros].
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }

// InStates is a condition on a run r. A single state is written so that SQLite uses the partial indexes.
func InStates(states []store.RunState) string {
	if len(states) == 1 {
		return fmt.Sprintf("r.state = %d", states[0])
	}
	list := make([]string, len(states))
	for i, state := range states {
		list[i] = strconv.Itoa(int(state))
	}
	return "r.state IN (" + strings.Join(list, ", ") + ")"
}
