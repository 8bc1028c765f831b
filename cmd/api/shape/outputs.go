package shape

import (
	"maps"
	"slices"
	"strings"
	"time"

	"evrun/store"
)

// Attempt is an attempt of a run that failed or runs, or of which an output is kept.
type Attempt struct {
	Attempt    int        `json:"attempt"`
	State      string     `json:"state"` // running, succeeded, failed, cancelled
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	TookMS     *float64   `json:"took_ms,omitempty"`
	Error      string     `json:"error,omitempty"`
	Output     *Output    `json:"output,omitempty"`
}

// AttemptOf returns the shape of a stored attempt.
func AttemptOf(a store.Attempt) Attempt {
	state := a.State.String()
	if a.State == store.Retrying || a.State == store.Dead {
		state = "failed"
	}
	shape := Attempt{Attempt: a.Number, State: state, StartedAt: a.StartedAt.UTC(), FinishedAt: TimeOf(a.FinishedAt), Error: a.Error, Output: OutputOf(a.Output)}
	if shape.FinishedAt != nil {
		ms := Milliseconds(a.FinishedAt.Sub(a.StartedAt))
		shape.TookMS = &ms
	}
	return shape
}

// Output is what an attempt printed, or was answered, as far as it is kept.
type Output struct {
	Status  string            `json:"status,omitempty"`  // "exit status 3", "signal: killed", "200 OK"
	Headers map[string]string `json:"headers,omitempty"` // of an HTTP response, in lower case; values of one header are joined with ", "
	Stdout  *Stream           `json:"stdout,omitempty"`
	Stderr  *Stream           `json:"stderr,omitempty"`
	Body    *Stream           `json:"body,omitempty"` // of an HTTP response
}

// Stream is all of a stream in Head, or its beginning and its end.
type Stream struct {
	Head    string `json:"head"`
	Tail    string `json:"tail,omitempty"`
	Omitted int64  `json:"omitted,omitempty"` // bytes that were left out between them
}

// NamedStream is a stream with its name.
type NamedStream struct {
	Name string
	Stream
}

// Streams returns the streams that are not empty, in the order in which people read them.
func (o *Output) Streams() (list []NamedStream) {
	if o == nil {
		return nil
	}
	for _, s := range []struct {
		name   string
		stream *Stream
	}{{"body", o.Body}, {"stdout", o.Stdout}, {"stderr", o.Stderr}} {
		if s.stream != nil {
			list = append(list, NamedStream{s.name, *s.stream})
		}
	}
	return list
}

// HeaderLines returns the headers as lines, in the order of their names.
func (o *Output) HeaderLines() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		lines = append(lines, name+": "+o.Headers[name])
	}
	return lines
}

// OutputOf returns the shape of a stored output; nil for nil.
func OutputOf(stored *store.Output) *Output {
	if stored == nil {
		return nil
	}
	o := &Output{Status: stored.Status}
	for line := range strings.Lines(stored.Headers) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		name = strings.ToLower(name)
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		if before, twice := o.Headers[name]; twice {
			value = before + ", " + value
		}
		o.Headers[name] = value
	}
	for _, s := range stored.Streams {
		shape := &Stream{Head: s.Head, Tail: s.Tail, Omitted: s.Omitted}
		switch s.Name {
		case "stdout":
			o.Stdout = shape
		case "stderr":
			o.Stderr = shape
		case "body":
			o.Body = shape
		}
	}
	return o
}
