package shape

import (
	"slices"

	"evrun/tasks/fault"
)

// Trouble is something in a daemon's status that needs somebody's attention.
type Trouble struct {
	What string `json:"what"`           // one of the constants
	Name string `json:"name,omitempty"` // of the handler or the schedule
	Text string `json:"text"`           // what is wrong, in words
	Do   string `json:"do,omitempty"`   // a command that shows more, or mends it
}

// What is wrong, in the order of a status.
const (
	TroubleStopping = "stopping"  // the daemon is about to end
	TroubleStore    = "store"     // nothing more is accepted, or soon won't be
	TroubleReload   = "reload"    // the wiring file was refused
	TroubleDead     = "dead"      // dead runs
	TroubleFailing  = "failing"   // the last attempts of a handler failed
	TroubleSilent   = "silent"    // a handler's worker is stuck
	TroubleLate     = "late"      // a slot is due, and was not published
	TroubleBehind   = "behind"    // an event has waited for long for a handler that is not paused
	TroublePaused   = "paused"    // a handler or a schedule is paused, and work waits
	TroubleLeft     = "left"      // a handler left the file with work to do
	TroubleNodes    = "nodes"     // no daemon that a handler may run on is there
	TroubleMissed   = "missed"    // slots were left out
	TroubleLastSlot = "schedule"  // a run of a schedule's last slot is dead
	TroubleTLS      = "tls"       // the certificate of the TCP port expires soon, or its changed files can't be used
	TroublePruning  = "retention" // the store will be pruned, can't be, or stays too large
	TroubleSpans    = "spans"     // spans can't be sent, or an environment variable about them is wrong
)

// Stopping says in Problems that the daemon is about to end. A worker that does not answer has ended then, which is not reported as a problem.
func (s *Status) Stopping() {
	running := 0
	for i := range s.Handlers {
		running += s.Handlers[i].Running
	}
	s.Problems = slices.DeleteFunc(s.Problems, func(t Trouble) bool { return t.What == TroubleSilent })
	s.Problems = slices.Insert(s.Problems, 0, Trouble{What: TroubleStopping,
		Text: "evrun is stopping: it takes nothing new, and waits for " + fault.Plural(running, "running attempt")})
}
