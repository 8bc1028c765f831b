package output

import (
	"fmt"
	"strings"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/explain"
	"evrun/tasks/fault"
)

// Accounts writes what happened to an event at each handler; in JSON an object for each.
func (p *Printer) Accounts(ev *events.Event, list []api.Account) error {
	if p.JSON {
		for _, a := range list {
			if err := p.Object(a); err != nil {
				return err
			}
		}
		return nil
	}
	short := *ev
	short.Data = []byte(brief(string(ev.Data)))
	if err := p.Event(&short); err != nil {
		return err
	}
	var unmatched []string
	for _, a := range list {
		if a.State == explain.NoMatch {
			unmatched = append(unmatched, fmt.Sprintf("%s (on %s)", a.Handler, orDash(strings.Join(a.On, ", "))))
			continue
		}
		if err := p.account(a); err != nil {
			return err
		}
	}
	if len(unmatched) > 0 {
		return p.wrapped("  ", "no match: "+strings.Join(unmatched, ", "))
	}
	return nil
}

func (p *Printer) account(a api.Account) error {
	state := State(a.State)
	if a.State == explain.Missed {
		state.Color = Red
	}
	about := ""
	if r := a.Run; r != nil {
		about = "  " + p.Paint(Dim, p.aboutRun(r))
	}
	if err := p.printf("  %s: %s%s\n", p.Paint(Bold, a.Handler), p.Cell(state), strings.TrimRight(about, " ")); err != nil {
		return err
	}
	why, _, more := strings.Cut(a.Why, "\n")
	if more && a.Run != nil {
		why += " …"
	}
	if why == "" && a.State == store.Waiting.String() {
		why = "its handler has not come to it yet"
	}
	if err := p.wrapped("    ", why); err != nil || a.Run == nil || a.Run.Error == "" && !more {
		return err
	}
	return p.wrapped("    ", "evrun runs show "+a.Run.ID+" has more")
}

// aboutRun is how long a run took, how often it has failed, and when that was.
func (p *Printer) aboutRun(r *api.Run) string {
	var parts []string
	if r.Failed > 1 || r.Failed == 1 && r.Attempt > 1 {
		parts = append(parts, fmt.Sprintf("after %s that failed", fault.Plural(r.Failed, "attempt")))
	}
	if text := took(*r); text != "" {
		parts = append(parts, "took "+text)
	}
	if at := runTime(*r); !at.IsZero() {
		parts = append(parts, p.Ago(at))
	}
	if r.NextAttemptAt != nil {
		parts = append(parts, "next "+p.Ago(*r.NextAttemptAt))
	}
	return strings.Join(parts, ", ")
}

// wrapped writes a text in lines that fit the terminal, each after before. Of an empty text it writes nothing.
func (p *Printer) wrapped(before, text string) error {
	if text == "" {
		return nil
	}
	lines := p.lines(events.EscapeControl(text), len(before), narrowest)
	return p.printf("%s%s\n", before, strings.Join(lines, "\n"+before))
}
