package shape

import (
	"evrun/events"
	"evrun/tasks/explain"
)

// Accounts is what happened to a stored event at each handler.
type Accounts struct {
	Event    *events.Event `json:"event"`
	Matched  bool          `json:"matched"`        // a handler matched it, whatever came of it
	Final    bool          `json:"final"`          // its type needs no handler
	Hint     string        `json:"hint,omitempty"` // a type that may have been meant
	Handlers []Account     `json:"handlers"`
}

// Account is what happened to an event at one handler, and why.
type Account struct {
	Handler string   `json:"handler"`
	State   string   `json:"state"` // the run's, "waiting", or why there is no run: see the constants of package explain
	Why     string   `json:"why,omitempty"`
	On      []string `json:"on"`
	Kind    string   `json:"do,omitempty"`      // of a handler that is wired now
	Pattern string   `json:"pattern,omitempty"` // that of on which matches the type
	// When is the condition with its value for this event and the parts that decided it: of a skipped run as it was then, else as the wiring file has it.
	When *explain.When `json:"when,omitempty"`
	Run  *Run          `json:"run,omitempty"`
}

// Wired adds what the wiring says about the event at a handler.
func (a *Account) Wired(h explain.Handler) {
	a.Kind, a.Pattern, a.When = h.Kind, h.Pattern, h.When.Brief()
}

// Tell gives an account its run.
func (a *Account) Tell(run Run) {
	a.Run, a.State = &run, run.State
	switch {
	case run.Error != "" && run.Reason != "":
		a.Why = run.Reason + ": " + run.Error
	case run.Error != "":
		a.Why = run.Error
	default:
		a.Why = run.Reason
	}
}
