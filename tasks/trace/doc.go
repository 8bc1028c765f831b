// Package trace has the trace contexts of W3C Trace Context (traceparent and tracestate), as they travel through evrun.
//
// An event has its context in the CloudEvents extension attributes of the same names: who sent it. They come from the event itself, from the headers of
// the request that brought it, or from the environment of evrun emit. What a run emits inherits them, and the commands and requests of a run get them,
// as TRACEPARENT and TRACESTATE or as headers.
//
// A context is not worth an event: a value that is not valid is dropped, as W3C says, and the event is accepted without it. A tracestate that is too
// long loses members, the long ones first, then the last ones.
//
// With a [Tracer], events and attempts are spans of their own, and what a run hands on names its attempt as the parent. Their ids are digests of the
// store's id with the event's number, or with the run's id and the attempt: nothing is stored, and a restarted evrun, or a retry, names the same ids. An
// event without a context belongs to the trace of its chain, whose id is a digest, too. Without a Tracer (nil), evrun adds no spans, so what
// a run hands on is what the event has, unchanged.
//
// A replayed event begins a trace of its own, because a trace that ended long ago should not grow; its span links to that of the recorded one.
package trace
