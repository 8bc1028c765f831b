package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"evrun/events"
	"evrun/store"
)

// keepAlive is how often an idle stream shows that it lives.
const keepAlive = 15 * time.Second

// errSlowest ends a stream whose reader was the slowest when memory was short.
var errSlowest = errors.New("the reader was the slowest of all")

// stream sends events as they are accepted, as server-sent events: "event" with its seq as its id, and with ?runs=1 also
// "run" whenever a run changes. It begins after the Last-Event-ID header, or as `after`, `since` and `last` say, else with
// what comes next. Its first block is "head": its id is where the stream is, so that a reader whose connection breaks before
// the first event can resume; it comes again while nothing happens. A reader that falls behind is served from the journal,
// so events never have a gap; runs can, and then "gap" says so, as it does where the journal ends before the place to begin.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) error {
	release, err := s.streams.take()
	if err != nil {
		return err
	}
	defer release()
	q, err := eventQuery(r)
	if err != nil {
		return err
	}
	after, gap, err := s.begin(r, q)
	if err != nil {
		return err
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	if timed, ok := w.(*timedWriter); ok {
		w = timed.ResponseWriter // a stream gives its writes their time itself, since it may be short
	}
	st := &stream{s: s, out: &sse{w: w, flush: http.NewResponseController(w)}, patterns: q.Patterns, after: after}
	for _, p := range q.Patterns {
		st.key += p.String() + " "
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	err = st.out.head(after)
	if err == nil && gap != "" {
		err = st.out.gap(map[string]string{"reason": gap, "after": strconv.FormatInt(after, 10)})
	}
	switch {
	case err != nil:
	case r.URL.Query().Get("runs") == "1":
		err = st.runsToo(ctx)
	default:
		err = st.events(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a stream ended", "after", st.after, "error", err)
	}
	return nil // the reader has gone, or the server closes: either way there is nobody to tell
}

// begin reads where a stream begins; gap is why it can't begin where it was asked to.
func (s *Server) begin(r *http.Request, q store.EventQuery) (after int64, gap string, err error) {
	head, err := s.o.Store.Head(r.Context())
	if err != nil {
		return 0, "", err
	}
	after = head
	switch id := r.Header.Get("Last-Event-ID"); {
	case id != "":
		if after, err = strconv.ParseInt(id, 10, 64); err != nil || after < 0 {
			return 0, "", problem(http.StatusBadRequest, "Last-Event-ID: the seq of an event, not "+strconv.Quote(id))
		}
	case q.Last: // the last few, then what follows
		after, err = s.before(r.Context(), q, head)
	case !q.Since.IsZero():
		after, err = s.before(r.Context(), store.EventQuery{Since: q.Since, Limit: 1}, head)
	case r.URL.Query().Get("after") != "":
		after = q.After
	}
	if err == nil && after > head {
		gap = fmt.Sprintf("the journal ends with #%d, before #%d: the store is another one, or an older state of it", head, after)
		after = head
	}
	return after, gap, err
}

// before is the sequence just before the first event of a selection.
func (s *Server) before(ctx context.Context, q store.EventQuery, head int64) (int64, error) {
	page, err := s.o.Store.Events(ctx, q)
	if err != nil || len(page) == 0 {
		return head, err
	}
	return page[0].Sequence - 1, nil
}

// stream is a stream under way.
type stream struct {
	s        *Server
	out      *sse
	patterns []events.Pattern
	key      string // for patterns
	after    int64  // all up to here was sent
}

// look gives the next page to be sent; nil: there is none now.
func (st *stream) look(ctx context.Context) (*streamPage, error) {
	head := st.s.o.Daemon.Bus.Head()
	page, err := st.s.pages.next(ctx, st.patterns, pageKey{st.key, st.after})
	if err == nil && page == nil {
		st.after = max(st.after, head) // what was committed before the look did not match
	}
	return page, err
}

// write sends a page. It returns false after waiting for room: then the caller reads the page again.
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

// next sends the next page, if there is one.
func (st *stream) next(ctx context.Context) (more bool, err error) {
	page, err := st.look(ctx)
	if err != nil || page == nil {
		return false, err
	}
	written, err := st.write(page)
	if err == nil && !written {
		st.s.pages.room(ctx) // the page is not used any more, so it is not held meanwhile
		err = ctx.Err()
	}
	return true, err
}

// events follows the journal. A subscription only wakes it, and holds one event at most, whatever its reader does.
func (st *stream) events(ctx context.Context) error {
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	var sub *events.Subscription[*events.Event]
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
		case sub == nil: // what is committed before the subscription is found by another look
			sub = st.s.o.Daemon.Bus.Subscribe(1, st.patterns...)
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

// runsToo follows the journal and the runs that change: an event comes before its runs.
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
		if len(st.patterns) > 0 && !slices.ContainsFunc(st.patterns, func(p events.Pattern) bool { return p.Match(b.typ) }) {
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
	w     http.ResponseWriter
	flush *http.ResponseController
	buf   []byte
}

// head says where the stream is. The block has data, since clients forget the id of one without.
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

// send writes what is in buf.
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
func (o *sse) arm() error { return o.flush.SetWriteDeadline(time.Now().Add(writeTimeout)) }

// end breaks a write off, from another goroutine.
func (o *sse) end() { _ = o.flush.SetWriteDeadline(time.Unix(1, 0)) }

func (o *sse) write(text []byte) error {
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.flush.Flush()
}
