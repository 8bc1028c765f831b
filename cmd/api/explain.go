package api

import (
	"context"
	"io"
	"net/http"

	"evrun/events"
	"evrun/tasks/explain"
)

// explain reports what the wiring would do about an event (in CloudEvents' structured mode). Nothing is accepted.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(maxLine(s.o.MaxData))))
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

// Explain asks what the wiring would do about an event.
func (c *Client) Explain(ctx context.Context, e *events.Event) (explain.Report, error) {
	send, err := eventBody(e)
	if err != nil {
		return explain.Report{}, err
	}
	return request[explain.Report](ctx, c, http.MethodPost, "/v1/explain", send)
}
