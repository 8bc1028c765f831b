package api

import (
	"io"
	"net/http"

	"evrun/cmd/api/ndjson"
	"evrun/events"
)

// explain reports what the wiring would do about an event (in CloudEvents' structured mode). Nothing is accepted.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, _ none) error {
	if err := sentAs(r, oneEvent); err != nil {
		return err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(ndjson.MaxLine(s.o.MaxData))))
	if err != nil {
		return err
	}
	e := new(events.Event)
	if err := e.UnmarshalJSON(text); err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	if err := s.o.Emitter.Stamp(e); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.o.Explain(e))
}
