package tasks

import (
	"crypto/rand"
	"maps"
	"sync"

	"evrun/events"
)

// VariableRunToken is the environment variable with the secret by which a program that an attempt runs publishes events in
// the name of its run: see [Delivery.Variables].
const VariableRunToken = "EVRUN_RUN_TOKEN"

// attempts are those under way whose programs can publish events in the name of their run, by a secret of each.
type attempts struct {
	mu    sync.Mutex
	event map[string]*events.Event // what each is on, by its secret
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

// Attempt gives the event of an attempt, by the attempt's secret. It gives none once the attempt has ended: nothing
// can join a run that may have been settled, and been waited for.
func (r *Runner) Attempt(token string) (e *events.Event, ok bool) {
	r.attempts.mu.Lock()
	defer r.attempts.mu.Unlock()
	e, ok = r.attempts.event[token]
	return e, ok
}

// Variables are the environment variables by which a program that this attempt runs finds the daemon, and publishes events
// in the name of the run until the attempt ends. The value of [VariableRunToken] among them is a secret. nil: no daemon runs it.
// Only for the goroutine of the attempt.
func (d *Delivery) Variables() map[string]string {
	if d.attempts == nil {
		return nil
	}
	if d.token == "" {
		d.token = d.attempts.begin(d.Event)
	}
	variables := maps.Clone(d.variables)
	variables[VariableRunToken] = d.token
	return variables
}

// known lets the attempt's programs publish until done is called.
func (r *Runner) known(d *Delivery) (done func()) {
	if r.o.Variables == nil {
		return func() {}
	}
	d.attempts, d.variables = &r.attempts, r.o.Variables
	return func() {
		if d.token != "" {
			r.attempts.end(d.token)
		}
	}
}
