package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"evrun/store"
	"evrun/tasks"
)

// Resumed answers the resumption of a handler.
type Resumed struct {
	Name    string `json:"name"`
	Resumed bool   `json:"resumed"` // false: it was not paused
	tasks.Skipped
}

// Forgotten answers that a handler was forgotten.
type Forgotten struct {
	Name      string `json:"name"`
	Forgotten bool   `json:"forgotten"`
	tasks.Skipped
}

func (s *Server) listHandlers(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Handlers.HandlerStatuses(r.Context())
	if err != nil {
		return err
	}
	return writeList(w, "handlers", list)
}

func (s *Server) getHandler(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Handlers.HandlerStatuses(r.Context())
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	i := slices.IndexFunc(list, func(h tasks.HandlerStatus) bool { return h.Name == name })
	if i < 0 {
		return noHandler(name, list)
	}
	return writeJSON(w, http.StatusOK, list[i])
}

func noHandler(name string, known []tasks.HandlerStatus) error {
	names := make([]string, len(known))
	for i, h := range known {
		names[i] = h.Name
	}
	return unknown("handler", name, names)
}

// aboutHandler says which handler an error is about.
func (s *Server) aboutHandler(ctx context.Context, name string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		list, _ := s.o.Handlers.HandlerStatuses(ctx) // only for the hint
		return noHandler(name, list)
	case errors.Is(err, store.ErrActive):
		return problem(http.StatusConflict, "handler "+strconv.Quote(name)+" is in the wiring file: remove it from there first")
	case errors.Is(err, tasks.ErrLeaving), errors.Is(err, tasks.ErrHasLeft):
		return problem(http.StatusConflict, err.Error())
	}
	return err
}

// resumeHandler lets a paused handler go on; with ?from=now it leaves out what waits.
func (s *Server) resumeHandler(w http.ResponseWriter, r *http.Request) error {
	name, from := r.PathValue("name"), r.URL.Query().Get("from")
	if from != "" && from != "mark" && from != "now" {
		return problem(http.StatusBadRequest, "from: mark or now")
	}
	done, err := s.o.Handlers.Resume(context.WithoutCancel(r.Context()), name, from == "now")
	if err != nil {
		return s.aboutHandler(r.Context(), name, err)
	}
	return writeJSON(w, http.StatusOK, Resumed{Name: name, Resumed: done.Done, Skipped: done})
}

func (s *Server) forgetHandler(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	done, err := s.o.Handlers.Forget(context.WithoutCancel(r.Context()), name)
	if err != nil {
		return s.aboutHandler(r.Context(), name, err)
	}
	return writeJSON(w, http.StatusOK, Forgotten{Name: name, Forgotten: true, Skipped: done})
}

// Handlers lists the handlers that are wired, and those that have left.
func (c *Client) Handlers(ctx context.Context) ([]tasks.HandlerStatus, error) {
	list, err := request[struct{ Handlers []tasks.HandlerStatus }](ctx, c, http.MethodGet, "/v1/handlers", body{})
	return list.Handlers, err
}

// Handler gives one handler. A *[Problem] says that there is none (404).
func (c *Client) Handler(ctx context.Context, name string) (tasks.HandlerStatus, error) {
	return request[tasks.HandlerStatus](ctx, c, http.MethodGet, "/v1/handlers/"+segment(name), body{})
}

// ResumeHandler lets a paused handler go on; fromNow leaves out what waits.
func (c *Client) ResumeHandler(ctx context.Context, name string, fromNow bool) (Resumed, error) {
	path := "/v1/handlers/" + segment(name) + "/resume"
	if fromNow {
		path += "?from=now"
	}
	return request[Resumed](ctx, c, http.MethodPost, path, body{})
}

// ForgetHandler deletes the mark of a handler that has left, and drops its runs.
func (c *Client) ForgetHandler(ctx context.Context, name string) (Forgotten, error) {
	return request[Forgotten](ctx, c, http.MethodPost, "/v1/handlers/"+segment(name)+"/forget", body{})
}
