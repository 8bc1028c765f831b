package api

import (
	"net/http"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
)

const namedRun = "The id of the run, or a beginning of it that no other run has."

var runRoutes = []Route{
	{
		Pattern: "GET /v1/runs", Right: access.Read, endpoint: returns((*Server).listRuns),
		Doc: "A page of the runs, by their events.", Refuses: []int{http.StatusNotFound, http.StatusConflict},
	},
	{
		Pattern: "GET /v1/runs/summary", Right: access.Read, endpoint: writes((*Server).summary),
		Doc: "How many runs are selected: in all, and by state, handler, type and error. Errors that differ only in numbers, ids and quoted parts are counted as one. The counts " +
			"come as NDJSON while they grow, the newest events first; the last line has done.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: openapi.NDJSON, Of: openapi.Of[shape.RunSummary](), Lines: true}}}},
		Refuses: []int{http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests},
	},
	{
		Pattern: "GET /v1/runs/{id}", Right: access.Read, endpoint: returns((*Server).getRun),
		Doc: "One run, with its attempts.", Named: namedRun + " Or the name of a handler: its newest run.", Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/runs/{id}/logs", Right: access.Read, endpoint: writes((*Server).logs),
		Doc: "What the attempts of a run printed, as NDJSON.", Named: namedRun + " Or the name of a handler: its newest run.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: openapi.NDJSON, Of: openapi.Of[LogLine](), Lines: true}}}},
		Refuses: []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusNotImplemented},
	},
	{
		Pattern: "POST /v1/runs/{id}/retry", Right: access.Operate, endpoint: returns((*Server).retryRun),
		Doc: "Makes a dead, cancelled or retrying run due now.", Named: namedRun, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/runs/{id}/cancel", Right: access.Operate, endpoint: returns((*Server).cancelRun),
		Doc: "Ends a running attempt, or a waiting run.", Named: namedRun, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/runs/{id}/drop", Right: access.Operate, endpoint: returns((*Server).dropRun),
		Doc: "Gives a run up: its event is not handled again.", Named: namedRun, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "POST /v1/runs/{id}/edit", Right: access.Operate, endpoint: takes((*Server).editRun),
		Doc: "Drops a run, and sends its event again with changed data, to that handler alone.", Named: namedRun, Headers: joining,
		Refuses: []int{http.StatusConflict, http.StatusUnprocessableEntity},
	},
}

const namedBatch = "The id of the batch."

var batchRoutes = []Route{
	{
		Pattern: "POST /v1/batches", Right: access.Operate, endpoint: takesAndWrites((*Server).postBatch),
		Doc: "Retries, cancels, drops, edits, replays, reruns or erases what is selected, page by page. It stops between two pages when the client leaves, unless detach is set.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{
			{Type: openapi.JSON, Of: openapi.Of[BatchPreview](), Doc: "With dry_run: what would be done."},
			{Type: openapi.NDJSON, Of: openapi.Of[Batch](), Lines: true, Doc: "The batch, now and then, until it has ended."},
		}}},
		Refuses: []int{http.StatusNotFound, http.StatusConflict},
	},
	{
		Pattern: "GET /v1/batches", Right: access.Read, endpoint: returns((*Server).listBatches),
		Doc: "The batches, newest first.",
	},
	{
		Pattern: "GET /v1/batches/{id}", Right: access.Read, endpoint: returns((*Server).getBatch),
		Doc: "One batch.", Named: namedBatch,
	},
	{
		Pattern: "POST /v1/batches/{id}/stop", Right: access.Operate, endpoint: returns((*Server).stopBatch),
		Doc: "Stops a running batch after its present page. It can be continued.", Named: namedBatch,
	},
}

var userRoutes = []Route{
	{
		Pattern: "GET /v1/users", Right: access.Read, endpoint: returns((*Server).listUsers),
		Doc: "A page of the users, in the order in which they came.",
	},
	{
		Pattern: "POST /v1/users", Right: access.Operate, endpoint: writes((*Server).importUsers),
		Doc:    "Stores users.",
		Bodies: []openapi.Content{{Type: openapi.NDJSON, Of: openapi.Of[shape.NewUser](), Lines: true, Doc: "Users, one a line."}},
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{
			{Type: openapi.NDJSON, Of: append(openapi.Of[ImportedUser](), openapi.Of[Problem]()...), Lines: true, Doc: "For each line an imported user, or a problem with its line."}}}},
	},
	{
		Pattern: "GET /v1/users/export", Right: access.Read, endpoint: writes((*Server).exportUsers),
		Doc: "All users as a file, as `evrun users export` writes it.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{
			{Type: "text/csv", Doc: "A user a line, under a header."}, {Type: openapi.NDJSON, Of: openapi.Of[User](), Lines: true}}}},
	},
	{
		Pattern: "GET /v1/users/{key}", Right: access.Read, endpoint: returns((*Server).getUser),
		Doc: "One user.", Named: "The id or the e-mail address of the user.",
	},
}
