package api

import (
	"net/http"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
)

var wiringRoutes = []Route{
	{
		Pattern: "GET /v1/wiring", Right: access.Read, Daemon: true, endpoint: returns((*Server).getWiring),
		Doc: "The wiring as a graph: schedules, hooks, types and handlers, and how events flow between them.",
	},
	{
		Pattern: "GET /v1/wiring/files", Right: access.Admin, Daemon: true, endpoint: returns((*Server).wiringFiles),
		Doc: "The files of the wiring, with what `validate` finds in them. REDACTED stands for secrets that evrun knows.",
	},
	{
		Pattern: "POST /v1/wiring/what-if", Right: access.Admin, Daemon: true, endpoint: writes((*Server).whatIf),
		Doc: "What other files would do with recorded events, compared with those that run. Nothing is changed. " +
			"A file that is not sent is taken from the running wiring. No other file of this machine is read, and neither are the values of env() and file().",
		Bodies:  []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[shape.WhatIfRequest]()}},
		Answers: []openapi.Answer{answer[shape.WhatIf](http.StatusOK, "")},
		Refuses: []int{http.StatusNotFound, http.StatusConflict},
	},
}
