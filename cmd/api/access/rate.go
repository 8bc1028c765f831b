package access

import (
	"strings"

	"evrun/tasks"
	"evrun/tasks/fault"
)

// ParseRate reads how many events a token publishes at most: 100/s, 5/m.
func ParseRate(text string) (tasks.Rate, *fault.Fault) {
	rate, f := tasks.ParseRate(text)
	if f != nil && strings.Contains(f.Hint, "handler") {
		f = fault.New("%s", f.Message).Hinting("leave the rate out for no limit; a token without the right emit publishes nothing")
	}
	return rate, f
}
