// Package otlp sends spans to a collector: one for each accepted event, one for each attempt, by OTLP/HTTP in JSON, as the environment variables of
// OpenTelemetry say.
//
//	s, faults := otlp.FromEnvironment(os.Getenv)
//	if s != nil {
//		x := otlp.New(*s, otlp.Options{StoreID: id, Log: log})
//		// store.Options.OnCommit calls x.Observe, the runner gets x.Tracer()
//		err = x.Run(ctx)
//	}
//
// Spans are made of commits: what was not committed has no span, and a duplicate has none of its own. The engine does no more than to copy
// some fields of each event and run into a queue, in [Exporter.Observe], which never waits. When the queue is full, spans are dropped and counted. All
// else, from the ids to the requests, happens in Run. What was not sent when evrun is killed is lost; its ids are not, so the spans that come later name
// the right parents.
//
// The span of an event begins and ends with the transaction that accepted it; that of an attempt begins with the attempt and ends when its result is
// recorded. A retry links to the attempt before it, a replayed event to the recorded one. Attributes follow OpenTelemetry's semantic conventions for
// messaging and for CloudEvents, where they have a word for it. Neither the data nor the subject of an event is sent. Errors are those that evrun
// stores: without the secrets that it knows.
//
// Why not OpenTelemetry's SDK: its exporter for HTTP sends protobuf only, so JSON would be ours anyhow; it adds 22 modules and 3.4 MB; and its spans are
// objects that begin and end in one process, with random ids, where evrun's are facts of a commit whose ids must be the same after a restart. What is
// left of it, a queue, batches and retries, is this package.
package otlp
