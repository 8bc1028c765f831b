package search

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/fault"
)

// Ids may be shortened to what is printed of them. These functions are the only ones that read such ids.

// Event finds an event by its seq (168, or #168) or its id. A number is a seq; where no event has that seq, it is an id. Of several events with one
// id, it is the latest. The error is [store.ErrNotFound], with what is known instead.
func Event(ctx context.Context, j store.Journal, name string) (*events.Event, error) {
	sequence, hash, ok := number(name)
	if ok {
		found, err := j.Events(ctx, store.EventQuery{Sequences: []int64{sequence}})
		if err != nil || len(found) > 0 {
			return first(found), err
		}
	}
	if !hash {
		e, err := j.Event(ctx, name)
		if err == nil || !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
	}
	if !ok {
		return nil, fmt.Errorf("event %s: %w; an event is named by its seq, such as 168, or by its id", fault.Quote(name), store.ErrNotFound)
	}
	head, err := j.Head(ctx)
	if err != nil {
		return nil, err
	}
	if sequence > head {
		return nil, fmt.Errorf("event %s: %w; the last one is #%d", name, store.ErrNotFound, head)
	}
	return nil, fmt.Errorf("event %s: %w; it was deleted", name, store.ErrNotFound)
}

// EventOf finds an event as [Event] does, and by the name of one of its runs, for what only reads.
func EventOf(ctx context.Context, s RunSource, name string) (*events.Event, error) {
	e, err := Event(ctx, s, name)
	if !errors.Is(err, store.ErrNotFound) || !strings.Contains(name, "-") {
		return e, err
	}
	run, none := Run(ctx, s, name)
	if none != nil {
		return nil, err
	}
	return Event(ctx, s, "#"+strconv.FormatInt(run.Sequence, 10))
}

func first(found []*events.Event) *events.Event {
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

// number reads 168 or #168; hash reports the latter.
func number(name string) (n int64, hash, ok bool) {
	digits, hash := strings.CutPrefix(name, "#")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, hash, err == nil && n > 0
}

// RunSource is what runs are found in.
type RunSource interface {
	store.Journal
	Handlers(ctx context.Context, names ...string) ([]store.Consumer, error)
	FindRun(ctx context.Context, id string) (store.Run, error)
	Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error)
}

// AmbiguousError says that a shortened id is that of several runs.
type AmbiguousError struct {
	Name string
	Runs []store.Run
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("run %s: event #%d has several runs, name one of them: %s", fault.Quote(e.Name), e.Runs[0].Sequence, shortIDs(e.Runs))
}

// Run finds a run by its id, also shortened: 168-announce, or 168 (#168) where its event has no other run. A waiting run needs its handler. The error is [store.ErrNotFound], with
// what is known instead, or an [*AmbiguousError].
func Run(ctx context.Context, s RunSource, name string) (store.Run, error) {
	short := strings.TrimPrefix(name, "#")
	for _, id := range []string{short, short + "-" + s.ID()} {
		run, err := s.FindRun(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			if run, err = store.FindWaiting(ctx, s, id); errors.Is(err, store.ErrNotFound) {
				run, err = s.FindRun(ctx, id) // it may have begun between the two
			}
		}
		if !errors.Is(err, store.ErrNotFound) {
			return run, err
		}
	}
	head, handler, _ := strings.Cut(short, "-")
	sequence, err := strconv.ParseInt(head, 10, 64)
	if err != nil || sequence < 1 {
		return store.Run{}, unnamed(ctx, s, name)
	}
	all, err := s.Runs(ctx, store.RunQuery{Sequence: sequence})
	if err != nil {
		return store.Run{}, err
	}
	found := all
	if handler != "" {
		found = nil
		for _, run := range all {
			if run.Handler == handler { // it began under another name
				found = append(found, run)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return store.Run{}, &AmbiguousError{name, found}
	case len(all) > 0:
		return store.Run{}, fmt.Errorf("run %s: %w; event #%d has %s", fault.Quote(name), store.ErrNotFound, sequence, shortIDs(all))
	}
	if _, err := Event(ctx, s, "#"+head); err != nil {
		return store.Run{}, err
	}
	return store.Run{}, fmt.Errorf("run %s: %w; event #%d has no runs", fault.Quote(name), store.ErrNotFound, sequence)
}

// Newest finds a run as [Run] does, and the run of a handler's newest event by the handler's name alone. It is for what only reads: what is changed
// is named in full.
func Newest(ctx context.Context, s RunSource, name string) (store.Run, error) {
	run, err := Run(ctx, s, name)
	if !errors.Is(err, store.ErrNotFound) {
		return run, err
	}
	switch newest, failed := s.Runs(ctx, store.RunQuery{Handler: name, Limit: 1}); {
	case failed != nil:
		return store.Run{}, failed
	case name != "" && len(newest) > 0:
		return newest[0], nil
	}
	return run, err
}

// unnamed says that no run has a name that begins with no seq, and what it is the name of.
func unnamed(ctx context.Context, s RunSource, name string) error {
	known, err := s.Handlers(ctx, name)
	if err != nil {
		return err
	}
	if name == "" || len(known) == 0 {
		return fmt.Errorf("run %s: %w; a run is named by its event's seq and its handler, such as 168-announce", fault.Quote(name), store.ErrNotFound)
	}
	newest, err := s.Runs(ctx, store.RunQuery{Handler: name, Limit: 1})
	switch {
	case err != nil:
		return err
	case len(newest) == 0:
		return fmt.Errorf("run %s: %w; this handler has had no runs", fault.Quote(name), store.ErrNotFound)
	}
	return fmt.Errorf("run %s: %w; this is a handler: its newest run is %s, and --handler %s selects its runs",
		fault.Quote(name), store.ErrNotFound, shortID(&newest[0]), name)
}

// shortID is the id of a run without the part that names the database, as lists print it.
func shortID(run *store.Run) string {
	if i := strings.LastIndexByte(run.ID, '-'); i > 0 {
		return run.ID[:i]
	}
	return run.ID
}

// shortIDs lists at most 10 of them.
func shortIDs(runs []store.Run) string {
	const most = 10
	names := []string{}
	for i := range runs[:min(len(runs), most)] {
		names = append(names, shortID(&runs[i]))
	}
	if len(runs) > most {
		names = append(names, fmt.Sprintf("%d others", len(runs)-most))
	}
	return fault.And(names)
}
