package api

import (
	"net/http"
	"slices"
	"time"

	"evrun/cmd/activity"
	"evrun/cmd/api/query"
	"evrun/tasks"
)

type activityQuery struct {
	Since    query.Time    `key:"since" doc:"From this time on, in RFC 3339; 15 minutes ago unless given. A day is kept."`
	Step     time.Duration `key:"step" min:"0s" doc:"The length of a step: 1s or more for the last 15 minutes, 1m or more for a day; of handlers 5s and 5m. The shortest unless given." example:"1m"`
	Handler  string        `key:"handler" doc:"Of this handler alone."`
	Handlers bool          `key:"handlers" doc:"Also what each handler did, up to 1,000 of them."`
}

func (s *Server) activity(r *http.Request, q activityQuery) (a Activity, err error) {
	if q.Handler != "" && !slices.ContainsFunc(s.o.Wired(), func(h *tasks.Handler) bool { return h.Name == q.Handler }) {
		known, err := s.o.Handlers.HandlerStatuses(r.Context()) // only for the hint
		if err != nil {
			return a, err
		}
		return a, noHandler(q.Handler, known)
	}
	a, err = s.o.Daemon.Activity(activity.Query{Since: q.Since.Time, Step: q.Step, Handler: q.Handler, Handlers: q.Handlers})
	if err != nil {
		return a, problem(http.StatusBadRequest, "step: "+err.Error())
	}
	return a, nil
}
