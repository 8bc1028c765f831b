package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/tasks/search"
)

// The bounds of a what-if.
const (
	whatIfBody   = 4 << 20 // bytes of the files
	whatIfAtOnce = 2
	mostCompared = 10_000 // events
)

func (s *Server) getWiring(*http.Request, none) (shape.Wiring, error) {
	return s.o.Daemon.Wiring.Graph(), nil
}

type filesQuery struct {
	Of string `key:"of" enum:"running,disk" default:"running" doc:"Those that run, or as they are on disk now."`
}

func (s *Server) wiringFiles(r *http.Request, q filesQuery) (shape.WiringFiles, error) {
	return s.o.Daemon.Wiring.Files(r.Context(), q.Of == "disk")
}

// whatIfQuery selects the events that are compared.
type whatIfQuery struct {
	selecting
	Limit int `key:"limit" min:"1" default:"1000" doc:"How many of the newest events are compared; more than 10,000 are 10,000. After 10 seconds no further one is."`
}

// whatIf compares the files of the body with those that run.
func (s *Server) whatIf(w http.ResponseWriter, r *http.Request, q whatIfQuery) error {
	if err := sentAs(r, openapi.JSON); err != nil {
		return err
	}
	release, err := s.whatIfs.take(r)
	if err != nil {
		return err
	}
	defer release()
	var sent shape.WhatIfRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, whatIfBody))
	d.DisallowUnknownFields()
	var tooLarge *http.MaxBytesError
	switch err := d.Decode(&sent); {
	case errors.As(err, &tooLarge):
		return err
	case err != nil:
		return problem(http.StatusBadRequest, "the body must be a JSON object of this request: "+err.Error())
	case d.More():
		return problem(http.StatusBadRequest, "the body must be one JSON object")
	case len(sent.Files) == 0:
		return problem(http.StatusBadRequest, `"files" must have a file, with its path and its text`)
	}
	sel := q.selection()
	selected, err := sel.Events(r.Context(), s.o.Store)
	if err != nil {
		return err
	}
	result, err := s.o.Daemon.Wiring.WhatIf(r.Context(), sent.Files, func(ctx context.Context, each func(*events.Event) error) (bool, error) {
		return s.newest(ctx, selected, min(q.Limit, mostCompared), each)
	})
	if err != nil {
		return fmt.Errorf("what if: %w", err)
	}
	return writeJSON(w, http.StatusOK, result)
}

// newest calls each with so many of the newest events of a query. more says whether there are further ones.
func (s *Server) newest(ctx context.Context, q search.Query, left int, each func(*events.Event) error) (more bool, err error) {
	for {
		q.Limit = min(left, maxPage)
		page, err := search.Events(ctx, s.o.Store, q)
		if err != nil {
			return false, err
		}
		for _, e := range page.Items {
			if err := each(e); err != nil {
				return true, err
			}
		}
		left -= len(page.Items)
		if q.After = page.Next; q.After == "" || left <= 0 {
			return q.After != "", nil
		}
		if err := ctx.Err(); err != nil {
			return true, err
		}
	}
}
