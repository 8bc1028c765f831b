package trace

import (
	"maps"
	"net/http"
	"strings"

	"evrun/events"
)

// The extension attributes that have the context of an event (CloudEvents, "Distributed Tracing extension"). The headers of requests have the same names.
const (
	AttributeParent = "traceparent"
	AttributeState  = "tracestate"
)

// The environment variables with the context of a program (OpenTelemetry, "Environment Variables as Context Propagation Carriers").
const (
	VariableParent = "TRACEPARENT"
	VariableState  = "TRACESTATE"
)

// Of returns the context that an event has in its attributes, that of its sender; ok is false if it has no valid one.
func Of(e *events.Event) (c Context, ok bool) {
	if len(e.Extensions) == 0 {
		return Context{}, false
	}
	parent, _ := e.Extensions[AttributeParent].(string)
	if parent == "" {
		return Context{}, false
	}
	state, _ := e.Extensions[AttributeState].(string)
	return Parse(parent, state)
}

// Clean removes a context that is not valid from an event, and then returns false. One that is valid, it writes in version 00. The event must not be
// published yet.
func Clean(e *events.Event) (ok bool) {
	if len(e.Extensions) == 0 {
		return true
	}
	parent, state := e.Extensions[AttributeParent], e.Extensions[AttributeState]
	if parent == nil && state == nil {
		return true // and others may share the map
	}
	c, ok := Of(e)
	switch {
	case !ok:
		delete(e.Extensions, AttributeParent)
		delete(e.Extensions, AttributeState)
	case parent != c.Parent() || state != c.State && (state != nil || c.State != ""):
		c.set(e)
	}
	return ok
}

// Give sets the context of an event that has none, if the context is valid and there is room for its attributes. The event must not be published yet.
func (c Context) Give(e *events.Event) {
	if !c.Valid() {
		return
	}
	if _, ok := Of(e); !ok {
		c.set(e)
	}
}

// set replaces the context of an event.
func (c Context) set(e *events.Event) {
	delete(e.Extensions, AttributeParent)
	delete(e.Extensions, AttributeState)
	if len(e.Extensions)+2 > events.MaxExtensions {
		return // the event is worth more than its trace
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]any, 2)
	}
	e.Extensions[AttributeParent] = c.Parent()
	if c.State != "" {
		e.Extensions[AttributeState] = c.State
	}
}

// Instead returns a copy of an event with this context in place of its own; the event itself if the context is not valid.
func (c Context) Instead(e *events.Event) *events.Event {
	if !c.Valid() {
		return e
	}
	other := *e
	other.Extensions = maps.Clone(e.Extensions)
	c.set(&other)
	return &other
}

// Without returns the extensions of an event without those of its context, for an event that repeats it.
func Without(extensions map[string]any) map[string]any {
	_, parent := extensions[AttributeParent]
	_, state := extensions[AttributeState]
	if !parent && !state {
		return extensions
	}
	rest := maps.Clone(extensions)
	delete(rest, AttributeParent)
	delete(rest, AttributeState)
	return rest
}

// OfRequest returns the context in the headers of a request; the zero value if they have no valid one. Two traceparents are none.
func OfRequest(h http.Header) (c Context) {
	if parents := h["Traceparent"]; len(parents) == 1 {
		c, _ = Parse(parents[0], strings.Join(h["Tracestate"], ","))
	}
	return c
}

// FromRequest gives an event that has no context that of the request which brings it.
func FromRequest(h http.Header, e *events.Event) { OfRequest(h).Give(e) }

// OfEnvironment returns the context of this program; the zero value if it has no valid one.
func OfEnvironment(getenv func(string) string) (c Context) {
	c, _ = Parse(getenv(VariableParent), getenv(VariableState))
	return c
}
