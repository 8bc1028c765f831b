package output

import (
	"fmt"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

// Handlers are the columns of a list of handlers.
func Handlers() []Column[control.HandlerStatus] {
	return []Column[control.HandlerStatus]{
		{Title: "HANDLER", Text: func(h control.HandlerStatus) any { return h.Name }},
		{Title: "STATE", Text: func(h control.HandlerStatus) any { return HandlerState(h) }},
		{Title: "WAITING", Text: func(h control.HandlerStatus) any { return waiting(h) }},
		{Title: "RUNNING", Text: func(h control.HandlerStatus) any { return h.Running }},
		{Title: "RETRYING", Text: func(h control.HandlerStatus) any { return h.Retrying }},
		{Title: "DEAD", Text: func(h control.HandlerStatus) any { return h.Dead }},
		{Title: "ON", Text: func(h control.HandlerStatus) any { return strings.Join(h.On, ", ") }, Most: 61},
	}
}

// HandlerState is a handler's state in words.
func HandlerState(h control.HandlerStatus) string {
	if h.State == control.StateLeft && h.LeftAt != nil {
		return "left " + Age(*h.LeftAt) + " ago"
	}
	return h.State
}

func waiting(h control.HandlerStatus) string {
	switch {
	case h.Waiting == nil:
		return "-"
	case h.AtMost:
		return fmt.Sprintf("≤%d", *h.Waiting)
	}
	return fmt.Sprint(*h.Waiting)
}

// Handler writes one handler.
func (p *Printer) Handler(h control.HandlerStatus) error {
	if p.JSON {
		return p.Object(h)
	}
	t := p.Table()
	t.Field("handler", "%s", h.Name)
	t.Field("state", "%s", HandlerState(h))
	t.Field("does", "%s", h.Kind)
	t.Field("on", "%s", orDash(strings.Join(h.On, ", ")))
	t.Field("waiting", "%s", waiting(h))
	if h.LeftAt != nil {
		t.Field("left", "%s, with %s waiting", h.LeftAt.Format(time.RFC3339), fault.Plural(int(h.LeftWith), "event"))
	}
	t.Field("behind", "%d", h.Behind)
	t.Field("running", "%d", h.Running)
	t.Field("retrying", "%d", h.Retrying)
	t.Field("dead", "%d", h.Dead)
	return t.Flush()
}

// Schedules are the columns of a list of schedules.
func Schedules() []Column[api.Schedule] {
	return []Column[api.Schedule]{
		{Title: "SCHEDULE", Text: func(s api.Schedule) any { return s.Name }},
		{Title: "NEXT", Text: func(s api.Schedule) any { return next(s) }, Time: true},
		{Title: "WHEN", Text: func(s api.Schedule) any { return s.When }},
		{Title: "EMITS", Text: func(s api.Schedule) any { return s.Emit }},
	}
}

// next is a schedule's next slot, or why there is none.
func next(s api.Schedule) string {
	switch {
	case s.Next == nil:
		return "no more"
	case s.Paused != "":
		return pausedBy(s)
	case s.Waiting:
		return "waits for its last runs"
	}
	return s.Next.Format(time.RFC3339)
}

func pausedBy(s api.Schedule) string {
	if s.Paused == "file" {
		return "paused in the file"
	}
	return "paused"
}

// Schedule writes one schedule with its next slots.
func (p *Printer) Schedule(s api.Schedule) error {
	if p.JSON {
		return p.Object(s)
	}
	t := p.Table()
	t.Field("schedule", "%s", s.Name)
	t.Field("when", "%s", s.When)
	t.Field("emits", "%s", s.Emit)
	if s.Paused != "" {
		t.Field("state", "%s", pausedBy(s))
	} else if s.Waiting {
		t.Field("state", "waits for the runs of its last slot")
	}
	missed := s.Missed
	if s.MaxMissed > 0 {
		missed = fmt.Sprintf("%s, the newest %d", missed, s.MaxMissed)
	}
	t.Field("missed", "%s (on time for %s)", missed, fault.ShortDuration(s.Grace))
	t.Field("overlap", "%s", s.Overlap)
	if s.Last != nil {
		t.Field("last", "%s", s.Last.Format(time.RFC3339Nano))
	}
	if err := t.Flush(); err != nil || len(s.Upcoming) == 0 {
		return err
	}
	_ = p.printf("\nnext slots\n")
	for _, slot := range s.Upcoming {
		t.Row(fmt.Sprintf("  %d", slot.Number), slot.Slot.Format(time.RFC3339Nano), ahead(slot))
	}
	return t.Flush()
}

// Slot is a slot of a schedule.
type Slot struct {
	Schedule string `json:"schedule"`
	Emit     string `json:"emit"`
	api.Slot
	Paused string `json:"paused,omitempty"`
}

// Slots are the columns of a list of slots.
func Slots() []Column[Slot] {
	return []Column[Slot]{
		{Title: "SLOT", Text: func(s Slot) any { return s.Slot.Slot.Format(time.RFC3339Nano) }},
		{Title: "SCHEDULE", Text: func(s Slot) any { return s.Schedule }},
		{Title: "EMITS", Text: func(s Slot) any { return s.Emit }},
		{Text: func(s Slot) any {
			if s.Paused != "" {
				return "paused: left out"
			}
			return ahead(s.Slot)
		}},
	}
}

// ahead says how far off a slot is, and its jitter.
func ahead(s api.Slot) string {
	text := "in " + round(time.Until(s.Slot))
	if late := s.Fire.Sub(s.Slot); late > 0 {
		text += ", published " + round(late) + " later"
	}
	return text
}

// Age is how long ago t was, in seconds or days.
func Age(t time.Time) string {
	d := time.Since(t).Round(time.Second)
	if d >= 48*time.Hour {
		return days(d)
	}
	return d.String()
}

// round gives a duration with two units at most.
func round(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return days(d)
	case d >= time.Hour:
		d = d.Round(time.Minute)
	case d >= time.Second:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Millisecond)
	}
	return fault.ShortDuration(d.String())
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", d/(24*time.Hour)) }
