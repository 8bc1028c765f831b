package api

import (
	"net/http"

	"evrun/cmd/api/access"
)

// Route is a route of the API. The reference of HTTP describes each of [Routes].
type Route struct {
	Pattern string       // as [http.ServeMux] takes it
	Right   access.Right // what a token must have; without one, it is refused by TCP
	Daemon  bool         // only a running daemon can answer it
	Local   bool         // only for clients of the socket
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
	{"POST /v1/events", access.Emit, false, false, func(s *Server) route { return s.counted(s.postEvents) }},
	{"POST /v1/events/{type}", access.Emit, false, false, func(s *Server) route { return s.counted(s.postData) }},
	{"GET /v1/events", access.Read, false, false, does((*Server).listEvents)},
	{"GET /v1/events/{id}", access.Read, false, false, does((*Server).getEvent)},
	{"GET /v1/events/{id}/explain", access.Read, false, false, answers((*Server).explainEvent)},
	{"GET /v1/events/{id}/chain", access.Read, false, false, answers((*Server).getChain)},
	{"POST /v1/replay", access.Operate, false, false, does((*Server).replayEvents)},
	{"POST /v1/explain", access.Read, false, false, does((*Server).explain)},
	{"GET /v1/runs", access.Read, false, false, answers((*Server).listRuns)},
	{"GET /v1/runs/{id}", access.Read, false, false, answers((*Server).getRun)},
	{"GET /v1/runs/{id}/logs", access.Read, false, false, does((*Server).logs)},
	{"POST /v1/runs/{id}/retry", access.Operate, false, false, answers((*Server).retryRun)},
	{"POST /v1/runs/{id}/cancel", access.Operate, false, false, answers((*Server).cancelRun)},
	{"POST /v1/runs/{id}/edit", access.Operate, false, false, does((*Server).editRun)},
	{"POST /v1/runs/{id}/drop", access.Operate, false, false, answers((*Server).dropRun)},
	{"POST /v1/batches", access.Operate, false, false, does((*Server).postBatch)},
	{"GET /v1/batches", access.Read, false, false, answers((*Server).listBatches)},
	{"GET /v1/batches/{id}", access.Read, false, false, answers((*Server).getBatch)},
	{"GET /v1/schedules", access.Read, false, false, answers((*Server).listSchedules)},
	{"GET /v1/schedules/{name}", access.Read, false, false, answers((*Server).getSchedule)},
	{"POST /v1/schedules/{name}/fire", access.Operate, false, false, does((*Server).fireSchedule)},
	{"POST /v1/schedules/{name}/backfill", access.Operate, false, false, does((*Server).backfillSchedule)},
	{"POST /v1/schedules/{name}/pause", access.Operate, false, false, answers((*Server).pauseSchedule)},
	{"POST /v1/schedules/{name}/resume", access.Operate, false, false, answers((*Server).resumeSchedule)},
	{"GET /v1/handlers", access.Read, false, false, answers((*Server).listHandlers)},
	{"GET /v1/handlers/{name}", access.Read, false, false, answers((*Server).getHandler)},
	{"POST /v1/handlers/{name}/pause", access.Operate, false, false, answers((*Server).pauseHandler)},
	{"POST /v1/handlers/{name}/resume", access.Operate, false, false, answers((*Server).resumeHandler)},
	{"POST /v1/handlers/{name}/forget", access.Operate, false, false, answers((*Server).forgetHandler)},
	{"GET /v1/users", access.Read, false, false, answers((*Server).listUsers)},
	{"POST /v1/users", access.Operate, false, false, does((*Server).importUsers)},
	{"GET /v1/users/{key}", access.Read, false, false, answers((*Server).getUser)},
	{"GET /v1/tokens", access.Admin, false, false, answers((*Server).listTokens)},
	{"POST /v1/tokens", access.Admin, false, false, does((*Server).createToken)},
	{"POST /v1/tokens/{name}/revoke", access.Admin, false, false, answers((*Server).revokeToken)},
	{"POST /v1/prune", access.Admin, false, false, answers((*Server).prune)},
	{"GET /healthz", access.Open, false, false, answers((*Server).healthy)},
	{"GET /v1/stream", access.Read, true, false, does((*Server).stream)},
	{"GET /v1/status", access.Read, true, false, answers((*Server).status)},
	{"POST /v1/reload", access.Operate, true, false, answers((*Server).reload)},
	{"POST /v1/backup", access.Admin, true, true, does((*Server).backup)},
	{"GET /metrics", access.Read, true, false, does((*Server).metrics)},
	{"GET /readyz", access.Open, true, false, answers((*Server).readiness)},
}
