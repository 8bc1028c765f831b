package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"evrun/cmd/config/yaml"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// maxRate is the largest number in a rate.
const maxRate = 1_000_000

var rateParts = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?/ ?([A-Za-z]+)$`)

// rate reads how often attempts may begin: 10/s, 100/m, 5/h, 1/d.
func (r *wiringReader) rate(n *yaml.Node) (rate tasks.Rate) {
	s, ok := r.literal(n, "rate")
	if !ok {
		return rate
	}
	var msg, hint string
	if rate, msg, hint = parseRate(s); msg != "" {
		r.at(n, about("rate", msg), hint)
	}
	return rate
}

func parseRate(s string) (rate tasks.Rate, msg, hint string) {
	const example = "write a number and its period: 10/s, 100/m, 5/h or 1/d"
	m := rateParts.FindStringSubmatch(s)
	switch {
	case bareNumber.MatchString(s):
		return rate, "a rate needs a period", "write " + clip(s) + "/s, if so many a second are meant"
	case len(s) > 64 || m == nil:
		return rate, fmt.Sprintf("%q is not a valid rate", clip(s)), example
	}
	for _, u := range tasks.RateUnits {
		if u.Name == m[2] {
			rate.Per = u.Per
		}
	}
	count, err := strconv.ParseInt(m[1], 10, 32)
	switch {
	case rate.Per == 0:
		return rate, fmt.Sprintf("%q is not a valid period of a rate", clip(m[2])), "s, m, h or d for a second, a minute, an hour or a day"
	case strings.Contains(m[1], "."):
		return rate, "its number must be a whole one", "take a longer period: 30/m is one every 2 s"
	case err != nil || count > maxRate:
		return rate, fmt.Sprintf("its number can be %d at most", maxRate), ""
	case count < 1:
		return rate, "its number must be 1 or more", "a handler that isn't to run needs when: false, or has to go"
	case m[1][0] == '0' || strings.Contains(s, " "):
		return rate, fmt.Sprintf("%q is not a valid rate", clip(s)), fmt.Sprintf("write %d/%s", count, m[2])
	}
	rate.Count = int(count)
	return rate, "", ""
}

// debounce reads how bursts become one run: a duration, or a mapping.
func (r *wiringReader) debounce(n *yaml.Node) *tasks.Debounce {
	d := &tasks.Debounce{}
	if n.Kind == yaml.Scalar {
		d.Wait = r.duration(n, "debounce")
		return d
	}
	var most *yaml.Node
	r.mapping(n, `"debounce"`, []key{
		{name: "wait", required: "a burst is over when nothing has come for so long: 2s", read: func(n *yaml.Node) { d.Wait = r.duration(n, "wait") }},
		{name: "by", read: func(n *yaml.Node) { d.By = r.condition(n, "by") }},
		{name: "collect", read: func(n *yaml.Node) { d.All = r.choice(n, "collect", "last", "all") == "all" }},
		{name: "max_wait", read: func(n *yaml.Node) { d.MaxWait, most = r.duration(n, "max_wait"), n }},
	})
	if d.MaxWait > 0 && d.MaxWait < d.Wait {
		r.at(most, fmt.Sprintf("\"max_wait\" (%s) is shorter than \"wait\" (%s)", d.MaxWait, d.Wait), "")
	}
	return d
}

// onDead reads what a handler emits when a run is dead: a type, or a mapping.
func (r *wiringReader) onDead(n *yaml.Node) *tasks.Emission {
	e := r.emission(n, "on_dead", expression.HandlerOnDead)
	if e.Type == nil {
		return nil
	}
	return &e
}
