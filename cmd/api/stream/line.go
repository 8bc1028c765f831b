package stream

import (
	"slices"
	"sort"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
)

// line has what is sent to all streams with one filter. All fields but the first four are by live.mu.
type line struct {
	live   *live
	filter *Filter
	key    string
	turn   *turn // at the gate

	readers      int
	waiting      []*reader // those that have got everything
	events, runs track
	touched      bool // it is in live.touched
	blocked      bool // a reader waits for events to pass before it gets a run

	// Of a line with a condition.
	queue      []candidate // what it is to be evaluated for
	bytes      int         // of the queue
	evaluating bool        // evaluate runs
	evaluated  time.Time   // when it ended
	epoch      int         // counts the times that the queue was dropped
	through    int64       // all events up to here were evaluated, while there are others
}

// candidate is an event or a changed run that a condition decides about.
type candidate struct {
	event *events.Event
	run   *store.Run // nil: the event itself
	text  []byte     // of the run
}

// candidateSize is what a candidate counts besides its data and text.
const candidateSize = 256

func (c *candidate) size() int {
	if c.run != nil {
		return candidateSize + len(c.text)
	}
	return candidateSize + len(c.event.Data)
}

// newLine needs live.mu.
func newLine(l *live, f *Filter, key string) *line {
	ln := &line{live: l, filter: f, key: key, turn: newTurn()}
	ln.events = track{line: ln, first: l.through}
	ln.runs = track{line: ln, first: 1, next: 1}
	return ln
}

// position is how far all that matches is in the events' track.
func (ln *line) position() int64 {
	if ln.evaluating {
		return ln.through
	}
	return ln.live.through
}

// take takes an event of its types. text is the event's block, or empty if nobody needed it yet; it returns it.
func (ln *line) take(e *events.Event, text []byte) []byte {
	if ln.filter.OnEvents != nil {
		ln.enqueue(candidate{event: e}, e.Sequence-1)
		return text
	}
	if len(text) == 0 {
		text = blockOf(e, text)
	}
	ln.events.add(e.Sequence, text)
	ln.touch()
	return text
}

// blockOf is an event's block. An event that can't be written in JSON, which the journal can't have, is left out.
func blockOf(e *events.Event, dst []byte) []byte {
	text, err := appendEventBlock(dst, e)
	if err != nil {
		return dst
	}
	return text
}

// touch has the readers woken at the end of the batch.
func (ln *line) touch() {
	if !ln.touched {
		ln.touched = true
		ln.live.touched = append(ln.live.touched, ln)
	}
}

// enqueue has the condition evaluated; all events through a sequence were, if nothing else waits. If too much waits, the line begins anew: its readers
// find the events in the journal, and have missed runs.
func (ln *line) enqueue(c candidate, through int64) {
	if !ln.evaluating {
		ln.evaluating, ln.through = true, through
		ln.live.pump.Go(ln.evaluate)
	}
	ln.queue = append(ln.queue, c)
	ln.bytes += c.size()
	ln.live.queued += c.size()
	switch {
	case len(ln.queue) > queueItems:
		ln.restart()
	case ln.live.queued > queueBytes:
		ln.live.largest().restart()
	}
}

// largest is the line for whose condition most waits.
func (l *live) largest() (largest *line) {
	for _, ln := range l.lines {
		if largest == nil || ln.bytes > largest.bytes {
			largest = ln
		}
	}
	return largest
}

// gather is how long a line lets events gather after it has evaluated its condition for all that there was.
const gather = 10 * time.Millisecond

// evaluate evaluates the condition for all that waits.
func (ln *line) evaluate() {
	<-time.After(gather - time.Since(ln.evaluated))
	const atOnce = 64
	is, texts := make([]bool, atOnce), make([][]byte, atOnce)
	for {
		batch, epoch := ln.begin(atOnce)
		if batch == nil {
			return
		}
		var failed failures
		n := ln.live.gate.some(ln.turn, len(batch), func(c *condition, i int) {
			var err error
			of := &batch[i]
			if of.run != nil {
				if is[i], err = c.run(ln.filter.OnRuns, of.event, of.run); err != nil {
					failed.add("run "+of.run.ID, err)
				}
			} else if is[i], err = c.newEvent(ln.filter.OnEvents, of.event); err != nil {
				failed.add(eventName(of.event), err)
			}
		})
		for i := range batch[:n] {
			if texts[i] = batch[i].text; is[i] && batch[i].run == nil {
				texts[i] = blockOf(batch[i].event, nil)
			}
		}
		ln.settle(batch[:n], epoch, is, texts, failed.block())
		clear(texts)
	}
}

func eventName(e *events.Event) string { return "event #" + strconv.FormatInt(e.Sequence, 10) }

// begin returns what is to be evaluated next; nil: nothing, and evaluate ends.
func (ln *line) begin(most int) (batch []candidate, epoch int) {
	ln.live.mu.Lock()
	defer ln.live.mu.Unlock()
	if len(ln.queue) == 0 {
		ln.evaluating, ln.evaluated = false, time.Now()
		if ln.blocked {
			ln.wakeAll()
		}
		return nil, 0
	}
	return ln.queue[:min(len(ln.queue), most)], ln.epoch
}

// settle takes over what was evaluated.
func (ln *line) settle(batch []candidate, epoch int, is []bool, texts [][]byte, note []byte) {
	ln.live.mu.Lock()
	defer ln.live.mu.Unlock()
	if epoch != ln.epoch { // it began anew, or has no readers any more
		return
	}
	woken := ln.blocked
	for i := range batch {
		c := &batch[i]
		ln.bytes -= c.size()
		ln.live.queued -= c.size()
		if c.run == nil {
			ln.through = c.event.Sequence
		}
		switch {
		case !is[i]:
			continue
		case c.run != nil:
			ln.runs.add(c.event.Sequence, texts[i])
		default:
			ln.events.add(c.event.Sequence, texts[i])
		}
		woken = true
	}
	switch {
	case note == nil:
	case ln.filter.Events:
		ln.events.add(ln.through, note)
		woken = true
	default:
		ln.runs.add(0, note)
		woken = true
	}
	if ln.queue = ln.queue[len(batch):]; len(ln.queue) == 0 {
		ln.queue = nil
	}
	if woken {
		ln.wakeAll()
	}
}

// restart drops everything: readers that have not got it read the journal.
func (ln *line) restart() {
	lost := slices.ContainsFunc(ln.queue, func(c candidate) bool { return c.run != nil })
	ln.events.clear()
	ln.dropQueue()
	if ln.events.first = ln.live.through; lost {
		ln.runs.skip()
	}
	ln.wakeAll()
}

func (ln *line) dropQueue() {
	ln.live.queued -= ln.bytes
	ln.queue, ln.bytes = nil, 0
	ln.epoch++
	ln.through = max(ln.through, ln.live.through)
}

// clear frees what a line without readers holds.
func (ln *line) clear() {
	ln.events.clear()
	ln.runs.clear()
	ln.dropQueue()
}

// wakeAll has all waiting readers woken, at live's pace.
func (ln *line) wakeAll() {
	l := ln.live
	ln.blocked = false
	if len(ln.waiting) == 0 {
		return
	}
	for _, r := range ln.waiting {
		r.waiting, r.ready = false, true
	}
	l.ready = append(l.ready, ln.waiting...)
	clear(ln.waiting)
	ln.waiting = ln.waiting[:0]
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// dismiss takes a reader out of those that wait.
func (ln *line) dismiss(r *reader) {
	r.waiting = false
	if i := slices.Index(ln.waiting, r); i >= 0 {
		ln.waiting = slices.Delete(ln.waiting, i, i+1)
	}
}

// track is the newest chunks of a line's events, or of its runs.
type track struct {
	line   *line
	chunks []*chunk
	// first says what the chunks have: all events after this sequence; of runs, those from this number on.
	first int64
	next  int64 // of runs: the number that the next one gets
}

// add adds a block of an event, or of a run on an event.
func (t *track) add(sequence int64, block []byte) {
	var c *chunk
	if n := len(t.chunks); n > 0 {
		c = t.chunks[n-1]
	}
	if c == nil || cap(c.text)-len(c.text) < len(block) {
		size := chunkBytes / 4
		if c != nil {
			size = min(2*cap(c.text), chunkBytes)
		}
		c = &chunk{text: make([]byte, 0, max(size, len(block))), first: t.next}
		t.chunks = append(t.chunks, c)
		l := t.line.live
		l.oldest = append(l.oldest, kept{t, c, c.size()})
		l.kept += c.size()
		defer l.trim()
	}
	c.add(sequence, block)
	if t.next > 0 {
		t.next++
	}
}

// beyond returns the first chunk with events after a sequence, its text after it, and the last event in it; nil: there is none.
func (t *track) beyond(after int64) (c *chunk, text []byte, last int64) {
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].last() > after })
	if i == len(t.chunks) {
		return nil, nil, after
	}
	text, last = t.chunks[i].beyond(after)
	return t.chunks[i], text, last
}

// upTo returns the text of runs from a number on, as long as their events are not after a sequence, and the number behind them. nil: there is none.
func (t *track) upTo(run, sequence int64) (c *chunk, text []byte, next int64) {
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].first > run }) - 1
	if i < 0 {
		return nil, nil, run
	}
	c = t.chunks[i]
	from := int(run - c.first)
	to := from
	for to < len(c.marks) && c.marks[to].sequence <= sequence {
		to++
	}
	if from == to {
		return nil, nil, run
	}
	begin := 0
	if from > 0 {
		begin = c.marks[from-1].end
	}
	return c, c.text[begin:c.marks[to-1].end], c.first + int64(to)
}

// skip notes that a run is missing.
func (t *track) skip() {
	t.clear()
	t.next++
	t.first = t.next
}

// drop forgets the oldest chunk.
func (t *track) drop(c *chunk) {
	t.chunks = slices.Delete(t.chunks, 0, 1)
	if t.next == 0 {
		t.first = c.last()
		return
	}
	t.first = c.first + int64(len(c.marks))
}

// clear forgets all chunks.
func (t *track) clear() {
	l := t.line.live
	if len(t.chunks) == 0 {
		return
	}
	l.oldest = slices.DeleteFunc(l.oldest, func(k kept) bool {
		if k.of == t {
			l.kept -= k.size
		}
		return k.of == t
	})
	t.chunks = nil
	t.first = max(t.first, t.next)
}
