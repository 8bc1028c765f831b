package tasks

import (
	"fmt"
	"time"
)

// Rate is how often attempts of a handler may begin: so many in each period, evenly spread. The zero Rate sets no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Interval is the time from the beginning of an attempt to that of the next, at least; 0: none.
func (r Rate) Interval() time.Duration {
	if r.Count <= 0 {
		return 0
	}
	return (r.Per + time.Duration(r.Count) - 1) / time.Duration(r.Count)
}

// String writes it as the wiring file has it: 10/s. A period that the file can't say is written out.
func (r Rate) String() string {
	for _, u := range RateUnits {
		if u.Per == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, u.Name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Count, r.Per)
}

// RateUnits are the periods of a rate, by the letter that stands for each.
var RateUnits = []struct {
	Name string
	Per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}
