package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/tasks/control"
	"evrun/tasks/fault"
	"evrun/tasks/retention"
)

var troubleOrder = []string{api.TroubleStopping, api.TroubleStore, api.TroubleReload, api.TroubleTLS, api.TroubleDead, api.TroubleFailing, api.TroubleSilent, api.TroubleLate, api.TroubleBehind, shape.TroubleNodes, api.TroublePaused, api.TroubleLeft, api.TroubleMissed, api.TroubleLastSlot, api.TroublePruning, api.TroubleSpans}

// delays are what comes later than it should.
type delays struct {
	missed map[string]int           // by schedule: how many slots were left out lately
	late   map[string]time.Duration // by schedule: how long its next slot is due
	behind map[string]time.Duration // by handler that is not paused: how long the first event has waited for it
}

// The delays that are problems: those of the alerts EvrunScheduleLate and EvrunBacklogOld.
const (
	lateAfter   = time.Minute
	behindAfter = 15 * time.Minute
)

// troubles sets the problems of a status.
func troubles(s *api.Status, d delays) {
	s.Problems = []api.Trouble{}
	add := func(what, name, do, format string, args ...any) {
		s.Problems = append(s.Problems, api.Trouble{What: what, Name: name, Text: fmt.Sprintf(format, args...), Do: do})
	}
	switch {
	case s.WAL.Full:
		add(api.TroubleStore, "", "", "nothing more is accepted: the write-ahead log is full%s", s.WAL.Reason())
	case s.WAL.Held:
		add(api.TroubleStore, "", "", "the write-ahead log can't be given back%s", s.WAL.Reason())
	}
	if s.Reload != nil && s.Reload.Error != "" {
		first, _, _ := strings.Cut(s.Reload.Error, "\n")
		add(api.TroubleReload, "", "evrun validate", "the wiring file was refused: %s", first)
	}
	if s.TCP != nil && s.TCP.Problem != "" {
		add(api.TroubleTLS, "", "", "the certificate of %s: %s", s.TCP.URL, s.TCP.Problem)
	}
	for i := range s.Handlers {
		handlerTroubles(&s.Handlers[i], add)
	}
	for _, h := range shape.Unplaced(s.Handlers, s.Nodes) {
		add(shape.TroubleNodes, h.Name, "", "no daemon with one of its nodes is there (%s): its events wait", strings.Join(h.Nodes, ", "))
	}
	for name, late := range d.late {
		if late > lateAfter {
			add(api.TroubleLate, name, "evrun schedules show "+name, "its slot is due since %v, and was not published", late.Round(time.Second))
		}
	}
	for name, behind := range d.behind {
		if behind > behindAfter {
			add(api.TroubleBehind, name, "evrun handlers show "+name, "it is %v behind: its attempts are slow or fail, or more comes than it can do", behind.Round(time.Second))
		}
	}
	for name, n := range d.missed {
		add(api.TroubleMissed, name, "evrun events list evrun.schedule.missed", "%s left out within a day", were(n, "slot"))
	}
	for _, sched := range s.Schedules {
		if sched.Paused == "hand" {
			add(api.TroublePaused, sched.Name, "evrun schedules resume "+sched.Name, "the schedule is paused")
		}
		if runs := sched.LastRuns; runs != nil && runs.States["dead"] > 0 {
			add(api.TroubleLastSlot, sched.Name, fmt.Sprintf("evrun explain --event %d", runs.Sequence), "of its last slot, %s dead", are(runs.States["dead"], "run"))
		}
	}
	pruningTroubles(&s.Retention, add)
	slices.SortStableFunc(s.Problems, func(a, b api.Trouble) int {
		return cmp.Or(cmp.Compare(slices.Index(troubleOrder, a.What), slices.Index(troubleOrder, b.What)), cmp.Compare(a.Name, b.Name))
	})
}

func pruningTroubles(r *retention.Status, add func(what, name, do, format string, args ...any)) {
	if r.BeginsAt != nil {
		add(api.TroublePruning, "", "", "from %s on, what retention does not keep (events: %s) is pruned; an older evrun made this store, and deleted nothing",
			r.BeginsAt.Format(time.RFC3339), r.Events)
	}
	if r.Error != "" {
		add(api.TroublePruning, "", "", "pruning failed: %s", r.Error)
	}
	if r.Over > 0 {
		add(api.TroublePruning, "", "", "the store is larger than retention.size, and what is left in it can't be pruned")
	}
	for _, l := range r.Lost {
		add(api.TroublePruning, l.Handler, "", "it left the wiring file; events and runs that it never finished were pruned: %d and %d", l.Events, l.Runs)
	}
}

func handlerTroubles(h *control.HandlerStatus, add func(what, name, do, format string, args ...any)) {
	failed := ""
	if h.LastError != nil && (h.Last == nil || h.Last.State != "succeeded" || h.LastError.At.After(h.Last.At)) {
		failed = ": " + h.LastError.Error
	}
	if h.Dead > 0 {
		add(api.TroubleDead, h.Name, "evrun runs list --state dead --handler "+h.Name, "%s dead%s", are(h.Dead, "run"), failed)
	}
	if h.Retrying > 0 && failed != "" {
		add(api.TroubleFailing, h.Name, "evrun runs list --state retrying --handler "+h.Name, "%s retrying%s", are(h.Retrying, "run"), failed)
	}
	if h.Silent {
		add(api.TroubleSilent, h.Name, "", "its worker does not answer; its numbers are from before")
	}
	switch h.State {
	case control.StateActive, control.StateNew:
	case control.StateLeft:
		add(api.TroubleLeft, h.Name, "evrun handlers show "+h.Name, "it left the file: %s", h.Unfinished())
	case control.StatePaused:
		add(api.TroublePaused, h.Name, "evrun handlers resume "+h.Name, "the handler is paused%s: %s", by(h.Pause), h.Unfinished())
	default:
		add(api.TroublePaused, h.Name, "", "the handler is %s%s: %s", h.State, by(h.Pause), h.Unfinished())
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
