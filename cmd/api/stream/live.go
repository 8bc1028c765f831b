package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
)

// How much live streams hold.
const (
	liveBytes  = 6 << 20 // of chunks of lines
	chunkBytes = 4 << 10 // of one, or of the block that is larger
	queueBytes = 8 << 20 // of what waits for the conditions of all lines, each line counted
	queueItems = 4096    // events and runs that wait for the condition of one line
	atOnce     = 256     // events that are passed on while others wait for the lock
)

// live passes new events and changed runs on to lines: each distinct filter of streams has one. It looks at each event once, whatever the number of
// streams: a line that an event does not concern costs nothing, and its streams sleep.
//
// Goroutines, while there are lines: pass; passRuns, while a line wants runs; line.evaluate of a line with a condition, while something waits for it.
type live struct {
	bus     *events.Bus
	commits *events.Feed[store.Commit]
	journal store.Journal
	shape   func(context.Context, []store.Run) []any // what is sent of runs
	gate    *gate
	pump    sync.WaitGroup
	poke    chan struct{} // there are readers to wake

	mu       sync.Mutex
	closed   error                                 // by mu: the bus's, once it has been closed
	lines    map[string]*line                      // by mu, by the keys of their filters
	ofEvents events.Router[*line]                  // by mu: lines that want events
	ofRuns   events.Router[*line]                  // by mu: lines that want runs
	sub      *events.Subscription[[]*events.Event] // by mu; nil: there are no lines
	runs     *events.Subscription[store.Commit]    // by mu; nil: no line wants runs
	running  int                                   // by mu: lines that want runs
	looking  int                                   // by mu: of them, those that need the runs' events
	through  int64                                 // by mu: all events up to here were passed on
	found    []*line                               // by mu: kept to reuse its memory
	touched  []*line                               // by mu: likewise
	ready    []*reader                             // by mu: those to wake, in this order
	credit   int                                   // by mu: how many may be woken now
	credited time.Time                             // by mu: when credit was counted
	rest     time.Time                             // by mu: nobody is woken before
	kept     int                                   // by mu: bytes of the lines' chunks
	oldest   []kept                                // by mu: the chunks, in the order in which they began
	queued   int                                   // by mu: bytes of the queues of all lines
	recent   recentEvents                          // by mu: while looking
}

// kept is a chunk of a line.
type kept struct {
	of    *track
	chunk *chunk
	size  int
}

func newLive(o *Options, g *gate) *live {
	return &live{bus: o.Bus, commits: o.Commits, journal: o.Journal, shape: o.Runs, gate: g, poke: make(chan struct{}, 1), lines: map[string]*line{}}
}

// reader is a stream's end of a line.
type reader struct {
	wake    chan struct{}
	line    *line         // by live.mu; nil: it is in none
	waiting bool          // by live.mu: it is in the line's list of those that wait
	ready   bool          // by live.mu: it is in live.ready
	run     int64         // by live.mu: the next run of the line that it wants
	took    time.Duration // its last write, before next; only its stream uses it
}

func newReader() *reader { return &reader{wake: make(chan struct{}, 1)} }

// join puts a reader into the line of a filter. head is what the journal ended with at some time since the bus began. The error is that of the bus when
// it is closed.
func (l *live) join(r *reader, f *Filter, key string, head int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed != nil {
		return l.closed
	}
	ln := l.lines[key]
	if ln == nil {
		l.begin(f, head)
		ln = newLine(l, f, key)
		l.lines[key] = ln
		l.route(ln, true)
	}
	ln.readers++
	r.line, r.run = ln, ln.runs.next
	return nil
}

// leave takes a reader out of its line.
func (l *live) leave(r *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := r.line
	if ln == nil {
		return
	}
	r.line = nil
	if r.waiting {
		ln.dismiss(r)
	}
	if ln.readers--; ln.readers > 0 {
		return
	}
	delete(l.lines, ln.key)
	l.route(ln, false)
	ln.clear()
	l.end(ln.filter)
}

// begin needs mu. It begins what a line of a filter needs.
func (l *live) begin(f *Filter, head int64) {
	if l.sub == nil {
		sub := l.bus.Subscribe(events.MaxWaiting)
		l.sub, l.through = sub, max(l.bus.Head(), head) // what is published from now on comes; a bus has no head before its first event
		l.pump.Go(func() { l.pass(sub) })
	}
	if f.needsEvents() {
		l.looking++
	}
	if !f.Runs {
		return
	}
	if l.running++; l.running == 1 {
		runs := l.commits.Subscribe(64)
		l.runs = runs
		l.pump.Go(func() { l.passRuns(runs) })
	}
}

// end needs mu. It is the opposite of begin.
func (l *live) end(f *Filter) {
	if f.needsEvents() {
		if l.looking--; l.looking == 0 {
			l.recent = recentEvents{}
		}
	}
	if f.Runs {
		if l.running--; l.running == 0 {
			l.runs.Unsubscribe()
			l.runs = nil
		}
	}
	if len(l.lines) == 0 {
		l.sub.Unsubscribe()
		l.sub = nil
	}
}

// route needs mu.
func (l *live) route(ln *line, add bool) {
	types := ln.filter.Types
	if len(types) == 0 {
		types = everything
	}
	for _, r := range []struct {
		want   bool
		router *events.Router[*line]
	}{{ln.filter.Events, &l.ofEvents}, {ln.filter.Runs, &l.ofRuns}} {
		for _, p := range types {
			switch {
			case r.want && add:
				r.router.Add(p, ln)
			case r.want:
				r.router.Remove(p, ln)
			}
		}
	}
}

var everything = []events.Pattern{events.MustPattern(">")}

// pass passes events on until there are no lines.
func (l *live) pass(sub *events.Subscription[[]*events.Event]) {
	pace := time.NewTimer(time.Hour)
	defer pace.Stop()
	for {
		select {
		case batch, ok := <-sub.C():
			if !ok {
				if sub = l.again(sub); sub == nil {
					return
				}
			}
			for len(batch) > 0 {
				n := min(len(batch), atOnce)
				l.hand(batch[:n])
				batch = batch[n:]
			}
		case <-l.poke:
		case <-pace.C:
		}
		if l.wakeSome() {
			pace.Reset(wakeEvery)
		}
	}
}

// again subscribes again after a subscription has ended because events came too fast; nil: it has ended for good. The lines begin anew, and their
// readers read what is missing in the journal.
func (l *live) again(ended *events.Subscription[[]*events.Event]) *events.Subscription[[]*events.Event] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sub != ended {
		return nil
	}
	if !errors.Is(ended.Err(), events.ErrLagged) {
		l.close(ended.Err())
		return nil
	}
	l.sub = l.bus.Subscribe(events.MaxWaiting)
	l.through = l.bus.Head()
	for _, ln := range l.lines {
		ln.restart()
	}
	return l.sub
}

// close needs mu. It ends all streams, now and later.
func (l *live) close(why error) {
	l.closed = why
	for _, ln := range l.lines {
		ln.wakeAll()
	}
	for _, r := range l.ready { // at once: nothing else comes
		r.notify()
	}
	l.ready = nil
}

// hand gives events to the lines that want them.
func (l *live) hand(batch []*events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text []byte
	for _, e := range batch {
		if e.Sequence <= l.through { // it was in the journal before the lines began
			continue
		}
		l.through = e.Sequence
		if l.looking > 0 {
			l.recent.add(e)
		}
		l.found = l.ofEvents.Match(e.Type, l.found[:0])
		text = text[:0]
		for _, ln := range l.found {
			if ln.filter.event(e) {
				text = ln.take(e, text)
			}
		}
	}
	clear(l.found)
	l.wakeTouched()
	if l.running > 0 {
		for _, ln := range l.lines {
			if ln.blocked { // a run waits until its event was passed
				ln.wakeAll()
			}
		}
	}
}

// trim needs mu. It drops the oldest chunks when all lines together hold too much: readers that want them read the journal instead, and have missed runs.
func (l *live) trim() {
	for l.kept > liveBytes && len(l.oldest) > 1 {
		first := l.oldest[0]
		l.oldest[0] = kept{}
		l.oldest = l.oldest[1:]
		l.kept -= first.size
		first.of.drop(first.chunk)
	}
}

// part is what a reader gets next.
type part struct {
	chunk *chunk
	size  int // of the chunk
	text  []byte
	runs  bool
	after int64 // the position behind it; of runs, the number of the next
}

// status is what a reader has to do.
type status int

const (
	idle   status = iota // wait
	sends                // send the part
	behind               // read the journal: what comes next is only there
	missed               // report that runs are missing
)

// next returns what comes for a reader after a position, which may have moved on.
func (l *live) next(r *reader, after int64) (p part, now int64, s status, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed != nil {
		return p, after, idle, l.closed
	}
	if r.took > 0 {
		l.wrote(r.took)
		r.took = 0
	}
	ln := r.line
	if ln.filter.Events {
		if after < ln.events.first {
			return p, after, behind, nil
		}
		if c, text, last := ln.events.beyond(after); c != nil {
			return part{c, c.size(), text, false, last}, after, sends, nil
		}
	}
	after = max(after, ln.position())
	if ln.filter.Runs {
		if r.run < ln.runs.first {
			r.run = ln.runs.first
			return p, after, missed, nil
		}
		if c, text, next := ln.runs.upTo(r.run, after); c != nil {
			return part{c, c.size(), text, true, next}, after, sends, nil
		}
		ln.blocked = ln.blocked || r.run < ln.runs.next
	}
	if !r.waiting && !r.ready {
		r.waiting = true
		ln.waiting = append(ln.waiting, r)
	}
	return p, after, idle, nil
}

// passed notes that a reader has got runs.
func (l *live) passed(r *reader, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.run = next
}
