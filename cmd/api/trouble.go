package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/tasks/control"
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
	TroublePaused   = "paused"    // a handler or a schedule is paused, and work waits
	TroubleLeft     = "left"      // a handler left the file with work to do
	TroubleMissed   = "missed"    // slots were left out
	TroubleLastSlot = "schedule"  // a run of a schedule's last slot is dead
	TroublePruning  = "retention" // the store will be pruned, can't be, or stays too large
)

var troubleOrder = []string{TroubleStopping, TroubleStore, TroubleReload, TroubleDead, TroubleFailing, TroubleSilent, TroublePaused, TroubleLeft, TroubleMissed, TroubleLastSlot, TroublePruning}

// Troubles sets Problems. missed are the schedules whose slots were left out lately, with how many.
func (s *Status) Troubles(missed map[string]int) {
	s.Problems = []Trouble{}
	add := func(what, name, do, format string, args ...any) {
		s.Problems = append(s.Problems, Trouble{What: what, Name: name, Text: fmt.Sprintf(format, args...), Do: do})
	}
	switch {
	case s.WAL.Full:
		add(TroubleStore, "", "", "nothing more is accepted: the write-ahead log is full%s", s.WAL.Reason())
	case s.WAL.Held:
		add(TroubleStore, "", "", "the write-ahead log can't be given back%s", s.WAL.Reason())
	}
	if s.Reload != nil && s.Reload.Error != "" {
		first, _, _ := strings.Cut(s.Reload.Error, "\n")
		add(TroubleReload, "", "evrun validate", "the wiring file was refused: %s", first)
	}
	for i := range s.Handlers {
		s.handlerTroubles(&s.Handlers[i], add)
	}
	for name, n := range missed {
		add(TroubleMissed, name, "evrun events list evrun.schedule.missed", "%s left out within a day", were(n, "slot"))
	}
	for _, sched := range s.Schedules {
		if sched.Paused == "hand" {
			add(TroublePaused, sched.Name, "evrun schedules resume "+sched.Name, "the schedule is paused")
		}
		if runs := sched.LastRuns; runs != nil && runs.States["dead"] > 0 {
			add(TroubleLastSlot, sched.Name, fmt.Sprintf("evrun explain --event %d", runs.Sequence), "of its last slot, %s dead", are(runs.States["dead"], "run"))
		}
	}
	s.pruningTroubles(add)
	slices.SortStableFunc(s.Problems, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(slices.Index(troubleOrder, a.What), slices.Index(troubleOrder, b.What)), cmp.Compare(a.Name, b.Name))
	})
}

func (s *Status) pruningTroubles(add func(what, name, do, format string, args ...any)) {
	r := &s.Retention
	if r.BeginsAt != nil {
		add(TroublePruning, "", "", "from %s on, what retention does not keep (events: %s) is pruned; an older evrun made this store, and deleted nothing",
			r.BeginsAt.Format(time.RFC3339), r.Events)
	}
	if r.Error != "" {
		add(TroublePruning, "", "", "pruning failed: %s", r.Error)
	}
	if r.Over > 0 {
		add(TroublePruning, "", "", "the store is larger than retention.size, and what is left in it can't be pruned")
	}
	for _, l := range r.Lost {
		add(TroublePruning, l.Handler, "", "it left the wiring file; events and runs that it never finished were pruned: %d and %d", l.Events, l.Runs)
	}
}

// stopping says in Problems that the daemon is about to end. A worker that does not answer has ended then, which is not reported as a problem.
func (s *Status) stopping() {
	running := 0
	for i := range s.Handlers {
		running += s.Handlers[i].Running
	}
	s.Problems = slices.DeleteFunc(s.Problems, func(t Trouble) bool { return t.What == TroubleSilent })
	s.Problems = slices.Insert(s.Problems, 0, Trouble{What: TroubleStopping,
		Text: "evrun is stopping: it takes nothing new, and waits for " + fault.Plural(running, "running attempt")})
}

func (s *Status) handlerTroubles(h *control.HandlerStatus, add func(what, name, do, format string, args ...any)) {
	failed := ""
	if h.LastError != nil && (h.Last == nil || h.Last.State != "succeeded" || h.LastError.At.After(h.Last.At)) {
		failed = ": " + h.LastError.Error
	}
	if h.Dead > 0 {
		add(TroubleDead, h.Name, "evrun runs list --state dead --handler "+h.Name, "%s dead%s", are(h.Dead, "run"), failed)
	}
	if h.Retrying > 0 && failed != "" {
		add(TroubleFailing, h.Name, "evrun runs list --state retrying --handler "+h.Name, "%s retrying%s", are(h.Retrying, "run"), failed)
	}
	if h.Silent {
		add(TroubleSilent, h.Name, "", "its worker does not answer; its numbers are from before")
	}
	switch h.State {
	case control.StateActive, control.StateNew:
	case control.StateLeft:
		add(TroubleLeft, h.Name, "evrun handlers show "+h.Name, "it left the file: %s", h.Unfinished())
	case control.StatePaused:
		add(TroublePaused, h.Name, "evrun handlers resume "+h.Name, "the handler is paused%s: %s", by(h.Pause), h.Unfinished())
	default:
		add(TroublePaused, h.Name, "", "the handler is %s%s: %s", h.State, by(h.Pause), h.Unfinished())
	}
}

// by says who paused a handler.
func by(p *control.Pause) string {
	switch {
	case p == nil:
		return ""
	case p.Why != "":
		return " by " + p.By + " (" + p.Why + ")"
	}
	return " by " + p.By
}

func are(n int, thing string) string {
	return fault.Plural(n, thing) + map[bool]string{true: " is", false: " are"}[n == 1]
}
func were(n int, thing string) string {
	return fault.Plural(n, thing) + map[bool]string{true: " was", false: " were"}[n == 1]
}
