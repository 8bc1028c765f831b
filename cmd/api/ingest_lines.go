package api

import (
	"context"
	"net/http"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/coding"
	"evrun/cmd/api/ingest"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/trace"
)

// ingestLines accepts NDJSON, an event a line. Each line is answered by one, in the same order: a receipt, or a problem with the
// number of the line. A line that is refused (4xx) does not stop the others. A failure of the daemon (5xx) is the last answer, and
// nothing from its line on was accepted. ?source= and ?id= are for lines without one (see [LineDefaults]), ?line= is the number
// of the body's first line. The header Idempotency-Key is what ?id= is, if that isn't given.
func (s *Server) ingestLines(w http.ResponseWriter, r *http.Request, q ingestQuery) error {
	if q.Wait > 0 || q.Matches {
		return problem(http.StatusBadRequest, "wait and matches are for one event, and not for lines")
	}
	d, err := lineDefaults(r, q)
	if err != nil {
		return err
	}
	plain, err := coding.Open(w, r)
	if err != nil {
		return err
	}
	defer plain.Close()
	plain.Bound(uselessLines + int64(ndjson.MaxLine(s.o.MaxData)))
	release, err := s.lines.take(r)
	if err != nil {
		return err
	}
	defer release()
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil { // answers are sent while lines are received
		return err
	}
	body := &limits.Lines{Body: plain, Control: out}
	stop := context.AfterFunc(s.closing, body.Interrupt) // a client that sends nothing must not delay a stop
	defer stop()
	w.Header().Set("Content-Type", ndjson.Type)
	w.Header().Set("Connection", "close") // after an interrupted read it can't be used for another request
	lines := ingest.Lines{Emitter: s.o.Emitter, MaxData: s.o.MaxData, Who: access.From(r.Context()), Defaults: d, Trace: trace.OfRequest(r.Header),
		Interrupt: body.Interrupt, Late: body.Late, Used: plain.Used, Refuse: func() error {
			if s.draining.Load() && r.Header.Get(RunTokenHeader) == "" {
				return errDraining
			}
			return nil
		}, Cause: func() (*events.Event, error) { return s.publishing(r) }}
	lines.Run(r.Context(), body, w, out.Flush)
	return nil
}

// uselessLines is how many bytes of blank lines, and of those that are too long, may come out of a compressed body.
const uselessLines = 16 << 20

func lineDefaults(r *http.Request, q ingestQuery) (LineDefaults, error) {
	d := LineDefaults{Source: q.Source, ID: q.ID, First: max(q.Line, 1)}
	if d.ID == "" {
		var err error
		if d.ID, err = ingest.IdempotencyKey(r.Header); err != nil {
			return d, err
		}
	}
	// A fault that every line would have is reported once.
	probe := events.Event{Type: "a", Time: time.Now()}
	d.Apply(&probe, d.First)
	if err := emitter.New(nil, 0).Check(&probe); err != nil {
		return d, problem(http.StatusBadRequest, err.Error())
	}
	return d, nil
}
