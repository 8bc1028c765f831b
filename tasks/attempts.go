package tasks

import (
	"crypto/rand"
	"maps"
	"sync"

	"evrun/events"
)

// VariableRunToken is the environment variable with a secret. With it a program that an attempt runs publishes events in the name of its run: see
// [Delivery.Variables].
const VariableRunToken = "EVRUN_RUN_TOKEN"

// attempts holds the running attempts whose programs can publish events in the name of their run. Each attempt has its own secret.
type attempts struct {
	variables map[string]string // of programs, but for the secret; nil: no program can publish
	mu        sync.Mutex
	event     map[string]*events.Event // by the secret of each attempt its event, with the trace context of the attempt
}

func (a *attempts) begin(e *events.Event) (token string) {
	token = rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.event == nil {
		a.event = map[string]*events.Event{}
	}
	a.event[token] = e
	return token
}

func (a *attempts) end(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.event, token)
}

// Attempt returns the event of an attempt by the attempt's secret, with the trace context of the attempt. It returns nil once the attempt has ended: the run may be settled then, and nobody
// waits for further events of it.
func (r *Runner) Attempt(token string) (e *events.Event, ok bool) {
	r.attempts.mu.Lock()
	defer r.attempts.mu.Unlock()
	e, ok = r.attempts.event[token]
	return e, ok
}

// Variables returns environment variables for a program that this attempt runs. With them the program finds the daemon and publishes events in the
// name of the run until the attempt ends. The value of [VariableRunToken] is a secret. The result is nil if no daemon runs the attempt. Only the
// attempt's goroutine may call it.
func (d *Delivery) Variables() map[string]string {
	if d.attempts == nil {
		return nil
	}
	if d.token == "" {
		d.token = d.attempts.begin(d.Trace().Instead(d.Event))
	}
	variables := maps.Clone(d.attempts.variables)
	variables[VariableRunToken] = d.token
	return variables
}

// know allows the attempt's programs to publish until forget.
func (a *attempts) know(d *Delivery) {
	if a.variables != nil {
		d.attempts = a
	}
}

func (a *attempts) forget(d *Delivery) {
	if d.token != "" {
		a.end(d.token)
	}
}
