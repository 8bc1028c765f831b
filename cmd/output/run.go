package output

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/fault"
)

// Run writes a run on one line.
func (p *Printer) Run(r api.Run) error {
	if p.JSON {
		return p.Object(map[string]any{"run": r})
	}
	because := cmp.Or(r.Error, r.Reason)
	if because != "" {
		because = ": " + events.EscapeControl(because)
	}
	attempt := ""
	if r.Attempt > 1 {
		attempt = fmt.Sprintf(" (attempt %d)", r.Attempt)
	}
	when := ""
	if at := runTime(r); !at.IsZero() {
		when = p.Clock(at)
	}
	return p.printf("%s  %s    %s %s%s%s\n", p.Paint(Dim, when), p.Paint(Dim, fmt.Sprintf("#%d", r.Sequence)),
		r.Handler, p.Cell(State(r.State)), attempt, because)
}

// runTime is when a run finished or, while it goes on, when its last attempt started; zero before the first.
func runTime(r api.Run) time.Time {
	switch {
	case r.FinishedAt != nil:
		return *r.FinishedAt
	case r.StartedAt != nil:
		return *r.StartedAt
	}
	return time.Time{}
}

// Runs are the columns of a list of runs.
func Runs() []Column[api.Run] {
	return []Column[api.Run]{
		{Title: "RUN", Text: func(r api.Run) any { return RunID(r.ID) }},
		{Title: "STATE", Text: func(r api.Run) any { return State(r.State) }},
		{Title: "FAILED", Text: func(r api.Run) any { return r.Failed }, Rank: 3},
		{Title: "TOOK", Text: func(r api.Run) any { return tookOrElapsed(r) }, Rank: 2},
		{Title: "TYPE", Text: func(r api.Run) any { return orDash(r.Type) }, Rank: 3, Least: 12},
		{Title: "TIME", Text: func(r api.Run) any { return Ago(runTime(r)) }, Rank: 1},
		{Title: "REASON", Text: func(r api.Run) any { return why(r) }, Rank: 1, Least: 16, Most: 101},
	}
}

// took is how long a run's last attempt took; empty while it has not ended.
func took(r api.Run) string {
	if r.TookMS == nil {
		return ""
	}
	return Duration(msDuration(*r.TookMS))
}

// tookOrElapsed is how long a run's last attempt took, or how long it has been running.
func tookOrElapsed(r api.Run) any {
	if r.State == store.Running.String() && r.StartedAt != nil && r.FinishedAt == nil {
		return Elapsed(*r.StartedAt)
	}
	return orDash(took(r))
}

func msDuration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// why is the reason of a run's state, or its error, on one line.
func why(r api.Run) string {
	text, rest, _ := strings.Cut(r.Error, "\n")
	if strings.HasSuffix(text, ":") { // "exit code 3:", and then what the command said
		next, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		text = strings.TrimSpace(text + " " + next)
	}
	if r.Reason != "" {
		text = strings.TrimSuffix(r.Reason+": "+text, ": ")
	}
	return text
}

// RunDetails writes a run with its event, which may be nil, and its attempts.
func (p *Printer) RunDetails(r api.RunDetails, ev *events.Event) error {
	if p.JSON {
		return p.Object(struct {
			api.RunDetails
			Event *events.Event `json:"event,omitempty"`
		}{r, ev})
	}
	t := p.Table()
	t.Field("run", "%s", r.ID)
	t.Field("handler", "%s", r.Handler)
	t.Value("state", State(r.State))
	t.Field("reason", "%s", r.Reason)
	t.Field("attempt", "%d", r.Attempt)
	if r.Failed > 0 {
		t.Field("failed", "%s", fault.Plural(r.Failed, "attempt"))
	}
	t.Value("started", r.StartedAt)
	t.Value("finished", r.FinishedAt)
	if text := tookOrElapsed(r.Run); text != "-" {
		t.Value("took", text)
	}
	t.Value("next attempt", r.NextAttemptAt)
	if err := t.Flush(); err != nil {
		return err
	}
	if ev != nil {
		_ = p.printf("\nevent #%d\n", ev.Sequence)
		if err := p.EventDetails(ev, "  "); err != nil {
			return err
		}
	}
	if len(r.Attempts) == 0 {
		return nil
	}
	_ = p.printf("\nattempts\n")
	if first := r.Attempts[0].Attempt; len(r.Attempts) == 20 && first > 1 { // the API gives no more
		_ = p.printf("  (those before attempt %d: runs logs --attempt N)\n", first)
	}
	return p.Attempts(r.Attempts)
}

// folded is the first line of an error, unless the printer is verbose: a panic brings its stack.
func (p *Printer) folded(text string) string {
	text = strings.TrimRight(text, "\n")
	first, rest, more := strings.Cut(text, "\n")
	if !more || p.Verbose {
		return text
	}
	return fmt.Sprintf("%s\n(%d more lines: -v shows them)", first, strings.Count(rest, "\n")+1)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
