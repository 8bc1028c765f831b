package api

import (
	"net/http"
	"slices"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
)

const (
	namedSchedule = "The name of the schedule."
	namedHandler  = "The name of the handler."
)

var wiredRoutes = []Route{
	{
		Pattern: "GET /v1/schedules", Right: access.Read, endpoint: returns((*Server).listSchedules),
		Doc: "The schedules, with their next slots.",
	},
	{
		Pattern: "GET /v1/schedules/{name}", Right: access.Read, endpoint: returns((*Server).getSchedule),
		Doc: "One schedule.", Named: namedSchedule,
	},
	{
		Pattern: "POST /v1/schedules/{name}/fire", Right: access.Operate, endpoint: writes((*Server).fireSchedule),
		Doc: "Publishes an extra event of a schedule.", Named: namedSchedule, Headers: slices.Concat(joining, traced), Answers: accepted,
		Refuses: []int{http.StatusUnprocessableEntity},
	},
	{
		Pattern: "POST /v1/schedules/{name}/backfill", Right: access.Operate, endpoint: takes((*Server).backfillSchedule),
		Doc: "Publishes the slots between two times that were not published, a page of them.", Named: namedSchedule, Headers: joining,
	},
	{
		Pattern: "POST /v1/schedules/{name}/pause", Right: access.Operate, endpoint: returns((*Server).pauseSchedule),
		Doc: "Pauses a schedule, across restarts.", Named: namedSchedule, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/schedules/{name}/resume", Right: access.Operate, endpoint: returns((*Server).resumeSchedule),
		Doc: "Ends the pause of a schedule.", Named: namedSchedule, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/slots", Right: access.Read, endpoint: returns((*Server).listSlots),
		Doc: "The slots of all schedules, sorted by time: coming ones, and what became of past ones.", Refuses: []int{http.StatusNotFound},
	},
	{
		Pattern: "GET /v1/slots/days", Right: access.Read, endpoint: returns((*Server).slotDays),
		Doc: "How many slots schedules have on each day of a year, how many were missed or failed, which coincide with those of other schedules, and what changes of the clock do to them.", Refuses: []int{http.StatusNotFound},
	},
	{
		Pattern: "GET /v1/handlers", Right: access.Read, endpoint: returns((*Server).listHandlers),
		Doc: "The handlers, with what waits for them.",
	},
	{
		Pattern: "GET /v1/handlers/{name}", Right: access.Read, endpoint: returns((*Server).getHandler),
		Doc: "One handler.", Named: namedHandler,
	},
	{
		Pattern: "POST /v1/handlers/{name}/pause", Right: access.Operate, endpoint: returns((*Server).pauseHandler),
		Doc: "Lets running attempts of a handler end, and begins nothing until it is resumed, also after a restart.", Named: namedHandler, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/handlers/{name}/resume", Right: access.Operate, endpoint: returns((*Server).resumeHandler),
		Doc: "Lets a handler go on.", Named: namedHandler, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/handlers/{name}/forget", Right: access.Operate, endpoint: returns((*Server).forgetHandler),
		Doc: "Deletes the place of a handler that has left the wiring file, and its runs.", Named: namedHandler, Refuses: []int{http.StatusConflict},
	},
}

var daemonRoutes = []Route{
	{
		Pattern: "GET /v1/status", Right: access.Read, Daemon: true, endpoint: returns((*Server).status),
		Doc: "What is wrong first, then handlers, schedules, store and retention.",
	},
	{
		Pattern: "GET /v1/activity", Right: access.Read, Daemon: true, endpoint: returns((*Server).activity),
		Doc:     "What happened in the last minutes, or in the last day: accepted events, runs, attempts and how long they took, waiting events; for all handlers or for one. It is kept in memory: a restart empties it.",
		Refuses: []int{http.StatusNotFound},
	},
	{
		Pattern: "GET /v1/doctor", Right: access.Operate, Daemon: true, endpoint: returns((*Server).doctor),
		Doc: "What is wrong with the daemon's file, store, disk, clock, TCP port and handlers, or soon will be. `evrun doctor` looks at more: it reads the whole store, and asks the collector of spans.", Refuses: []int{http.StatusTooManyRequests},
	},
	{
		Pattern: "POST /v1/reload", Right: access.Operate, Daemon: true, endpoint: returns((*Server).reload),
		Doc: "Reads the wiring file again. A wrong file changes nothing: 422, with its faults.", Refuses: []int{http.StatusUnprocessableEntity},
	},
	{
		Pattern: "POST /v1/prune", Right: access.Admin, endpoint: returns((*Server).prune),
		Doc: "Deletes at once what the settings of retention do not keep.", Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/backup", Right: access.Admin, Daemon: true, Local: true, endpoint: takesAndWrites((*Server).backup),
		Doc:     "Copies the store to an empty file that the client has made. `evrun backup` asks this.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: openapi.NDJSON, Of: openapi.Of[BackupStep](), Lines: true}}}},
	},
	{
		Pattern: "GET /v1/openapi.json", Right: access.Read, endpoint: returns((*Server).describe),
		Doc:     "This description of the API, as OpenAPI 3.1.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[map[string]any]()}}}},
	},
	{
		Pattern: "GET /metrics", Right: access.Read, Daemon: true, endpoint: writes((*Server).metrics),
		Doc:     "All [metrics](metrics.md), for Prometheus.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: "text/plain"}}}},
	},
	{
		Pattern: "GET /healthz", Right: access.Open, endpoint: returns((*Server).healthy),
		Doc: "200 while the process answers.",
	},
	{
		Pattern: "GET /readyz", Right: access.Open, Daemon: true, endpoint: returns((*Server).readiness),
		Doc: "200 while events are accepted: the store's writer has answered within 2 seconds. Else 503.", Refuses: []int{http.StatusServiceUnavailable},
	},
}
