package tasks

import (
	"fmt"
	"time"
)

// Rate limits how often attempts of a handler may begin: Count attempts in each Per, evenly spread. The zero Rate sets no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Interval is the minimum time between the beginnings of two attempts; 0: none.
func (r Rate) Interval() time.Duration {
	if r.Count <= 0 {
		return 0
	}
	return (r.Per + time.Duration(r.Count) - 1) / time.Duration(r.Count)
}

// String returns the rate in the syntax of the wiring file: 10/s. A period without a letter is written as a duration.
func (r Rate) String() string {
	for _, u := range RateUnits {
		if u.Per == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, u.Name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Count, r.Per)
}

// RateUnits are the periods of a rate by their letters.
var RateUnits = []struct {
	Name string
	Per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}
