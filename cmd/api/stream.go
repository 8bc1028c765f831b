package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/query"
	"evrun/cmd/api/stream"
	"evrun/store"
	"evrun/tasks/emitter"
)

// streamQuery says what a stream has, and where it begins.
type streamQuery struct {
	Types []string   `key:"type" doc:"A type or a pattern of events; several." example:"user.*"`
	After query.Seq  `key:"after" doc:"Begin after this seq."`
	Since query.Time `key:"since" doc:"Begin with the first event from this time on, in RFC 3339."`
	Last  bool       `key:"last" doc:"Begin with the last events, as many as limit says."`
	Limit int        `key:"limit" min:"1" default:"100" doc:"With last: how many; more than 1,000 are 1,000."`
	Runs  bool       `key:"runs" doc:"Changed runs, too."`
}

// events is the query of a stream's events.
func (q streamQuery) events() (store.EventQuery, error) {
	out := store.EventQuery{After: q.After.Number, Since: q.Since.Time, Last: q.Last, Limit: min(q.Limit, maxPage)}
	for _, text := range q.Types {
		pattern, err := emitter.ParsePattern(text)
		if err != nil {
			return out, problem(http.StatusBadRequest, "type: "+err.Error())
		}
		out.Patterns = append(out.Patterns, pattern)
	}
	return out, nil
}

// stream sends server-sent events, see package stream. It begins after the Last-Event-ID header, or by `after`, `since` or `last`, else with
// the next event. With ?runs=1 it sends changed runs, too. If the journal ends before the requested position, or events after it were pruned, a "gap" says so.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, asked streamQuery) error {
	release, err := s.following.take()
	if err != nil {
		return err
	}
	defer release()
	q, err := asked.events()
	if err != nil {
		return err
	}
	after, gap, err := s.begin(r, asked, q)
	if err != nil {
		return err
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	w = limits.Untimed(w) // a stream sets its own deadlines, which may be shorter
	err = s.streams.Serve(ctx, w, stream.Query{Patterns: q.Patterns, After: after, Gap: gap, Runs: asked.Runs})
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a stream ended", "error", err)
	}
	return nil // the reader is gone, or the server closes: nobody reads an error
}

// begin reads where a stream begins; gap is the reason if it can't begin at the requested position.
func (s *Server) begin(r *http.Request, asked streamQuery, q store.EventQuery) (after int64, gap string, err error) {
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
		state, err := s.o.Store.Pruning(r.Context())
		if err != nil {
			return 0, "", err
		}
		if after < state.Scanned && state.Total.Events > 0 {
			gap = fmt.Sprintf("events up to #%d have been pruned since: of those after #%d, only what could not go is left", state.Scanned, after)
		}
	case q.Last: // the last events, then new ones
		after, err = s.before(r.Context(), q, head)
	case !q.Since.IsZero():
		after, err = s.before(r.Context(), store.EventQuery{Since: q.Since, Limit: 1}, head)
	case asked.After.Given:
		after = q.After
	}
	if err == nil && after > head {
		gap = fmt.Sprintf("the journal ends with #%d, before #%d: the store is another one, or an older state of it", head, after)
		after = head
	}
	return after, gap, err
}

// before returns the sequence just before the first event of a selection.
func (s *Server) before(ctx context.Context, q store.EventQuery, head int64) (int64, error) {
	page, err := s.o.Store.Events(ctx, q)
	if err != nil || len(page) == 0 {
		return head, err
	}
	return page[0].Sequence - 1, nil
}
