package api

import (
	"context"
	"errors"
	"net/http"

	"evrun/cmd/api/ingest"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/events"
	"evrun/store"
)

type importQuery struct {
	On   string `key:"on" enum:"ignore,update" default:"ignore" doc:"What happens to a user whose address exists: ignore keeps it, update replaces name and attributes."`
	Line int    `key:"line" min:"0" doc:"The number of the first line; 1 unless given."`
}

// importUsers stores users, one a line of NDJSON. Each line is answered by one, in the same order: an [ImportedUser], or a problem with the number of
// the line. A line that is refused does not stop the others; a failure of the store is the last answer, and nothing from its line on was stored.
// ?on=update replaces name and attributes where the e-mail address already exists, ?line= is the number of the first line. No events are published
// but that of the audit trail, at the end.
func (s *Server) importUsers(w http.ResponseWriter, r *http.Request, q importQuery) error {
	if err := sentAs(r, ndjson.Type); err != nil {
		return err
	}
	on := store.Ignore
	if q.On == "update" {
		on = store.Update
	}
	release, err := s.lines.take(r)
	if err != nil {
		return err
	}
	defer release()
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil { // answers are sent while lines are received
		return err
	}
	body := &limits.Lines{Body: r.Body, Control: out}
	stop := context.AfterFunc(s.closing, body.Interrupt)
	defer stop()
	w.Header().Set("Content-Type", ndjson.Type)
	w.Header().Set("Connection", "close")
	users := &ingest.Users{Store: s.o.Store, Emitter: s.o.Emitter, MaxData: s.o.MaxData, On: on, Refuse: s.refusing, Out: w, Flush: out.Flush}
	trail, err := users.Run(r.Context(), body, max(q.Line, 1))
	if trail != nil {
		s.o.Log.Warn("the import of users is not in the audit trail", "error", trail)
	}
	if err != nil {
		last := errDraining // the client is gone, or the server is closing
		var failed *Problem
		if errors.As(err, &failed) {
			last = failed
		}
		_ = events.WriteJSON(w, last)
	}
	return nil // the answer has been written
}

// refusing says why nothing is stored any more; nil: it is.
func (s *Server) refusing() error {
	if s.draining.Load() {
		return errDraining
	}
	return nil
}
