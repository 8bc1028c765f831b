package expression

import (
	"fmt"
	"time"

	"evrun/tasks/expression/format"
	"evrun/tasks/expression/functions"
)

// What now() and uuid() give follows from the run, or from the slot, so it is the same at every attempt.

// In says whose expressions are evaluated: `run` has these values, and uuid() is made of the id. A schedule has only an id, which names its slot.
func (env *Env) In(id, handler string, attempt int) {
	env.id, env.handler, env.attempt = id, handler, attempt
}

// now returns when the event was accepted. One that is not in a journal, because it is only tried, has its own time.
func (env *Env) now() time.Time {
	switch {
	case env.event == nil:
		return time.Time{}
	case env.event.AcceptedAt.IsZero():
		return env.event.Time.UTC()
	}
	return env.event.AcceptedAt
}

// runField returns a value of the run that the environment is for.
func (env *Env) runField(name string) any {
	switch name {
	case "id":
		return env.id
	case "handler":
		return env.handler
	case "attempt":
		return env.attempt
	}
	return nil
}

// ownRunFields are the names of the values of a run that expressions of its handler have.
var ownRunFields = []string{"id", "handler", "attempt"}

// run returns `run`: one that is selected, or that whose handler evaluates.
func (env *Env) run() any {
	if env.seldom != nil && env.seldom.run != nil {
		return env.seldom.run.asMap()
	}
	if env.id == "" {
		return nil
	}
	m := make(map[string]any, len(ownRunFields))
	for _, name := range ownRunFields {
		m[name] = env.runField(name)
	}
	return m
}

// identities counts the calls of uuid() in one evaluation.
type identities struct {
	seed, place string
	n           int
}

func (env *Env) identities(x *Expr) *identities {
	i := &identities{seed: env.id, place: x.place}
	if x.uses&nameIndex != 0 && env.seldom != nil {
		i.place += fmt.Sprint(".", env.seldom.index)
	}
	return i
}

// uuid is the function of limiter's calls.
func (i *identities) uuid(b functions.Budget) (any, error) {
	i.n++
	return format.UUID(i.seed, i.place, i.n), b.Take(20)
}

// At returns the scope for the text at a place of the wiring file, such as "with.url": uuid() gives another value at each place.
func (s Scope) At(place string) Scope {
	s.place = place
	return s
}

// below returns the scope for a part of the place.
func (s Scope) below(part any) Scope { return s.At(fmt.Sprint(s.place, ".", part)) }
