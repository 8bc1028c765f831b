// Package replay runs recorded events through one handler again.
//
// A replay publishes, for a recorded event, another one with the same type, time, data and extensions that goes to that handler alone
// ([events.Event.Target]) and names the recorded one (ReplayOf). It begins a chain of its own. The run is a new one, with an idempotency key of its own, and
// what it emits goes to everybody as usual. The data was accepted once: a schema that is newer does not refuse it.
//
// Nothing is repeated twice by accident: the id of the new event is made of the recorded event and the handler, so the journal knows it when it comes
// again, whoever asks and whatever was interrupted. A handler that was renamed knows what was replayed under its former names. Who means it says Again:
// then the id has a number, or the id of the batch, too.
//
// [Replayer.Events] replays single events in one transaction. [Replayer.Action] is the action of a batch, for selections. There, events that are themselves
// replays are left out. No goroutines.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
)

// MaxEvents is how many events [Replayer.Events] takes.
const MaxEvents = 1000

// Replayer replays the events of one store.
type Replayer struct {
	Store   store.Store
	Emitter *emitter.Emitter
}

// Replay is a recorded event with the event that repeats it.
type Replay struct {
	Of            *events.Event
	Event         *events.Event
	store.Receipt // Duplicate: it was repeated before
}

// NotMatchingError says that a handler does not get the events of a type.
type NotMatchingError struct {
	Handler store.Consumer
	Event   *events.Event
}

func (e *NotMatchingError) Error() string {
	return fmt.Sprintf("event #%d is a %s, and handler %s runs on %s", e.Event.Sequence, e.Event.Type, e.Handler.Name, fault.Or(events.PatternTexts(e.Handler.On)))
}

// Handler returns the active handler of a name, or the one that has taken over from it. The error is [store.ErrNotFound], or [store.ErrNotActive] for
// one that has left.
func (r *Replayer) Handler(ctx context.Context, name string) (store.Consumer, error) {
	known, err := r.Store.Handlers(ctx)
	if err != nil {
		return store.Consumer{}, err
	}
	registered := slices.Clone(known)
	for i, c := range registered {
		known[i].Predecessors = former(registered, c, len(known))
	}
	active := func(c store.Consumer) bool { return c.State == store.Active && c.Name == name }
	heir := func(c store.Consumer) bool {
		return c.State == store.Active && slices.ContainsFunc(c.Predecessors, func(p store.Predecessor) bool { return p.Name == name })
	}
	for _, is := range []func(store.Consumer) bool{active, heir} {
		if i := slices.IndexFunc(known, is); i >= 0 {
			return known[i], nil
		}
	}
	var names []string
	for _, c := range known {
		if c.State == store.Active {
			names = append(names, c.Name)
		}
		if c.Name == name && c.State == store.Left {
			return store.Consumer{}, fmt.Errorf("handler %q: %w: put it back into the wiring file first", name, store.ErrNotActive)
		}
	}
	hint := "; a handler is known once a daemon has run it"
	if near := fault.DidYouMean(name, names); near != "" {
		hint = "; " + near
	}
	return store.Consumer{}, fmt.Errorf("handler %q: %w%s", name, store.ErrNotFound, hint)
}

// former returns the former names of a handler, and those of the handlers from which it is about to take over: what was replayed through one of them
// was replayed through it. most is the longest line of handlers that take over from each other.
func former(known []store.Consumer, c store.Consumer, most int) []store.Predecessor {
	names := c.Predecessors
	for _, left := range known {
		if left.Heir == c.ID && most > 0 {
			names = slices.Concat([]store.Predecessor{{Name: left.Name, Head: math.MaxInt64}}, former(known, left, most-1), names)
		}
	}
	return names
}

// idOf is the id of the event that repeats another one for a handler; tag tells deliberate repetitions from the first.
func idOf(sequence int64, handler, tag string) string {
	id := strconv.FormatInt(sequence, 10) + "-" + handler
	if tag != "" {
		id += "#" + tag // no name of a handler has this character
	}
	return id
}

// Events repeats events for a handler, in one transaction with more, which are accepted if any is new. With again, events that were repeated before are
// repeated once more. With dryRun nothing is written. Errors: a [*NotMatchingError], those of Handler, and the store's.
func (r *Replayer) Events(ctx context.Context, handler string, of []*events.Event, again, dryRun bool, more ...*events.Event) ([]Replay, error) {
	c, err := r.Handler(ctx, handler)
	if err != nil {
		return nil, err
	}
	list := make([]Replay, len(of))
	var fresh []*events.Event
	for i, e := range of {
		if !events.Selects(c.On, e.Type) {
			return nil, &NotMatchingError{c, e}
		}
		if !e.ErasedAt.IsZero() {
			return nil, fmt.Errorf("event #%d can't be replayed: %w", e.Sequence, store.ErrErased)
		}
		list[i].Of = e
		known, err := r.known(ctx, c, e.Sequence)
		if err != nil {
			return nil, err
		}
		tag := ""
		switch {
		case known != nil && !again:
			list[i].Event, list[i].Receipt = known, store.Receipt{Sequence: known.Sequence, Duplicate: true}
			continue
		case known != nil:
			if tag, err = r.next(ctx, c, e.Sequence); err != nil {
				return nil, err
			}
		}
		if list[i].Event, err = r.Emitter.Repeat(e, c.Name, idOf(e.Sequence, c.Name, tag)); err != nil {
			return nil, fmt.Errorf("event #%d: %w", e.Sequence, err)
		}
		fresh = append(fresh, list[i].Event)
	}
	if dryRun || len(fresh) == 0 {
		return list, nil
	}
	receipts, err := r.Emitter.Accept(ctx, slices.Concat(fresh, more))
	if err != nil {
		return nil, err
	}
	for i := range list {
		if !list[i].Duplicate {
			list[i].Receipt, receipts = receipts[0], receipts[1:]
		}
	}
	return list, nil
}

// known returns the event that repeats another one for a handler, or did so under one of its former names; nil: there is none.
func (r *Replayer) known(ctx context.Context, c store.Consumer, sequence int64) (*events.Event, error) {
	found, err := r.find(ctx, idOf(sequence, c.Name, ""))
	if found != nil || err != nil {
		return found, err
	}
	return r.formerly(ctx, c, sequence)
}

// formerly is known for former names only.
func (r *Replayer) formerly(ctx context.Context, c store.Consumer, sequence int64) (*events.Event, error) {
	for _, p := range c.Predecessors {
		found, err := r.find(ctx, idOf(sequence, p.Name, ""))
		if err != nil || found != nil && found.Sequence <= p.Head {
			return found, err
		}
	}
	return nil, nil
}

// next returns the number of the next deliberate repetition.
func (r *Replayer) next(ctx context.Context, c store.Consumer, sequence int64) (tag string, err error) {
	for n := 2; ; n++ {
		tag := strconv.Itoa(n)
		found, err := r.find(ctx, idOf(sequence, c.Name, tag))
		if found == nil || err != nil {
			return tag, err
		}
	}
}

func (r *Replayer) find(ctx context.Context, id string) (*events.Event, error) {
	found, err := r.Store.Events(ctx, store.EventQuery{ID: id, Source: r.Emitter.Source(emitter.PartReplay), Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Options are the options of the action.
type Options struct {
	Again bool `json:"again,omitempty"` // also repeat what was repeated before
}

// Action is the action "replay" of batches: it repeats the selected events, but for those that are replays themselves, for the handler of the request.
// Without types, the selection has those of the handler.
func (r *Replayer) Action() batches.Action {
	return batches.Action{Name: "replay", Events: true, To: true, Prepare: r.prepare, Do: r.do}
}

func (r *Replayer) prepare(ctx context.Context, ask *batches.Request) (keep func(*events.Event) bool, err error) {
	if _, err := optionsOf(ask.Options); err != nil {
		return nil, &batches.RequestError{Msg: "options: " + err.Error()}
	}
	c, err := r.Handler(ctx, ask.To)
	if err != nil {
		return nil, err
	}
	if ask.To = c.Name; len(ask.Selection.Types) == 0 {
		ask.Selection.Types = events.PatternTexts(c.On)
	}
	return func(e *events.Event) bool {
		return e.ReplayOf == 0 && e.ErasedAt.IsZero() && events.Selects(c.On, e.Type)
	}, nil
}

func optionsOf(text json.RawMessage) (o Options, err error) {
	if text == nil {
		return o, nil
	}
	return o, json.Unmarshal(text, &o)
}

// do repeats a page of events. A reload may have renamed the handler meanwhile: then it tries again.
func (r *Replayer) do(ctx context.Context, w batches.Work, page batches.Page, step store.Step) (changed int, err error) {
	for range 2 {
		if changed, err = r.repeat(ctx, w, page, step); !errors.Is(err, store.ErrNotActive) {
			break
		}
	}
	return changed, err
}

func (r *Replayer) repeat(ctx context.Context, w batches.Work, page batches.Page, step store.Step) (changed int, err error) {
	o, err := optionsOf(w.Options)
	if err != nil {
		return 0, err
	}
	c, err := r.Handler(ctx, w.To)
	if err != nil {
		return 0, err
	}
	tag := ""
	if o.Again {
		tag = w.Batch
	}
	var evs []*events.Event
	for _, e := range page.Events {
		if !o.Again {
			known, err := r.formerly(ctx, c, e.Sequence)
			if err != nil {
				return 0, err
			}
			if known != nil {
				continue
			}
		}
		again, err := r.Emitter.Repeat(e, c.Name, idOf(e.Sequence, c.Name, tag))
		if err != nil {
			return 0, fmt.Errorf("event #%d: %w", e.Sequence, err)
		}
		evs = append(evs, again)
	}
	return r.publish(ctx, step, evs)
}

// publish publishes the events of a page with the progress of its batch, and returns how many are new.
func (r *Replayer) publish(ctx context.Context, step store.Step, evs []*events.Event) (changed int, err error) {
	receipts, err := r.Store.AdvanceBatch(ctx, step, evs)
	for _, rc := range receipts {
		if !rc.Duplicate {
			changed++
		}
	}
	return changed, err
}
