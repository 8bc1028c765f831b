package output

import (
	"fmt"
	"slices"
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
		{Title: "STATE", Text: func(h control.HandlerStatus) any { return handlerState(h) }},
		{Title: "WAITING", Text: func(h control.HandlerStatus) any { return waiting(h) }, Rank: 2},
		{Title: "RUNNING", Text: func(h control.HandlerStatus) any { return h.Running }, Rank: 3},
		{Title: "RETRYING", Text: func(h control.HandlerStatus) any { return h.Retrying }, Rank: 3},
		{Title: "DEAD", Text: func(h control.HandlerStatus) any { return h.Dead }, Rank: 2},
		{Title: "ON", Text: func(h control.HandlerStatus) any { return strings.Join(h.On, ", ") }, Rank: 1, Least: 12, Most: 61},
	}
}

// WithLabels adds the column of labels, if any of the rows has some.
func WithLabels[T control.Labeled](columns []Column[T], rows []T) []Column[T] {
	if !slices.ContainsFunc(rows, func(row T) bool { return len(row.LabelsOf()) > 0 }) {
		return columns
	}
	return append(columns, Column[T]{
		Title: "LABELS", Text: func(row T) any { return orDash(strings.Join(control.LabelTexts(row.LabelsOf()), ", ")) }, Rank: 2, Least: 12, Most: 61,
	})
}

// HandlerState is a handler's state in words.
func HandlerState(h control.HandlerStatus) string {
	if h.State == control.StateLeft && h.LeftAt != nil {
		return "left " + age(max(time.Since(*h.LeftAt), 0)) + " ago"
	}
	return h.State
}

func handlerState(h control.HandlerStatus) Cell {
	return Cell{Text: HandlerState(h), Color: State(h.State).Color}
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
	t.Value("state", handlerState(h))
	if by := h.Pause; by != nil {
		text := "by " + by.By
		if by.Since != nil {
			text += ", " + p.Time(*by.Since)
		}
		if by.Why != "" {
			text += ": " + by.Why
		}
		t.Field(h.State, "%s", text)
	}
	about(t, h.Description, h.Labels)
	t.Field("does", "%s", h.Kind)
	t.Field("on", "%s", orDash(strings.Join(h.On, ", ")))
	t.Field("waiting", "%s", waiting(h))
	if h.LeftAt != nil {
		t.Field("left", "%s, with %s waiting", p.Time(*h.LeftAt), fault.Plural(int(h.LeftWith), "event"))
	}
	t.Field("behind", "%d", h.Behind)
	t.Field("running", "%d", h.Running)
	t.Field("retrying", "%d", h.Retrying)
	t.Field("dead", "%d", h.Dead)
	return t.Flush()
}

// about writes what the wiring file says of a handler or a schedule.
func about(t *Table, description string, labels map[string]string) {
	if description != "" {
		t.Field("about", "%s", description)
	}
	if len(labels) > 0 {
		t.Field("labels", "%s", strings.Join(control.LabelTexts(labels), ", "))
	}
}

// Schedules are the columns of a list of schedules.
func Schedules() []Column[api.Schedule] {
	return []Column[api.Schedule]{
		{Title: "SCHEDULE", Text: func(s api.Schedule) any { return s.Name }},
		{Title: "NEXT", Text: func(s api.Schedule) any { return next(s) }},
		{Title: "WHEN", Text: func(s api.Schedule) any { return s.When }, Rank: 2, Least: 12},
		{Title: "EMITS", Text: func(s api.Schedule) any { return s.Emit }, Rank: 1, Least: 12},
	}
}

// next is a schedule's next slot, or why there is none.
func next(s api.Schedule) any {
	switch {
	case s.Next == nil:
		return "no more"
	case s.Paused != "":
		return Cell{Text: pausedBy(s), Color: State("paused").Color}
	case s.Waiting:
		return "waits for its last runs"
	}
	return Ago(*s.Next)
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
	about(t, s.Description, s.Labels)
	t.Field("when", "%s", s.When)
	t.Field("emits", "%s", s.Emit)
	if s.Do != "" {
		t.Field("does", "%s", s.Do)
	}
	if s.Paused != "" {
		t.Value("state", next(s))
	} else if s.Waiting {
		t.Field("state", "waits for the runs of its last slot")
	}
	missed := s.Missed
	if s.MaxMissed > 0 {
		missed = fmt.Sprintf("%s, the newest %d", missed, s.MaxMissed)
	}
	t.Field("missed", "%s (on time for %s)", missed, fault.ShortDuration(s.Grace))
	t.Field("overlap", "%s", s.Overlap)
	if off := s.Except; off != nil {
		t.Field("except", "next from %s to %s", p.Slot(off.From), p.Slot(off.To))
	}
	t.Value("last", s.Last)
	if err := t.Flush(); err != nil || len(s.Upcoming) == 0 {
		return err
	}
	_ = p.printf("\nnext slots\n")
	t = p.Table()
	for _, slot := range s.Upcoming {
		t.Row(fmt.Sprintf("  %d", slot.Number), p.Slot(slot.Slot), p.ahead(slot))
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
func (p *Printer) Slots() []Column[Slot] {
	return []Column[Slot]{
		{Title: "SLOT", Text: func(s Slot) any { return p.Slot(s.Slot.Slot) }},
		{Title: "SCHEDULE", Text: func(s Slot) any { return s.Schedule }},
		{Title: "EMITS", Text: func(s Slot) any { return s.Emit }, Rank: 2, Least: 12},
		{Text: func(s Slot) any {
			if s.Paused != "" {
				return "paused: left out"
			}
			return p.ahead(s.Slot)
		}, Rank: 1, Least: 10},
	}
}

// ahead says how far off a slot is, and its jitter.
func (p *Printer) ahead(s api.Slot) string {
	text := distance(s.Slot, p.now())
	if late := s.Fire.Sub(s.Slot); late > 0 {
		text += ", published " + Duration(late) + " later"
	}
	return text
}
