package api

import "net/http"

// Route is a route of the API. The reference of HTTP describes each of [Routes].
type Route struct {
	Pattern string // as [http.ServeMux] takes it
	Daemon  bool   // only a running daemon can answer it
	of      func(*Server) route
}

// does is a route that writes its own answer.
func does(method func(*Server, http.ResponseWriter, *http.Request) error) func(*Server) route {
	return func(s *Server) route {
		return func(w http.ResponseWriter, r *http.Request) error { return method(s, w, r) }
	}
}

// answers is a route whose answer is a value in JSON.
func answers(method func(*Server, *http.Request) (any, error)) func(*Server) route {
	return func(s *Server) route {
		return inJSON(func(r *http.Request) (any, error) { return method(s, r) })
	}
}

// Routes are all routes.
var Routes = []Route{
	{"POST /v1/events", false, func(s *Server) route { return s.counted(s.postEvents) }},
	{"GET /v1/events", false, does((*Server).listEvents)},
	{"GET /v1/events/{id}", false, does((*Server).getEvent)},
	{"GET /v1/events/{id}/explain", false, answers((*Server).explainEvent)},
	{"GET /v1/events/{id}/chain", false, answers((*Server).getChain)},
	{"POST /v1/replay", false, does((*Server).replayEvents)},
	{"POST /v1/explain", false, does((*Server).explain)},
	{"GET /v1/runs", false, answers((*Server).listRuns)},
	{"GET /v1/runs/{id}", false, answers((*Server).getRun)},
	{"GET /v1/runs/{id}/logs", false, does((*Server).logs)},
	{"POST /v1/runs/{id}/retry", false, answers((*Server).retryRun)},
	{"POST /v1/runs/{id}/cancel", false, answers((*Server).cancelRun)},
	{"POST /v1/runs/{id}/edit", false, does((*Server).editRun)},
	{"POST /v1/runs/{id}/drop", false, answers((*Server).dropRun)},
	{"POST /v1/batches", false, does((*Server).postBatch)},
	{"GET /v1/batches", false, answers((*Server).listBatches)},
	{"GET /v1/batches/{id}", false, answers((*Server).getBatch)},
	{"GET /v1/schedules", false, answers((*Server).listSchedules)},
	{"GET /v1/schedules/{name}", false, answers((*Server).getSchedule)},
	{"POST /v1/schedules/{name}/fire", false, does((*Server).fireSchedule)},
	{"POST /v1/schedules/{name}/backfill", false, does((*Server).backfillSchedule)},
	{"POST /v1/schedules/{name}/pause", false, answers((*Server).pauseSchedule)},
	{"POST /v1/schedules/{name}/resume", false, answers((*Server).resumeSchedule)},
	{"GET /v1/handlers", false, answers((*Server).listHandlers)},
	{"GET /v1/handlers/{name}", false, answers((*Server).getHandler)},
	{"POST /v1/handlers/{name}/pause", false, answers((*Server).pauseHandler)},
	{"POST /v1/handlers/{name}/resume", false, answers((*Server).resumeHandler)},
	{"POST /v1/handlers/{name}/forget", false, answers((*Server).forgetHandler)},
	{"GET /v1/users", false, answers((*Server).listUsers)},
	{"POST /v1/users", false, does((*Server).importUsers)},
	{"GET /v1/users/{key}", false, answers((*Server).getUser)},
	{"POST /v1/prune", false, answers((*Server).prune)},
	{"GET /healthz", false, answers((*Server).healthy)},
	{"GET /v1/stream", true, does((*Server).stream)},
	{"GET /v1/status", true, answers((*Server).status)},
	{"POST /v1/reload", true, answers((*Server).reload)},
	{"POST /v1/backup", true, does((*Server).backup)},
	{"GET /metrics", true, does((*Server).metrics)},
	{"GET /readyz", true, answers((*Server).readiness)},
}
