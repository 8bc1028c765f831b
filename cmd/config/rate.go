package config

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// maxRate is the largest number in a rate.
const maxRate = 1_000_000

var rateParts = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?/ ?([A-Za-z]+)$`) })

// rate is how often attempts may begin: 10/s, 100/m, 5/h, 1/d.
type rate struct{ tasks.Rate }

func (r *rate) DecodeField(value any, at *fields.At) {
	s, ok := at.Scalar(value)
	if !ok {
		return
	}
	parsed, f := parseRate(s)
	if f != nil {
		at.Refuse(f)
		return
	}
	r.Rate = parsed
}

func (*rate) FieldShape() fields.Shape {
	return fields.Shape{Words: "rate", Schema: map[string]any{"type": "string", "pattern": `^[1-9][0-9]{0,6}/[smhd]$`}}
}

func parseRate(s string) (rate tasks.Rate, wrong *fault.Fault) {
	const example = "write a number and its period: 10/s, 100/m, 5/h or 1/d"
	m := rateParts().FindStringSubmatch(s)
	switch {
	case fields.IsNumber(s):
		return rate, fault.New("a rate needs a period").Hinting("write %s/s, if so many a second are meant", fault.Clip(s, 60))
	case len(s) > 64 || m == nil:
		return rate, fault.New("%s is not a valid rate", fault.Quote(s)).Hinting(example)
	}
	for _, u := range tasks.RateUnits {
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
	case err != nil || count > maxRate:
		return rate, fault.New("its number can be %d at most", maxRate)
	case count < 1:
		return rate, fault.New("its number must be 1 or more").Hinting("to stop the handler, write enabled: false, or remove it")
	case m[1][0] == '0' || strings.Contains(s, " "):
		return rate, fault.New("%s is not a valid rate", fault.Quote(s)).Hinting("write %d/%s", count, m[2])
	}
	rate.Count = int(count)
	return rate, nil
}
