package reference

import (
	"fmt"
	"slices"
	"strings"

	"evrun/cmd/api"
)

// routeDoc says what a route does. The shapes in body and answer are those of json.md.
type routeDoc struct {
	pattern, doc   string
	query          []string // each "name: what it does"
	body           string   // empty: none
	answer, status string   // 200 where status is empty
}

var (
	selecting = []string{
		"type: a type or a pattern; several, or with commas", "source: events of this source",
		"since: RFC 3339, inclusive", "until: RFC 3339, exclusive", "where: a condition, such as data.total > 100", "event: one event, by its seq or id", "chain: the chain of an event",
	}
	ofRuns    = []string{"handler: runs of this handler", "state: runs in these states", labeled}
	paging    = []string{"after: the next of the page before", "limit: 100 unless given, 1,000 at most", "order: newest (the default) or oldest"}
	labeled   = "label: KEY=VALUE or KEY: only what has this label, and of runs those whose handler has it; several must all match"
	following = "wait: 30s: the answer is NDJSON, and follows what the event causes; its last line is an [end](json.md#end)"
	receipt   = "a [receipt](json.md#receipt)"
	run       = "a [run](json.md#run)"
	reason    = "reason: in your words, for the audit trail"
)

// encoded is what holds for all bodies with events.
const encoded = "`Content-Encoding: gzip` is understood. The header `Idempotency-Key` is the id of an event without one; in a batch, and of a line, `KEY-3` is that of the third"

// routeDocs are all routes, by subject.
var routeDocs = []struct {
	title  string
	routes []routeDoc
}{
	{"Events", []routeDoc{
		{"POST /v1/events", "Accepts events. They are on disk when the answer comes.", []string{following, "matches: true: the receipt says whether a handler is wired to the event", "source, id, line: of NDJSON: the source and the beginning of the id of lines without them, and the number of the first line"},
			"A CloudEvent: `application/cloudevents+json`, a batch of 1,000 at most (`application/cloudevents-batch+json`), the attributes as `ce-` headers with the data as the body, or `application/x-ndjson`, an event a line. " + encoded,
			receipt + ", a list of them, or a line for each line: a receipt, or a [problem](json.md#problem) with its `line`", "202; 200 if all were known"},
		{"POST /v1/events/{type}", "Accepts one event whose data is the body: any JSON, as `curl --json` sends it. An empty body is an event without data.", []string{following, "matches: as above",
			"id, source, subject, time, dataschema, correlationid, causationid: the attributes of the event", "ext: NAME=VALUE: an extension attribute; several"},
			"the data, `application/json` or a type that ends in `+json`. " + encoded, receipt, "202; 200 if it was known"},
		{"GET /v1/events", "A page of the journal. With `Accept: application/x-ndjson` an event a line, with `Accept: application/cloudevents-batch+json` a batch; the page's info is then in the header `Evrun-Page`.", slices.Concat(selecting, paging), "", "`{\"events\": […]}` with a [page info](json.md#page-info)", ""},
		{"GET /v1/events/{id}", "One event, by its seq or its id.", []string{"exact: true: the name is an id, also if it looks like a seq", "source: the id of this source"}, "", "an [event](json.md#event)", ""},
		{"GET /v1/events/{id}/explain", "What happened to it at each handler, and why.", []string{"source: as above"}, "", "`{\"event\", \"matched\", \"handlers\"}`: see [accounts](json.md#accounts)", ""},
		{"GET /v1/events/{id}/chain", "Its whole chain, with all runs.", []string{"source, exact: as above"}, "", "a [chain](json.md#chain)", ""},
		{"GET /v1/stream", "Server-sent events: the journal as it grows. Begins behind `Last-Event-ID`, at after, since or last, else with the next event; a `head` block comes first, and its id is where the stream can be resumed. A `gap` block says that something is missing.",
			[]string{"type: patterns", "after: a seq", "since: RFC 3339", "last: 1, with limit: the last events first", "runs: 1: changed runs, too"}, "", "blocks `event`, `run`, `head` and `gap`, each with JSON", ""},
		{"POST /v1/explain", "What the wiring would do about an event. Nothing is accepted.", nil, "a CloudEvent, `application/cloudevents+json`", "a [report](json.md#report)", ""},
		{"POST /v1/replay", "Runs events through one handler again.", []string{following + "; for one event"}, "a [replay request](json.md#replay-request)", "`{\"replayed\": […]}` of [replayed](json.md#replayed)", ""},
	}},
	{"Runs", []routeDoc{
		{"GET /v1/runs", "A page of the runs, by their events.", slices.Concat(selecting, ofRuns, paging), "", "`{\"runs\": […]}` with a [page info](json.md#page-info)", ""},
		{"GET /v1/runs/{id}", "One run, by its id or a beginning of it; with a handler's name, its newest run.", nil, "", "[run details](json.md#run-details)", ""},
		{"GET /v1/runs/{id}/logs", "What its attempts printed, as NDJSON.", []string{"attempt: a number, or all; the last one unless given", "follow: 1: goes on until the run has ended"}, "", "[log lines](json.md#log-line)", ""},
		{"POST /v1/runs/{id}/retry", "Makes a dead, cancelled or retrying run due now.", nil, "", run, ""},
		{"POST /v1/runs/{id}/cancel", "Ends a running attempt, or a waiting run.", []string{reason, "wait: 30s: waits for the end of the attempt, 10m at most"}, "", run, ""},
		{"POST /v1/runs/{id}/drop", "Gives a run up: its event is not handled again.", nil, "", run, ""},
		{"POST /v1/runs/{id}/edit", "Drops a run, and sends its event again with changed data, to that handler alone.", []string{"dry_run: true: only checks, and shows the event"}, "`{\"data\": …}`, or `{\"set\": [{\"path\", \"value\"}, …]}`", "an [edited run](json.md#edited-run)", ""},
	}},
	{"Actions on a selection", []routeDoc{
		{"POST /v1/batches", "Retries, cancels, drops, edits, replays or erases what is selected, page by page. A client that leaves stops it between two pages.", nil, "a [batch request](json.md#batch-request)", "with `dry_run`, a [batch preview](json.md#batch-preview); else NDJSON: the [batch](json.md#batch), now and then, until it has ended", ""},
		{"GET /v1/batches", "The batches, newest first.", nil, "", "`{\"batches\": […]}`", ""},
		{"GET /v1/batches/{id}", "One batch.", nil, "", "a [batch](json.md#batch)", ""},
	}},
	{"Schedules and handlers", []routeDoc{
		{"GET /v1/schedules", "The schedules, with their next slots.", []string{"next: how many of the next slots", labeled}, "", "`{\"schedules\": […]}` of [schedule](json.md#schedule)", ""},
		{"GET /v1/schedules/{name}", "One schedule.", []string{"next: how many of the next slots; 5 unless given"}, "", "a [schedule](json.md#schedule)", ""},
		{"POST /v1/schedules/{name}/fire", "Publishes an extra event of it.", []string{following}, "", receipt, "202"},
		{"POST /v1/schedules/{name}/backfill", "Publishes the slots between two times that were not published, a page of them.", nil, "a [backfill](json.md#backfill)", "[backfilled](json.md#backfilled)", ""},
		{"POST /v1/schedules/{name}/pause", "Pauses it, across restarts.", nil, "", "[paused](json.md#paused)", ""},
		{"POST /v1/schedules/{name}/resume", "Ends the pause.", nil, "", "[paused](json.md#paused)", ""},
		{"GET /v1/handlers", "The handlers, with what waits for them.", []string{labeled}, "", "`{\"handlers\": […]}` of [handler status](json.md#handler-status)", ""},
		{"GET /v1/handlers/{name}", "One handler.", nil, "", "a [handler status](json.md#handler-status)", ""},
		{"POST /v1/handlers/{name}/pause", "Lets running attempts end, and begins nothing until it is resumed, also after a restart.", []string{reason}, "", "a [paused handler](json.md#paused-handler)", ""},
		{"POST /v1/handlers/{name}/resume", "Lets it go on.", []string{"from: mark (where it stopped, the default), or now: what waits is skipped"}, "", "[resumed](json.md#resumed)", ""},
		{"POST /v1/handlers/{name}/forget", "Deletes the place of a handler that has left the wiring file, and its runs.", nil, "", "[forgotten](json.md#forgotten)", ""},
	}},
	{"Users", []routeDoc{
		{"GET /v1/users", "A page of the users, in the order in which they came.", []string{"after: the next of the page before", "limit: 100 unless given, 1,000 at most"}, "", "`{\"users\": […]}` with a [page info](json.md#page-info)", ""},
		{"POST /v1/users", "Stores users.", []string{"on: ignore (keeps known addresses, the default) or update", "line: the number of the first line"}, "NDJSON, a user a line: `{\"name\", \"email\", \"attributes\"}`", "for each line an [imported user](json.md#imported-user), or a [problem](json.md#problem) with its `line`", ""},
		{"GET /v1/users/{key}", "One user, by the id or the e-mail address.", nil, "", "a [user](json.md#user)", ""},
	}},
	{"Tokens", []routeDoc{
		{"GET /v1/tokens", "The tokens: the owner's, those of the wiring file, and those that were made by command.", nil, "", "`{\"tokens\": […]}` of [token](json.md#token)", ""},
		{"POST /v1/tokens", "Makes a token.", nil, "a [token request](json.md#token-request)", "a [new token](json.md#new-token)", "201"},
		{"POST /v1/tokens/{name}/revoke", "Revokes a token that was made by command. The requests that it began end.", nil, "", "a [revoked token](json.md#revoked-token)", ""},
	}},
	{"The daemon", []routeDoc{
		{"GET /v1/status", "What is wrong first, then handlers, schedules, store and retention.", nil, "", "a [status](json.md#status)", ""},
		{"POST /v1/reload", "Reads the wiring file again. A wrong file changes nothing: 422, with its faults.", nil, "", "[reloaded](json.md#reloaded)", ""},
		{"POST /v1/prune", "Deletes at once what the settings of retention do not keep.", []string{"dry_run: true: only says what would go", "now: true: a store of an older version is not announced for a day first"}, "", "[pruned](json.md#pruned)", ""},
		{"POST /v1/backup", "Copies the store to an empty file that the client has made; `evrun backup` asks this.", nil, "a [backup request](json.md#backup-request)", "NDJSON: [backup steps](json.md#backup-step)", ""},
		{"GET /metrics", "All [metrics](metrics.md), for Prometheus.", nil, "", "text", ""},
		{"GET /healthz", "200 while the process answers.", nil, "", "`{\"status\": \"ok\"}`", ""},
		{"GET /readyz", "200 while events are accepted: the store's writer has answered within 2 seconds. Else 503.", nil, "", "`{\"status\": \"ready\"}`", ""},
	}},
}

// routes is the page of the HTTP API.
func routes(Sources) (string, error) {
	var p page
	p.heading(1, "HTTP API")
	p.line("The requests that a daemon answers on its unix socket, and that all commands use: publish events and read, follow and change what is stored, from any language.\n")
	p.code("sh", `curl --unix-socket evrun.sock http://evrun/v1/events/user.registered --json '{"name":"Ada","email":"ada@example.com"}'
curl --unix-socket evrun.sock http://evrun/v1/events -H 'Ce-Specversion: 1.0' -H 'Ce-Type: user.registered' -H 'Ce-Source: /shop' -H 'Ce-Id: 4711' \
  -H 'Content-Type: application/json' -d '{"name":"Ada","email":"ada@example.com"}'
curl --unix-socket evrun.sock 'http://evrun/v1/runs?state=dead&limit=10'
curl --unix-socket evrun.sock -N 'http://evrun/v1/stream?type=user.*'`)
	p.line("\nAnswers are JSON with the shapes of [json.md](json.md). An error is a [problem](json.md#problem) (RFC 9457): 400 for a wrong request, 404 for what does not exist, 409 where its state")
	p.line("forbids it, 413 for a body, or data, that is too large, 415 for a body that can't be read as what it is, 422 for data that breaks the schema of its type, 429 and 503 when there is too much at once or evrun is stopping, 507 for a full disk; the last three mean: try again.")
	p.line("Who may use the socket is in [operations.md](operations.md#file-permissions).")
	patterns := map[string]bool{}
	for _, r := range api.Routes {
		patterns[r.Pattern] = r.Daemon
	}
	for _, part := range routeDocs {
		p.heading(2, part.title)
		for i, r := range part.routes {
			if _, ok := patterns[r.pattern]; !ok {
				return "", fmt.Errorf("%s is described in cmd/reference, and is not in api.Routes", r.pattern)
			}
			delete(patterns, r.pattern)
			if i > 0 {
				p.line("")
			}
			p.route(r)
		}
	}
	for pattern := range patterns {
		return "", fmt.Errorf("%s is not described in cmd/reference", pattern)
	}
	return p.String(), nil
}

func (p *page) route(r routeDoc) {
	p.line("### %s\n", r.pattern)
	p.line("%s\n", r.doc)
	for _, q := range r.query {
		name, doc, _ := strings.Cut(q, ": ")
		p.line("- `?%s`: %s", strings.ReplaceAll(name, ", ", "`, `?"), doc)
	}
	if r.body != "" {
		p.line("- Body: %s", r.body)
	}
	status := ""
	if r.status != "" {
		status = " (" + r.status + ")"
	}
	p.line("- Answer: %s%s", r.answer, status)
}
