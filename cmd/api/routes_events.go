package api

import (
	"net/http"
	"slices"

	"evrun/cmd/api/access"
	"evrun/cmd/api/cloudevents"
	"evrun/cmd/api/ingest"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/tasks/explain"
)

// The media types of events.
const (
	oneEvent   = cloudevents.Type
	manyEvents = cloudevents.BatchType
)

// joining are the headers of a request that publishes an event for a run.
var joining = []openapi.Header{
	{Name: RunTokenHeader, Doc: "EVRUN_RUN_TOKEN of a running attempt: the events join its chain."},
	{Name: RunLeftHeader, Doc: "true: the sender may outlive the attempt. Then the events begin chains of their own, and the answer has " + RunEndedHeader + "."},
}

// publishing are the headers of requests with events of a sender.
var publishing = slices.Concat(joining, []openapi.Header{
	{Name: ingest.IdempotencyKeyHeader, Doc: "The id of an event without one, so that sending it again does nothing. In a batch, and of a line, KEY-3 is that of the third."},
	{Name: "Content-Encoding", Doc: "gzip: the body is compressed."},
}, traced)

// traced are the headers of a trace context, as the W3C describes them.
var traced = []openapi.Header{
	{Name: "Traceparent", Doc: "The span that the event belongs to: it becomes the attribute traceparent of an event without one."},
	{Name: "Tracestate", Doc: "What tracing systems add to it."},
}

// followed is the answer to a request with ?wait=.
var followed = openapi.Content{Type: openapi.NDJSON, Of: openapi.Of[shape.FollowLine](), Lines: true, Doc: "With wait: the receipt, what the event causes, and the end."}

// accepted are the answers to one event.
var accepted = []openapi.Answer{
	{Status: http.StatusAccepted, Doc: "It is in the journal, on disk.", Contents: []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[Receipt]()}, followed}, Headers: ended},
	{Status: http.StatusOK, Doc: "Its source and id were known: nothing was accepted.", Contents: []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[Receipt]()}}, Headers: ended},
}

var ended = []openapi.Header{{Name: RunEndedHeader, Doc: "true: the attempt has ended, and the events belong to no run."}}

var eventRoutes = []Route{
	{
		Pattern: "POST /v1/events", Right: access.Emit, endpoint: counted(writes((*Server).postEvents)),
		Doc:     "Accepts events. They are on disk when the answer comes.",
		Headers: publishing,
		Bodies: []openapi.Content{
			{Type: oneEvent, Of: openapi.Of[openapi.NewEvent](), Doc: "An event."},
			{Type: manyEvents, Of: openapi.Of[[]openapi.NewEvent](), Doc: "A batch of events, 1,000 at most."},
			{Type: openapi.NDJSON, Of: openapi.Of[openapi.NewEvent](), Lines: true, Doc: "Events, one a line. Each line is answered while others are sent."},
			{Type: "*/*", Doc: "The data of an event whose attributes are in Ce- headers: Ce-Id, Ce-Source, Ce-Type, …"},
		},
		Answers: []openapi.Answer{
			{Status: http.StatusAccepted, Doc: "They are in the journal, on disk.", Headers: ended, Contents: []openapi.Content{
				{Type: openapi.JSON, Of: append(openapi.Of[Receipt](), openapi.Of[[]Receipt]()...), Doc: "A receipt; for a batch, a list of them."}, followed}},
			{Status: http.StatusOK, Doc: "All of them were known. For lines: each is answered, in the order in which they came.", Headers: ended, Contents: []openapi.Content{
				{Type: openapi.JSON, Of: append(openapi.Of[Receipt](), openapi.Of[[]Receipt]()...)},
				{Type: openapi.NDJSON, Of: append(openapi.Of[Receipt](), openapi.Of[Problem]()...), Lines: true, Doc: "For each line a receipt, or a problem with its line."}}},
		},
		Refuses: []int{http.StatusUnprocessableEntity},
	},
	{
		Pattern: "POST /v1/events/{type}", Right: access.Emit, endpoint: counted(writes((*Server).postData)),
		Doc: "Accepts one event whose data is the body: any JSON, as `curl --json` sends it. An empty body is an event without data.", Named: "The type of the event.",
		Headers: publishing,
		Bodies: []openapi.Content{
			{Type: openapi.JSON, Of: openapi.Of[any](), Doc: "The data."},
			{Type: "application/*", Doc: "The data, of a type that ends in +json: the event's datacontenttype."},
		},
		Optional: true,
		Answers:  accepted,
		Refuses:  []int{http.StatusUnprocessableEntity},
	},
	{
		Pattern: "GET /v1/events", Right: access.Read, endpoint: writes((*Server).listEvents),
		Doc: "A page of the journal. With `Accept: application/x-ndjson` an event a line, with `Accept: application/cloudevents-batch+json` a batch; the page's info is then in the header `" + PageHeader + "`.",
		Answers: []openapi.Answer{{Status: http.StatusOK, Headers: []openapi.Header{{Name: PageHeader, Doc: "Of NDJSON and of a batch: the page info, in JSON."}}, Contents: []openapi.Content{
			{Type: openapi.JSON, Of: openapi.Of[shape.EventList]()}, {Type: openapi.NDJSON, Of: openapi.Of[events.Event](), Lines: true}, {Type: manyEvents, Of: openapi.Of[[]events.Event]()}}}},
		Refuses: []int{http.StatusNotFound, http.StatusConflict},
	},
	{
		Pattern: "GET /v1/events/{id}", Right: access.Read, endpoint: writes((*Server).getEvent),
		Doc: "One event.", Named: namedEvent,
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: oneEvent, Of: openapi.Of[events.Event]()}}}},
		Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/events/{id}/explain", Right: access.Read, endpoint: returns((*Server).explainEvent),
		Doc: "What happened to an event at each handler, and why.", Named: namedEvent, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/events/{id}/chain", Right: access.Read, endpoint: returns((*Server).getChain),
		Doc: "The whole chain of an event, with all runs.", Named: namedEvent, Refuses: []int{http.StatusConflict},
	},
	{
		Pattern: "GET /v1/types", Right: access.Read, endpoint: returns((*Server).listTypes),
		Doc: "The types of events: those that the wiring file declares or names, and those of stored events.",
	},
	{
		Pattern: "GET /v1/types/{type}", Right: access.Read, endpoint: returns((*Server).getType),
		Doc: "One type, with the JSON Schema of its data.", Named: "The type.",
	},
	{
		Pattern: "GET /v1/stream", Right: access.Read, Daemon: true, follows: true, endpoint: writes((*Server).stream),
		Doc: "Server-sent events: the journal as it grows, and how runs change; see [streams](streams.md). Begins behind `Last-Event-ID`, at after, since or last, " +
			"else with the next event; a `head` block comes first, and its id is where the stream can be resumed. A `gap` block says that something is missing.",
		Headers: []openapi.Header{{Name: "Last-Event-ID", Doc: "The id of the last block that was read: the stream goes on after it."}},
		Answers: []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: "text/event-stream", Of: openapi.Of[shape.StreamItem](), Lines: true, Doc: "Blocks event, run, head, gap and failed, each with JSON."}}}},
		Refuses: []int{http.StatusNotFound, http.StatusTooManyRequests},
	},
	{
		Pattern: "POST /v1/explain", Right: access.Read, endpoint: writes((*Server).explain),
		Doc:     "What the wiring would do about an event. Nothing is accepted.",
		Bodies:  []openapi.Content{{Type: oneEvent, Of: openapi.Of[openapi.NewEvent](), Doc: "An event."}},
		Answers: []openapi.Answer{answer[explain.Report](http.StatusOK, "")},
	},
	{
		Pattern: "POST /v1/replay", Right: access.Operate, endpoint: takesAndWrites((*Server).replayEvents),
		Doc: "Runs events through one handler again.", Headers: joining,
		Answers: []openapi.Answer{answer[shape.ReplayedList](http.StatusOK, ""),
			{Status: http.StatusAccepted, Contents: []openapi.Content{followed}}},
		Refuses: []int{http.StatusNotFound, http.StatusConflict},
	},
}

const namedEvent = "The seq or the id of the event."
