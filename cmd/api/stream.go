package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/query"
	"evrun/cmd/api/stream"
	"evrun/store"
	"evrun/tasks/fault"
	"evrun/tasks/search"
)

// streamQuery says what a stream has, and where it begins.
type streamQuery struct {
	Types  []string `key:"type" doc:"A type or a pattern; several, or with commas." example:"order.*"`
	Source string   `key:"source" doc:"Events of this source."`
	Where  string   `key:"where" doc:"A condition. One that names run selects runs alone." example:"data.total > 100"`
	Chain  string   `key:"chain" doc:"The chain of this event, by its seq or id."`

	Runs    bool     `key:"runs" doc:"Changed runs, too."`
	Handler string   `key:"handler" doc:"Runs of this handler; no events, unless runs is true."`
	States  []string `key:"state" doc:"Runs that come into these states; no events, unless runs is true."`
	labeled

	After query.Seq  `key:"after" doc:"Begin after this seq."`
	Since query.Time `key:"since" doc:"Begin with the first event from this time on, in RFC 3339."`
	Last  bool       `key:"last" doc:"Begin with the last events of these types, as many as limit says."`
	Limit int        `key:"limit" min:"1" default:"100" doc:"With last: how many; more than 1,000 are 1,000."`
}

func (q streamQuery) selection() search.Selection {
	return search.Selection{Types: q.Types, Source: q.Source, Chain: q.Chain, Handler: q.Handler, States: q.States, Labels: q.Labels}
}

// stream sends server-sent events, see package stream: those that the parameters of a list select. It begins after the Last-Event-ID header, or by
// after, since or last, else with the next event. With runs=true it sends changed runs, too; handler, label and state select runs, and without runs=true
// these alone are sent. If the journal ends before the requested position, or events after it were pruned, a "gap" says so.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, asked streamQuery) error {
	release, err := s.following.take(r)
	if err != nil {
		return err
	}
	defer release()
	f, err := s.filter(r.Context(), asked)
	if err != nil {
		return err
	}
	after, head, gap, err := s.begin(r, asked, &f)
	if err != nil {
		return err
	}
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	limits.SendLittle(r.Context())
	w = limits.Untimed(w) // a stream sets its own deadlines, which may be shorter
	err = s.streams.Serve(ctx, w, stream.Query{Filter: f, After: after, Head: head, Gap: gap})
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a stream ended", "error", err)
	}
	return nil // the reader is gone, or the server closes: nobody reads an error
}

// filter reads what a stream sends.
func (s *Server) filter(ctx context.Context, asked streamQuery) (f stream.Filter, err error) {
	sel := asked.selection()
	if hint := s.labeled(&sel); slices.Contains(sel.Handlers, noHandlers) {
		return f, problem(http.StatusBadRequest, "label: "+cmp.Or(hint, "the wiring file has no handlers"))
	}
	q, err := sel.Runs(ctx, s.o.Store)
	if err != nil {
		return f, err
	}
	if slices.Contains(q.States, store.Waiting) {
		return f, problem(http.StatusBadRequest, "state: a run that waits has no record yet, and can't be followed; GET /v1/runs?state=waiting lists such runs")
	}
	f = stream.Filter{Types: q.Types, Source: q.Source, Chain: q.Chain, Handler: q.Handler, Handlers: q.Handlers, States: q.States}
	only := asked.Handler != "" || len(asked.Labels) > 0 || len(asked.States) > 0
	f.Events, f.Runs = !only || asked.Runs, only || asked.Runs
	if asked.Where == "" {
		return f, nil
	}
	return f, f.Condition(asked.Where)
}

// begin reads where a stream begins, and the end of the journal; gap is the reason if it can't begin at the requested position.
func (s *Server) begin(r *http.Request, asked streamQuery, f *stream.Filter) (after, head int64, gap string, err error) {
	if head, err = s.o.Store.Head(r.Context()); err != nil {
		return 0, 0, "", err
	}
	after = head
	switch id := r.Header.Get("Last-Event-ID"); {
	case id != "":
		if after, err = strconv.ParseInt(id, 10, 64); err != nil || after < 0 {
			return 0, 0, "", problem(http.StatusBadRequest, "Last-Event-ID: the seq of an event, not "+fault.Quote(id))
		}
		state, err := s.o.Store.Pruning(r.Context())
		if err != nil {
			return 0, 0, "", err
		}
		if after < state.Scanned && state.Total.Events > 0 {
			gap = fmt.Sprintf("events up to #%d have been pruned since: of those after #%d, only what could not go is left", state.Scanned, after)
		}
	case asked.Last: // the last events, then new ones
		last := store.EventQuery{Last: true, Limit: min(asked.Limit, maxPage), Patterns: f.Types, Source: f.Source, Chain: f.Chain}
		after, err = s.before(r.Context(), last, head)
	case !asked.Since.IsZero():
		after, err = s.before(r.Context(), store.EventQuery{Since: asked.Since.Time, Limit: 1}, head)
	case asked.After.Given:
		after = asked.After.Number
	}
	if err == nil && after > head {
		gap = fmt.Sprintf("the journal ends with #%d, before #%d: the store is another one, or an older state of it", head, after)
		after = head
	}
	return after, head, gap, err
}

// before returns the sequence just before the first event of a selection.
func (s *Server) before(ctx context.Context, q store.EventQuery, head int64) (int64, error) {
	page, err := s.o.Store.Events(ctx, q)
	if err != nil || len(page) == 0 {
		return head, err
	}
	return page[0].Sequence - 1, nil
}
