package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"evrun/cmd/api/shape"
	"evrun/store"
	"evrun/tasks/control"
)

func (s *Server) listHandlers(r *http.Request, q labeled) (list shape.HandlerList, err error) {
	statuses, err := s.o.Handlers.HandlerStatuses(r.Context())
	if err != nil {
		return list, err
	}
	list.Handlers, list.Hint = control.ByLabels(statuses, q.Labels)
	list.Handlers = listed(list.Handlers)
	return list, nil
}

func (s *Server) getHandler(r *http.Request, _ none) (status control.HandlerStatus, err error) {
	statuses, err := s.o.Handlers.HandlerStatuses(r.Context())
	if err != nil {
		return status, err
	}
	name := r.PathValue("name")
	i := slices.IndexFunc(statuses, func(h control.HandlerStatus) bool { return h.Name == name })
	if i < 0 {
		return status, noHandler(name, statuses)
	}
	return statuses[i], nil
}

func noHandler(name string, known []control.HandlerStatus) error {
	return unknown("handler", name, shape.Each(known, func(h control.HandlerStatus) string { return h.Name }))
}

// aboutHandler makes an error of one handler a problem; other errors stay as they are.
func (s *Server) aboutHandler(ctx context.Context, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		known, _ := s.o.Handlers.HandlerStatuses(ctx) // only for the hint
		if slices.ContainsFunc(known, func(h control.HandlerStatus) bool { return h.Name == name && h.State == control.StateNew }) {
			return problem(http.StatusConflict, "handler "+strconv.Quote(name)+" is in the wiring file, but no daemon has run it yet: nothing of it waits. "+
				`With "enabled: false" in the file, it waits from its start`)
		}
		return noHandler(name, known)
	case errors.Is(err, store.ErrActive):
		return problem(http.StatusConflict, "handler "+strconv.Quote(name)+" is in the wiring file: remove it from there first")
	case errors.Is(err, control.ErrLeaving), errors.Is(err, control.ErrHasLeft), errors.Is(err, control.ErrDisabled):
		return problem(http.StatusConflict, err.Error())
	}
	return err
}

type resumeQuery struct {
	From string `key:"from" enum:"mark,now" default:"mark" doc:"Where it goes on: at its mark, where it stopped, or now; what waits is then skipped."`
}

// resumeHandler lets a paused handler go on; with ?from=now it skips the events that wait for it.
func (s *Server) resumeHandler(r *http.Request, q resumeQuery) (Resumed, error) {
	name := r.PathValue("name")
	done, err := s.o.Handlers.Resume(context.WithoutCancel(r.Context()), name, q.From == "now")
	return Resumed{Name: name, Resumed: done.Done, Skipped: done}, s.aboutHandler(r.Context(), name, err)
}

func (s *Server) forgetHandler(r *http.Request, _ none) (Forgotten, error) {
	name := r.PathValue("name")
	done, err := s.o.Handlers.Forget(context.WithoutCancel(r.Context()), name)
	return Forgotten{Name: name, Forgotten: true, Skipped: done}, s.aboutHandler(r.Context(), name, err)
}
