// Package stream sends the journal, and the changes of runs, as server-sent events to any number of readers at the same time, with bounded
// memory. The HTTP API calls it for GET /v1/stream, in the goroutine of the request.
//
// A stream first sends a "head", and repeats it when it has sent nothing for a while: its id is the stream's position, so a reader whose connection
// breaks resumes there, and nothing is read again that its filter leaves out. Then come an "event" for each accepted event that its [Filter] selects,
// with its seq as its id, and if asked for a "run" whenever a run changes. A reader that falls behind is served from the journal, so no event is
// missing. Runs can be missing: a "gap" says so. A condition that can't be evaluated for an event leaves it out: a "failed" says so.
//
// Streams with the same filter share all work and memory. At the end of the journal each distinct filter has a line (line.go), to which new events
// are passed on (live.go): one that the filter leaves out wakes nobody. Readers that have something to read are woken in turns (wake.go). Behind the
// line, streams share pages of the journal (pages.go). Conditions are evaluated one at a time, with bounded work (gate.go). When all that is being
// written would hold too much memory, the slowest reader is cut off: it can resume (writes.go).
//
// Goroutines: those of live, while there are streams at the end of the journal. [Streams.Wait] waits for them.
package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
)

// keepAlive is how long a stream sends nothing before it sends its head.
const keepAlive = 15 * time.Second

// errSlowest ends the stream with the slowest reader when memory is short.
var errSlowest = errors.New("its reader was the slowest when memory was short")

// Options are the parts of Streams.
type Options struct {
	Journal      store.Journal
	Bus          *events.Bus
	Commits      *events.Feed[store.Commit]
	Runs         func(context.Context, []store.Run) []any // what is sent of runs, in JSON
	WriteTimeout time.Duration                            // for one write; the reader can resume afterwards
}

// Streams are the streams of one journal.
type Streams struct {
	o      Options
	pages  *pages
	live   *live
	writes *writes

	gaps, cutOff atomic.Int64
}

// New makes Streams.
func New(o Options) *Streams {
	g := newGate()
	return &Streams{o: o, pages: newPages(o.Journal, g), live: newLive(&o, g), writes: newWrites()}
}

// Query says what a stream sends.
type Query struct {
	Filter Filter
	After  int64  // the first event is the next one after this seq
	Head   int64  // what the journal ended with when the stream was asked for
	Gap    string // if not empty, the reason why the stream can't begin where its reader wanted
}

// Serve answers with a stream until ctx ends or the reader is gone, and returns why. It sets its own deadlines: w must not set others.
func (s *Streams) Serve(ctx context.Context, w http.ResponseWriter, q Query) error {
	st := &stream{s: s, out: &sse{w: w, flush: http.NewResponseController(w), timeout: s.o.WriteTimeout}, filter: &q.Filter, key: q.Filter.key(),
		reader: newReader(), after: q.After, head: q.Head}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	err := st.out.head(q.After, retry)
	if err == nil && q.Gap != "" {
		err = st.gap(map[string]string{"reason": q.Gap, "after": strconv.FormatInt(q.After, 10)})
	}
	if err == nil {
		err = st.follow(ctx)
	}
	if errors.Is(err, errSlowest) || errors.Is(err, os.ErrDeadlineExceeded) {
		s.cutOff.Add(1)
	}
	if err != nil {
		return fmt.Errorf("after #%d: %w", st.after, err)
	}
	return nil
}

// Gaps is how often a stream told its reader that it has missed something.
func (s *Streams) Gaps() int64 { return s.gaps.Load() }

// CutOff is how many readers were cut off because they read too slowly.
func (s *Streams) CutOff() int64 { return s.cutOff.Load() }

// Wait waits for the goroutines, once all streams have ended.
func (s *Streams) Wait() { s.live.pump.Wait() }

// stream is the state of one stream.
type stream struct {
	s      *Streams
	out    *sse
	filter *Filter
	key    string // of filter
	reader *reader
	near   bool  // the end of the journal, or all that a line has not, was sent
	joined bool  // the reader is in a line
	after  int64 // everything up to here was sent
	head   int64 // what the journal ended with at the beginning
	late   int   // pages of the journal that were read in a row while the line went on
}

// mostLate is how many pages a stream reads until it leaves its line, which would work in vain. A stream of runs stays, since only lines have runs.
const mostLate = 4

// follow sends what there is, and waits for more.
func (st *stream) follow(ctx context.Context) error {
	defer func() { st.s.live.leave(st.reader) }()
	beat := time.NewTimer(keepAlive)
	defer beat.Stop()
	st.near = st.filter.Runs || st.after >= st.head // the journal need not be looked at
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait, err := st.advance(ctx)
		if err != nil {
			return err
		}
		if time.Since(st.out.wrote) >= keepAlive {
			if err := st.out.head(st.after, ""); err != nil {
				return err
			}
		}
		if !wait {
			continue
		}
		beat.Reset(keepAlive - time.Since(st.out.wrote))
		select {
		case <-st.reader.wake:
		case <-beat.C:
		case <-ctx.Done():
		}
	}
}

// advance sends what is next; wait: there is nothing now.
func (st *stream) advance(ctx context.Context) (wait bool, err error) {
	switch {
	case st.joined:
		return st.step(ctx)
	case st.near:
		st.joined, st.late = true, 0
		return false, st.s.live.join(st.reader, st.filter, st.key, st.head)
	default:
		st.near, err = st.history(ctx)
		return false, err
	}
}

// step sends what is next in the line, or in the journal if the line doesn't have it any more.
func (st *stream) step(ctx context.Context) (wait bool, err error) {
	p, now, status, err := st.s.live.next(st.reader, st.after)
	if err != nil {
		return false, err
	}
	st.after = now
	switch status {
	case idle:
		st.late = 0
		return true, nil
	case sends:
		st.late = 0
		began := time.Now()
		err := st.write(ctx, &p)
		st.reader.took = time.Since(began)
		return false, err
	case missed:
		return false, st.gap(map[string]string{"reason": "runs changed faster than they were read"})
	}
	if st.late++; st.late > mostLate && !st.filter.Runs {
		st.s.live.leave(st.reader)
		st.joined, st.near = false, false
	}
	_, err = st.history(ctx)
	return false, err
}

// history sends the next page of the journal. end: it had nothing more.
func (st *stream) history(ctx context.Context) (end bool, err error) {
	head := st.s.o.Bus.Head()
	page, err := st.s.pages.next(ctx, st.filter, pageKey{st.key, st.after})
	if err != nil {
		return false, err
	}
	if text, _ := page.chunk.beyond(st.after); len(text) > 0 {
		return page.end, st.write(ctx, &part{chunk: &page.chunk, size: page.chunk.size(), text: text, after: page.through})
	}
	if page.end && page.through <= st.after { // it was read just now
		st.after = max(st.after, head)
	}
	st.after = max(st.after, page.through)
	return page.end, nil
}

// write sends a part. If there is no room for another write it waits, and the caller comes again.
func (st *stream) write(ctx context.Context, p *part) error {
	if err := st.out.arm(); err != nil {
		return err
	}
	w := st.s.writes.begin(p.chunk, p.size, st.out.end)
	if w == nil {
		p.text, p.chunk = nil, nil // so that memory can be freed
		st.s.writes.room(ctx)
		return ctx.Err()
	}
	err := st.out.write(p.text)
	if slow := st.s.writes.done(w); slow != nil {
		return slow
	}
	switch {
	case err != nil:
		return err
	case p.runs:
		st.s.live.passed(st.reader, p.after)
	default:
		st.after = p.after
	}
	return nil
}

// gap reports that something is missing.
func (st *stream) gap(why map[string]string) error {
	st.s.gaps.Add(1)
	return st.out.send(jsonBlock("gap", why))
}
