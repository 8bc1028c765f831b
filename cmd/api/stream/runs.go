package stream

import (
	"context"
	"errors"
	"sort"

	"evrun/events"
	"evrun/store"
)

// wanted is a changed run that lines want.
type wanted struct {
	run   *store.Run
	event *events.Event // if a line needs it
	lines []*line
}

// passRuns passes changed runs on until no line wants them.
func (l *live) passRuns(sub *events.Subscription[store.Commit]) {
	for sub != nil {
		for c := range sub.C() {
			l.handRuns(c)
		}
		sub = l.runsAgain(sub)
	}
}

// runsAgain subscribes again after runs changed too fast; nil: it has ended for good.
func (l *live) runsAgain(ended *events.Subscription[store.Commit]) *events.Subscription[store.Commit] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs != ended {
		return nil
	}
	if !errors.Is(ended.Err(), events.ErrLagged) {
		l.close(ended.Err())
		return nil
	}
	l.runs = l.commits.Subscribe(64)
	for _, ln := range l.lines {
		if ln.filter.Runs {
			ln.runs.skip()
			ln.wakeAll()
		}
	}
	return l.runs
}

// handRuns gives the changed runs of a commit to the lines that want them. They are encoded once.
func (l *live) handRuns(c store.Commit) {
	all, missing := l.want(c)
	if len(all) == 0 {
		return
	}
	runs := make([]store.Run, len(all))
	for i := range all {
		runs[i] = *all[i].run
	}
	ctx := context.Background() // looks at the store, which bounds their time
	shapes := l.shape(ctx, runs)
	if len(missing) > 0 {
		l.find(ctx, all, missing)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, shape := range shapes {
		text := jsonBlock("run", shape)
		for _, ln := range all[i].lines {
			ln.takeRun(&all[i], text)
		}
	}
	l.wakeTouched()
}

// want returns the runs that lines want, and the sequences of their events that are needed and not known.
func (l *live) want(c store.Commit) (all []wanted, missing []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range c.Runs {
		r, w := &c.Runs[i], wanted{}
		looks := false
		l.found = l.ofRuns.Match(r.Type, l.found[:0])
		for _, ln := range l.found {
			if ln.filter.run(r) {
				w.lines = append(w.lines, ln)
				looks = looks || ln.filter.needsEvents()
			}
		}
		if len(w.lines) == 0 {
			continue
		}
		w.run = r
		if looks {
			if w.event = l.recent.get(r.Sequence); w.event == nil {
				missing = append(missing, r.Sequence)
			}
		}
		all = append(all, w)
	}
	clear(l.found)
	return all, missing
}

// find reads the events of runs. One that is gone has a sequence alone.
func (l *live) find(ctx context.Context, all []wanted, missing []int64) {
	found, _ := store.EventsOf(ctx, l.journal, missing)
	for i := range all {
		w := &all[i]
		if w.event != nil {
			continue
		}
		if w.event = eventWith(w.run.Sequence, found); w.event == nil {
			w.event = &events.Event{Sequence: w.run.Sequence, Chain: w.run.Sequence}
		}
	}
}

// takeRun needs live.mu.
func (ln *line) takeRun(w *wanted, text []byte) {
	switch {
	case ln.readers == 0: // it ended meanwhile
	case ln.filter.needsEvents() && !ln.filter.event(w.event):
	case ln.filter.OnRuns != nil:
		ln.enqueue(candidate{event: w.event, run: w.run, text: text}, ln.live.through)
	default:
		ln.runs.add(w.run.Sequence, text)
		ln.touch()
	}
}

// recentEvents are the events that were seen last: at most 2,048, and their data at most 4 MiB.
type recentEvents struct {
	list  []*events.Event // in the order of their sequences
	bytes int
}

func (r *recentEvents) add(e *events.Event) {
	r.list = append(r.list, e)
	r.bytes += len(e.Data)
	for len(r.list) > 2048 || r.bytes > 4<<20 && len(r.list) > 1 {
		r.bytes -= len(r.list[0].Data)
		r.list[0] = nil
		r.list = r.list[1:]
	}
}

func (r *recentEvents) get(sequence int64) *events.Event { return eventWith(sequence, r.list) }

// eventWith returns the event with a sequence from a list in the order of sequences; nil if the list doesn't have it.
func eventWith(sequence int64, list []*events.Event) *events.Event {
	i := sort.Search(len(list), func(i int) bool { return list[i].Sequence >= sequence })
	if i < len(list) && list[i].Sequence == sequence {
		return list[i]
	}
	return nil
}
