package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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
	list, err := s.o.Runner.HandlerStatuses(r.Context())
	if err != nil {
		return err
	}
	return writeList(w, "handlers", list)
}

func (s *Server) getHandler(w http.ResponseWriter, r *http.Request) error {
	list, err := s.o.Runner.HandlerStatuses(r.Context())
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	i := slices.IndexFunc(list, func(h tasks.HandlerStatus) bool { return h.Name == name })
	if i < 0 {
		return noHandler(name)
	}
	return writeJSON(w, http.StatusOK, list[i])
}

func noHandler(name string) error {
	return problem(http.StatusNotFound, "there is no handler "+strconv.Quote(name))
}

// aboutHandler says which handler an error is about.
func aboutHandler(name string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noHandler(name)
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
	done, err := s.o.Runner.Resume(context.WithoutCancel(r.Context()), name, from == "now")
	if err != nil {
		return aboutHandler(name, err)
	}
	return writeJSON(w, http.StatusOK, Resumed{Name: name, Resumed: done.Done, Skipped: done})
}

func (s *Server) forgetHandler(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	done, err := s.o.Runner.Forget(context.WithoutCancel(r.Context()), name)
	if err != nil {
		return aboutHandler(name, err)
	}
	return writeJSON(w, http.StatusOK, Forgotten{Name: name, Forgotten: true, Skipped: done})
}

// Handlers lists the handlers that are wired, and those that have left.
func (c *Client) Handlers(ctx context.Context) ([]tasks.HandlerStatus, error) {
	var list struct{ Handlers []tasks.HandlerStatus }
	err := c.into(ctx, http.MethodGet, "/v1/handlers", &list)
	return list.Handlers, err
}

// ResumeHandler lets a paused handler go on; fromNow leaves out what waits.
func (c *Client) ResumeHandler(ctx context.Context, name string, fromNow bool) (done Resumed, err error) {
	path := "/v1/handlers/" + url.PathEscape(name) + "/resume"
	if fromNow {
		path += "?from=now"
	}
	err = c.into(ctx, http.MethodPost, path, &done)
	return done, err
}

// ForgetHandler deletes the mark of a handler that has left, and drops its runs.
func (c *Client) ForgetHandler(ctx context.Context, name string) (done Forgotten, err error) {
	err = c.into(ctx, http.MethodPost, "/v1/handlers/"+url.PathEscape(name)+"/forget", &done)
	return done, err
}

// into sends a request without a body, and decodes the answer.
func (c *Client) into(ctx context.Context, method, path string, answer any) error {
	res, err := c.do(ctx, method, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(answer)
}
