// Package stream sends the journal, and the changes of runs, as server-sent events to any number of readers at the same time, with bounded
// memory. The HTTP API calls it for GET /v1/stream, in the goroutine of the request.
//
// A stream first sends a "head", and repeats it while it is idle: its id is the stream's position, so a reader whose connection breaks
// before the first event can resume. Then come an "event" for each accepted event, with its seq as its id, and if asked for a "run"
// whenever a run changes. A reader that falls behind is served from the journal, so no event is missing. Runs can be missing: a "gap"
// says so. Streams that need the same events share pages of the journal (pages.go), which are read and encoded once. When all that is being
// written would hold too much memory, the slowest reader is cut off: it can resume.
//
// Goroutines: one, runFeed.read, while a stream wants runs; it ends with the last of them. [Streams.Wait] waits for it.
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

// keepAlive is how often an idle stream sends its head.
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
	o     Options
	pages *pages
	runs  *runFeed

	gaps, cutOff atomic.Int64
}

// New makes Streams.
func New(o Options) *Streams {
	return &Streams{o: o, pages: newPages(o.Journal), runs: newRunFeed(o.Commits, o.Runs)}
}

// Query says what a stream sends.
type Query struct {
	Patterns []events.Pattern // of the events, and of the events of runs; none: all
	After    int64            // the first event is the next one after this seq
	Gap      string           // if not empty, the reason why the stream can't begin where its reader wanted
	Runs     bool             // send changed runs, too
}

// Serve answers with a stream until ctx ends or the reader is gone, and returns why. It sets its own deadlines: w must not set others.
func (s *Streams) Serve(ctx context.Context, w http.ResponseWriter, q Query) error {
	st := &stream{s: s, out: &sse{w: w, flush: http.NewResponseController(w), timeout: s.o.WriteTimeout}, patterns: q.Patterns, after: q.After}
	for _, p := range q.Patterns {
		st.key += p.String() + " "
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	err := st.out.head(q.After)
	if err == nil && q.Gap != "" {
		s.gaps.Add(1)
		err = st.out.gap(map[string]string{"reason": q.Gap, "after": strconv.FormatInt(q.After, 10)})
	}
	switch {
	case err != nil:
	case q.Runs:
		err = st.runsToo(ctx)
	default:
		err = st.events(ctx)
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

// Wait waits for the goroutine, once all streams have ended.
func (s *Streams) Wait() { s.runs.pump.Wait() }

// stream is the state of one stream.
type stream struct {
	s        *Streams
	out      *sse
	patterns []events.Pattern
	key      string // for patterns
	after    int64  // everything up to here was sent
}

// look returns the next page to send; nil: there is none now.
func (st *stream) look(ctx context.Context) (*streamPage, error) {
	head := st.s.o.Bus.Head()
	page, err := st.s.pages.next(ctx, st.patterns, pageKey{st.key, st.after})
	if err == nil && page == nil {
		st.after = max(st.after, head) // all events up to head were looked at, and none matched
	}
	return page, err
}

// write sends a page. It returns false if there is no room for another write: the caller then waits, and reads the page again.
func (st *stream) write(page *streamPage) (bool, error) {
	if err := st.out.arm(); err != nil {
		return false, err
	}
	w := st.s.pages.begin(page, st.out.end)
	if w == nil {
		return false, nil
	}
	err := st.out.write(page.beyond(st.after))
	if slow := st.s.pages.done(w); slow != nil {
		return false, slow
	}
	if err == nil {
		st.after = page.last()
	}
	return true, err
}

// next sends the next page, if there is one. After waiting for room, more is true too.
func (st *stream) next(ctx context.Context) (more bool, err error) {
	page, err := st.look(ctx)
	if err != nil || page == nil {
		return false, err
	}
	written, err := st.write(page)
	if err == nil && !written {
		st.s.pages.room(ctx) // the page is not in use here, so memory can be freed
		err = ctx.Err()
	}
	return true, err
}

// events follows the journal. The subscription only wakes it, and holds at most one event (of 64 KiB), however slow the reader is.
func (st *stream) events(ctx context.Context) error {
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	var sub *events.Subscription[[]*events.Event]
	unsubscribe := func() {
		if sub != nil {
			sub.Unsubscribe()
			sub = nil
		}
	}
	defer unsubscribe()
	for {
		more, err := st.next(ctx)
		switch {
		case err != nil:
			return err
		case more:
			unsubscribe()
			continue
		case sub == nil: // events that were committed before the subscription are found by another look
			sub = st.s.o.Bus.Subscribe(1, st.patterns...)
			continue
		}
		select {
		case _, ok := <-sub.C():
			if !ok && !errors.Is(sub.Err(), events.ErrLagged) {
				return sub.Err()
			}
			unsubscribe()
		case <-beat.C:
			if err := st.out.head(st.after); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runsToo follows the journal and the changed runs. An event is sent before its runs.
func (st *stream) runsToo(ctx context.Context) error {
	runs := st.s.runs.subscribe()
	defer runs.unsubscribe()
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		blocks, lost, closed := runs.take()
		for more := true; more; {
			var err error
			if more, err = st.next(ctx); err != nil {
				return err
			}
		}
		if lost {
			st.s.gaps.Add(1)
			if err := st.out.gap(map[string]string{"reason": "runs changed faster than they were read"}); err != nil {
				return err
			}
		}
		if err := st.writeRuns(blocks); err != nil {
			return err
		}
		if closed {
			return events.ErrBusClosed
		}
		select {
		case <-runs.wake:
		case <-beat.C:
			if err := st.out.head(st.after); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (st *stream) writeRuns(blocks []runBlock) error {
	const chunk = 32 << 10
	st.out.buf = st.out.buf[:0]
	for _, b := range blocks {
		if !events.Selects(st.patterns, b.typ) {
			continue
		}
		if st.out.buf = append(st.out.buf, b.text...); len(st.out.buf) >= chunk {
			if err := st.out.send(); err != nil {
				return err
			}
		}
	}
	return st.out.send()
}

// sse writes server-sent events.
type sse struct {
	w       http.ResponseWriter
	flush   *http.ResponseController
	timeout time.Duration // of one write
	buf     []byte
}

// head sends the stream's position. The block has data, since clients ignore the id of a block without.
func (o *sse) head(after int64) error {
	o.buf = fmt.Appendf(o.buf[:0], "id: %d\nevent: head\ndata: {\"seq\":\"%[1]d\"}\n\n", after)
	return o.send()
}

func (o *sse) gap(why map[string]string) error {
	text, err := events.MarshalJSON(why)
	if err != nil {
		return err
	}
	o.buf = append(append(append(o.buf[:0], "event: gap\ndata: "...), text...), "\n\n"...)
	return o.send()
}

// send writes the buffer.
func (o *sse) send() error {
	if len(o.buf) == 0 {
		return nil
	}
	if err := o.arm(); err != nil {
		return err
	}
	err := o.write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// arm sets the deadline of the next write.
func (o *sse) arm() error { return o.flush.SetWriteDeadline(time.Now().Add(o.timeout)) }

// end cuts a write off, from another goroutine.
func (o *sse) end() { _ = o.flush.SetWriteDeadline(time.Unix(1, 0)) }

func (o *sse) write(text []byte) error {
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.flush.Flush()
}
