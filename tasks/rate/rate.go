// Package rate has limits of how often something may happen, as the wiring file writes them: 10/s, 100/m.
package rate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
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
	for _, u := range Units {
		if u.Per == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, u.Name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Count, r.Per)
}

// Units are the periods of a rate by their letters.
var Units = []struct {
	Name string
	Per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}

// most is the largest number in a rate.
const most = 1_000_000

var parts = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?/ ?([A-Za-z]+)$`) })

// Parse reads a rate as the wiring file has it: 10/s, 100/m, 5/h, 1/d.
func Parse(s string) (rate Rate, wrong *fault.Fault) {
	const example = "write a number and its period: 10/s, 100/m, 5/h or 1/d"
	m := parts().FindStringSubmatch(s)
	switch {
	case fields.IsNumber(s):
		return rate, fault.New("a rate needs a period").Hinting("write %s/s, if so many a second are meant", fault.Clip(s, 60))
	case len(s) > 64 || m == nil:
		return rate, fault.New("%s is not a valid rate", fault.Quote(s)).Hinting(example)
	}
	for _, u := range Units {
		if u.Name == m[2] {
			rate.Per = u.Per
		}
	}
	count, err := strconv.ParseInt(m[1], 10, 32)
	switch {
	case rate.Per == 0:
		return rate, fault.New("%s is not a valid period of a rate", fault.Quote(m[2])).Hinting("s, m, h or d for a second, a minute, an hour or a day")
	case strings.Contains(m[1], "."):
		return rate, fault.New("its number must be a whole one").Hinting("take a longer period: 30/m is one every 2 s")
	case err != nil || count > most:
		return rate, fault.New("its number can be %d at most", most)
	case count < 1:
		return rate, fault.New("its number must be 1 or more").Hinting("to stop the handler, write enabled: false, or remove it")
	case m[1][0] == '0' || strings.Contains(s, " "):
		return rate, fault.New("%s is not a valid rate", fault.Quote(s)).Hinting("write %d/%s", count, m[2])
	}
	rate.Count = int(count)
	return rate, nil
}
