package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/tasks/expression"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
)

const (
	maxGrace  = 24 * time.Hour
	maxMissed = 100_000
)

// schedule reads one schedule; nil after a fault.
func (r *wiringReader) schedule(n *yaml.Node) *schedule.Entry {
	before := len(r.faults)
	var spec slots.Spec
	s := &schedule.Entry{Missed: schedule.MissedLast}
	var zone *yaml.Node
	untimed := false // a fault in the timing: nothing can be said of it as a whole
	timing := func(name string, read func(*yaml.Node)) key {
		return key{name: name, read: func(n *yaml.Node) {
			before := len(r.faults)
			read(n)
			untimed = untimed || len(r.faults) > before || broken(n)
		}}
	}
	list := func(name string, to *[]string, alone func(text string) slots.Spec) key {
		return timing(name, func(n *yaml.Node) {
			r.oneOrMore(n, name, func(item *yaml.Node) {
				text, ok := r.text(item, name)
				if !ok {
					return
				}
				if _, err := slots.New("", alone(text)); err != nil { // each alone, to find all that are wrong
					r.specError(n, item, err)
				}
				*to = append(*to, text)
			})
		})
	}
	whole := r.mapping(n, "a schedule", []key{
		{name: "name", required: "its events are named after it", read: func(n *yaml.Node) { s.Name = r.name(n, "schedule") }},
		timing("every", func(n *yaml.Node) { spec.Every = r.duration(n, "every") }),
		timing("cron", func(n *yaml.Node) { spec.Cron, _ = r.text(n, "cron") }),
		list("daily", &spec.Daily, func(text string) slots.Spec { return slots.Spec{Daily: []string{text}} }),
		list("weekly", &spec.Weekly, func(text string) slots.Spec { return slots.Spec{Weekly: []string{text}} }),
		list("monthly", &spec.Monthly, func(text string) slots.Spec { return slots.Spec{Monthly: []string{text}} }),
		timing("at", func(n *yaml.Node) {
			r.oneOrMore(n, "at", func(n *yaml.Node) {
				if t, ok := r.instant(n, "at"); ok {
					spec.At = append(spec.At, t)
				}
			})
		}),
		{name: "timezone", read: func(n *yaml.Node) {
			name, ok := r.text(n, "timezone")
			if !ok {
				return
			}
			var err error
			if spec.Zone, err = slots.LoadZone(name); err != nil {
				r.specError(n, n, err)
			}
			zone = n
		}},
		timing("dst", func(n *yaml.Node) {
			spec.DST = slots.DST(r.choice(n, "dst", string(slots.DSTOnce), string(slots.DSTRhythm)))
		}),
		{name: "missed", read: func(n *yaml.Node) {
			s.Missed = schedule.Missed(r.choice(n, "missed", string(schedule.MissedSkip), string(schedule.MissedLast), string(schedule.MissedAll)))
		}},
		{name: "grace", read: func(n *yaml.Node) {
			if s.Grace = r.duration(n, "grace"); s.Grace > maxGrace {
				r.at(n, fmt.Sprintf("grace: %s is more than a day", s.Grace), "what is so late is missed: see the key missed")
			}
		}},
		{name: "max_missed", read: func(n *yaml.Node) { s.MaxMissed = int(r.integer(n, "max_missed", maxMissed)) }},
		{name: "overlap", read: func(n *yaml.Node) {
			s.Overlap = schedule.Overlap(r.choice(n, "overlap", string(schedule.OverlapAllow), string(schedule.OverlapSkip), string(schedule.OverlapQueue)))
		}},
		{name: "paused", read: func(n *yaml.Node) { s.Paused = r.truth(n, "paused") }},
		{name: "emit", required: "the type of the event that it publishes", read: func(n *yaml.Node) {
			typ, ok := r.text(n, "emit")
			switch {
			case !ok:
			case strings.Contains(typ, "${"):
				r.at(n, "a schedule emits one type, written out", "expressions can stand in its data and subject")
			case r.checkType(n, typ):
				s.Type = typ
			}
		}},
		{name: "subject", read: func(n *yaml.Node) { s.Subject = r.template(n, "subject", expression.ScheduleData) }},
		{name: "data", read: func(n *yaml.Node) { s.Data = r.tree(n, expression.ScheduleData) }, nullable: true},
		timing("from", func(n *yaml.Node) { spec.From, _ = r.instant(n, "from") }),
		timing("until", func(n *yaml.Node) { spec.Until, _ = r.instant(n, "until") }),
		timing("limit", func(n *yaml.Node) { spec.Limit = r.integer(n, "limit", 1<<53) }),
		timing("jitter", func(n *yaml.Node) { spec.Jitter = r.duration(n, "jitter") }),
	})
	if !untimed {
		var err error
		if s.Timing, err = slots.New(s.Name, spec); err != nil {
			var e *slots.SpecError
			if whole || !errors.As(err, &e) || e.Field != "" {
				r.specError(n, nil, err)
			}
		}
	}
	if zone != nil && len(r.faults) == before {
		switch {
		case spec.Every > 0:
			r.at(zone, "every takes no notice of a time zone", "leave timezone out, or write daily, weekly, monthly or cron in place of every: they follow a zone's clock")
		case len(spec.At) > 0:
			r.at(zone, "at takes no notice of a time zone", "leave timezone out: each time has an offset of its own")
		}
	}
	if cap, _ := lookup(n, "max_missed"); cap != nil && s.Missed != schedule.MissedAll && len(r.faults) == before {
		r.at(cap, `"max_missed" goes with missed: all only`, "")
	}
	if len(r.faults) == before {
		r.checkData(n, s.Type, s.Data)
	}
	if len(r.faults) > before {
		return nil
	}
	return s
}

// oneOrMore reads one value, or a list of them.
func (r *wiringReader) oneOrMore(n *yaml.Node, what string, read func(*yaml.Node)) {
	if n.Kind != yaml.Sequence {
		read(n)
		return
	}
	if len(n.Content) == 0 && !n.Broken {
		r.at(n, fmt.Sprintf("%q is an empty list", what), "leave it out, or give it an item")
	}
	r.sequence(n, what, "", read)
}

// specError notes what is wrong with the timing of the schedule at n; in the value at, where that is given.
func (r *wiringReader) specError(n, at *yaml.Node, err error) {
	var e *slots.SpecError
	if !errors.As(err, &e) {
		r.at(n, err.Error(), "")
		return
	}
	name, value := lookup(n, e.Field)
	if at != nil {
		value = at
	}
	switch {
	case value == nil: // the schedule as a whole
		r.head(n, e.Msg, e.Hint)
		return
	case value.Kind == yaml.Sequence && e.Index < len(value.Content):
		value = value.Content[e.Index]
	}
	msg := e.Msg
	if verb, _, _ := strings.Cut(msg, " "); verb == "is" || verb == "has" || verb == "lies" {
		msg = e.Field + " " + msg
	}
	if name != nil && strings.Contains(msg, " is given as well as ") {
		r.at(name, msg, e.Hint)
		return
	}
	if e.Offset == 0 && e.Field != "cron" {
		r.at(value, msg, e.Hint)
		return
	}
	r.inside(value, e.Offset, msg, e.Hint)
}
