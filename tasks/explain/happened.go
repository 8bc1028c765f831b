package explain

import (
	"context"
	"fmt"
	"slices"

	"evrun/events"
	"evrun/store"
)

// Account is what happened to one event at one handler, and why.
type Account struct {
	Handler string
	State   string // that of the run, or one of the constants below
	Why     string // in words; empty if the state says it all
	On      []string
	Run     *store.Run // nil: there is none
}

// The states of an event at a handler that has no run on it. An event that waits for its handler is "waiting".
const (
	NoMatch   = "no match"    // its patterns don't match the type
	NotTarget = "not for it"  // the event is for another handler alone
	Later     = "wired later" // the handler is newer than the event
	Unknown   = "not run yet" // the handler is in the file, and no daemon has run it
	Missed    = "has no run"  // nothing explains it by itself: see the account's Why
)

// Source is what [Happened] reads.
type Source interface {
	store.WaitingSource
	Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error)
}

// Happened tells what happened to an event at each handler: those that are wired, in the order of the file, and those that the store knows besides.
// It says so from what is stored: runs, marks, patterns, and what the handlers wait for.
func Happened(ctx context.Context, s Source, e *events.Event, wired []Handler) ([]Account, error) {
	known, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := s.Runs(ctx, store.RunQuery{Sequence: e.Sequence, Limit: 10_000})
	if err != nil {
		return nil, err
	}
	consumers := map[string]store.Consumer{}
	for _, c := range known {
		if c.State != store.Forgotten {
			consumers[c.Name] = c
		}
	}
	var list []Account
	told := map[string]bool{}
	tell := func(name string, c *store.Consumer, on []string) error {
		a := Account{Handler: name, On: on}
		if i := slices.IndexFunc(runs, func(r store.Run) bool { return r.Handler == name }); i >= 0 {
			a.Run, a.State = &runs[i], runs[i].State.String()
		} else if a.State, a.Why, a.Run, err = without(ctx, s, e, c, on); err != nil {
			return err
		}
		told[name] = true
		list = append(list, a)
		return nil
	}
	for _, h := range wired {
		var consumer *store.Consumer
		if c, ok := consumers[h.Name]; ok {
			consumer = &c
		}
		if err := tell(h.Name, consumer, h.On); err != nil {
			return nil, err
		}
	}
	for _, c := range known {
		hasRun := slices.ContainsFunc(runs, func(r store.Run) bool { return r.Handler == c.Name })
		if told[c.Name] || c.State == store.Forgotten && !hasRun {
			continue
		}
		if err := tell(c.Name, &c, events.PatternTexts(c.On)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// without says why a handler has no run on an event; c is nil for one that the store doesn't know.
func without(ctx context.Context, s Source, e *events.Event, c *store.Consumer, on []string) (state, why string, run *store.Run, err error) {
	matches := slices.ContainsFunc(on, func(text string) bool {
		p, err := events.ParsePattern(text)
		return err == nil && p.Match(e.Type)
	})
	if c != nil {
		waiting, err := store.WaitingRuns(ctx, s, *c, store.WaitingQuery{Sequences: []int64{e.Sequence}})
		if err != nil {
			return "", "", nil, err
		}
		if len(waiting) > 0 {
			if c.State == store.Left {
				waiting[0].Reason += fmt.Sprintf("; it left after #%d", c.LeftHead)
			}
			return waiting[0].State.String(), "", &waiting[0], nil
		}
	}
	switch {
	case !matches:
		return NoMatch, "", nil, nil
	case c == nil:
		return Unknown, "it is in the wiring file, and no daemon has run it since", nil, nil
	case !c.Takes(e):
		return NotTarget, fmt.Sprintf("the event is for handler %s alone%s", e.Target, repeats(e)), nil, nil
	case e.Sequence <= c.Since:
		return Later, fmt.Sprintf("it began after #%d, and this event is older", c.Since), nil, nil
	case e.Sequence > c.LowWater:
		return store.Waiting.String(), "the event was accepted just now", nil, nil
	}
	return Missed, fmt.Sprintf("its mark, #%d, has passed the event: it was not wired to the type then, or was resumed without what waited (resume --from now)",
		c.LowWater), nil, nil
}

// repeats names the event that a replay repeats.
func repeats(e *events.Event) string {
	if e.ReplayOf == 0 {
		return ""
	}
	return fmt.Sprintf(", as a replay of #%d", e.ReplayOf)
}

// MatchedAny reports whether a handler matched the event, whatever came of it.
func MatchedAny(list []Account) bool {
	return slices.ContainsFunc(list, func(a Account) bool { return a.State != NoMatch })
}
