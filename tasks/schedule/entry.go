package schedule

import (
	"fmt"
	"time"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/schedule/slots"
)

// Overlap says what happens to a slot that is due while runs of the previous slot are unfinished: runs on its event, and on all
// events that this one caused.
type Overlap string

// The ways to treat slots that overlap.
const (
	OverlapAllow Overlap = "allow" // publish it; the default
	OverlapSkip  Overlap = "skip"  // leave it out
	OverlapQueue Overlap = "queue" // publish it when they have ended; other slots that passed by then are missed
)

// Entry is a wired schedule: its timing, and the event that it publishes.
type Entry struct {
	Name        string
	Was         string // its former name, whose mark it takes over; "": none
	Timing      *slots.Timing
	Missed      Missed        // "": MissedLast
	Grace       time.Duration // how late a slot may be and still be on time; 0: DefaultGrace
	MaxMissed   int           // of MissedAll; 0: DefaultMaxMissed
	Overlap     Overlap       // "": OverlapAllow
	Paused      bool          // no slot is published until another wiring says otherwise
	Type        string        // of the event
	Subject     *expression.Template
	Data        *expression.Value // nil: none
	Do          string            // the kind of the handler that has the schedule's name and belongs to it; "": none
	Description string
	Labels      map[string]string
	Version     string // equal for entries that are written alike; "": equal to no other
}

// DoPrefix begins the types of the events of schedules with Do: schedule.NAME.
const DoPrefix = "schedule."

// Part names the schedule among evrun's parts, for [emitter.Emitter.Own] and [emitter.Emitter.Source].
func (e *Entry) Part() string { return partOf(e.Name) }

func partOf(name string) string { return "/schedules/" + name }

// Parts names the schedule as Part does, and as it was before: slots may have been published under its former name.
func (e *Entry) Parts() []string {
	if e.Was == "" {
		return []string{e.Part()}
	}
	return []string{e.Part(), partOf(e.Was)}
}

// SlotID is the id of a slot's event.
func SlotID(slot time.Time) string { return slot.UTC().Format(time.RFC3339Nano) }

// Event makes the event of a slot, without its source: the emitter stamps that. timing is the entry's own, or one
// counted from somewhere, and numbers the slot. previous is the slot that was published before it; zero: none.
func (e *Entry) Event(timing *slots.Timing, slot, previous time.Time) (*events.Event, error) {
	env := expression.NewSlotEnv(slotOf(timing, slot))
	if !previous.IsZero() {
		env.SetPrevious(slotOf(timing, previous).Map())
	}
	ev := &events.Event{ID: SlotID(slot), Type: e.Type, Time: slot.UTC()}
	return ev, e.fill(ev, env)
}

func slotOf(timing *slots.Timing, slot time.Time) expression.Slot {
	number, _ := timing.Number(slot)
	return expression.Slot{Time: slot.In(timing.Location()), Number: number}
}

// manual makes an event that belongs to no slot, on request.
func (e *Entry) manual(em *emitter.Emitter, timing *slots.Timing, now, previous time.Time) (*events.Event, error) {
	env := expression.NewSlotEnv(expression.Slot{Time: now.In(timing.Location())})
	if !previous.IsZero() {
		env.SetPrevious(slotOf(timing, previous).Map())
	}
	ev := &events.Event{ID: events.NewID(), Type: e.Type, Time: now, Extensions: map[string]any{"manual": true}}
	if err := e.fill(ev, env); err != nil {
		return nil, err
	}
	return ev, em.Own(e.Part(), ev)
}

// fill evaluates subject and data. The event must have its id: uuid() follows from it.
func (e *Entry) fill(ev *events.Event, env *expression.Env) (err error) {
	env.In(e.Part()+"/"+ev.ID, "", 0)
	if e.Subject != nil {
		if ev.Subject, err = e.Subject.Text(env); err != nil {
			return fmt.Errorf("subject: %w", err)
		}
	}
	if e.Data != nil {
		v, err := e.Data.Eval(env)
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		if ev.Data, err = emitter.MarshalData(v); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	return nil
}
