package emitter

import (
	"encoding/json"

	"evrun/events"
	"evrun/tasks/trace"
)

// The parts of evrun that repeat events, in their sources: see [Emitter.Source].
const (
	PartReplay = "/replay" // recorded events, as they are
	PartEdited = "/edited" // with data that a person has changed
)

// Repeat makes an event that repeats a recorded one for one handler alone, for Accept. It has the type, the time, the data and the extensions of the
// recorded event, its correlation id, and its id as the causation id, and begins a chain of its own. The data was accepted once, so neither a schema
// nor a limit that is newer refuses it.
func (em *Emitter) Repeat(of *events.Event, handler, id string) (*events.Event, error) {
	e := repeated(of, handler)
	e.ID, e.Source = id, em.Source(PartReplay)
	if err := e.Validate(); err != nil {
		return nil, &RefusedError{Msg: err.Error()}
	}
	return e, nil
}

// Correct is Repeat with other data, which is checked as that of a new event is.
func (em *Emitter) Correct(of *events.Event, handler, id string, data json.RawMessage) (*events.Event, error) {
	e := repeated(of, handler)
	e.ID, e.Data = id, data
	if !e.IsJSON() {
		e.DataContentType = ""
	}
	return e, em.Own(PartEdited, e)
}

func repeated(of *events.Event, handler string) *events.Event {
	return &events.Event{
		Type: of.Type, Subject: of.Subject, Time: of.Time, DataContentType: of.DataContentType, DataSchema: of.DataSchema, Data: of.Data,
		Target: handler, ReplayOf: of.Sequence, CorrelationID: of.CorrelationID, CausationID: of.ID, Extensions: trace.Without(of.Extensions),
	}
}
