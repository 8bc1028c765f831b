package store

import "time"

// Output is what an attempt printed, or what a server answered, as far as it is kept. Secrets were removed, and its texts are valid UTF-8.
type Output struct {
	Status  string   // how it ended: "exit status 3", "signal: killed", "200 OK"; empty: it has not ended, or never began to answer
	Headers string   // of an HTTP response, one a line: "content-type: text/plain\n"
	Streams []Stream // those that are not empty: "stdout" and "stderr" of a program, "body" of a response
}

// Stream is what came on one stream: all of it in Head, or its beginning and its end.
type Stream struct {
	Name    string
	Head    string
	Tail    string // empty unless something was left out
	Omitted int64  // how many bytes were left out between Head and Tail
}

// Size is how many bytes of text an output has; 0 for nil.
func (o *Output) Size() int {
	if o == nil {
		return 0
	}
	n := len(o.Status) + len(o.Headers)
	for i := range o.Streams {
		n += len(o.Streams[i].Head) + len(o.Streams[i].Tail)
	}
	return n
}

// Partial is the output of an attempt that has not ended.
type Partial struct {
	Handler  HandlerID
	Sequence int64
	Attempt  int
	Started  time.Time
	Output   *Output
}

// Attempt is an attempt of a run that has failed, or of which an output is kept.
type Attempt struct {
	Number     int
	StartedAt  time.Time
	FinishedAt time.Time // zero while it runs, or if it was interrupted and is not settled yet
	// State is what became of the run by the attempt: Retrying or Dead of a failed one, Succeeded, Cancelled, or Running of one that has not ended.
	State  RunState
	Error  string
	Output *Output // nil: none was kept
}

// AttemptQuery selects attempts of a run.
type AttemptQuery struct {
	Run    string // its id
	Before int    // only attempts with a smaller number; 0: all
	Limit  int    // at most so many, the last ones; 0: 20
}
