package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

// Status writes a daemon's status: first what is wrong, then the daemon, its handlers and its schedules. With short, the daemon is one line.
func (p *Printer) Status(s api.Status, short bool) error {
	if p.JSON {
		return p.Object(map[string]any{"status": s})
	}
	if err := p.troubles(s.Problems); err != nil {
		return err
	}
	if err := p.daemon(s, short); err != nil {
		return err
	}
	if len(s.Nodes) > 0 {
		if err := p.printf("\n"); err != nil {
			return err
		}
		if err := List(p, p.nodes(s.Nodes), s.Nodes); err != nil {
			return err
		}
	}
	if len(s.Handlers) > 0 {
		if err := p.printf("\n"); err != nil {
			return err
		}
		if err := List(p, p.overview(), s.Handlers); err != nil {
			return err
		}
	}
	if len(s.Schedules) > 0 {
		if err := p.printf("\n"); err != nil {
			return err
		}
		return List(p, p.lastSlots(), s.Schedules)
	}
	return nil
}

// troubles writes what needs attention, each with the command that shows more.
func (p *Printer) troubles(list []api.Trouble) error {
	for _, t := range list {
		color := Yellow
		switch t.What {
		case api.TroubleStore, api.TroubleReload, api.TroubleTLS, api.TroubleDead, api.TroubleFailing, api.TroubleLastSlot:
			color = Red
		}
		text := t.Text
		if t.Name != "" {
			text = t.Name + ": " + text
		}
		do := ""
		if t.Do != "" {
			do = " (" + t.Do + ")"
		}
		lines := p.lines(events.EscapeControl(text+do), 2, narrowest)
		if err := p.printf("%s %s\n", p.Paint(color, "!"), strings.Join(lines, "\n  ")); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return p.printf("\n")
	}
	return nil
}

func (p *Printer) daemon(s api.Status, short bool) error {
	t := p.Table()
	if s.PID == 0 { // the store answers for the daemons that share it
		t.Field("store", "%s, %s, %s", s.Store, bytesOf(s.StoreSize), fault.Plural(int(s.Head), "event"))
		return t.Flush()
	}
	other := ""
	if p.Version != "" && p.Version != s.Version {
		other = ", another version than this command's, " + p.Version
	}
	t.Field("evrun "+s.Version, "pid %d, up %s%s", s.PID, Duration(time.Since(s.StartedAt)), other)
	if short {
		return t.Flush()
	}
	t.Field("config", "%s, read %s", s.Config, p.Time(s.LoadedAt))
	if r := s.Reload; r != nil && r.Error != "" {
		first, more, _ := strings.Cut(r.Error, "\n")
		if more != "" {
			first += " …"
		}
		t.Field("reload", "refused at %s: %s", p.Time(r.At), first)
	}
	answers := s.Retention.Events != "" || s.Retention.Size > 0 // or the store does not, and a problem says so
	if answers {
		t.Field("store", "%s, %s, %s", s.Store, bytesOf(s.StoreSize), fault.Plural(int(s.Head), "event"))
	} else {
		t.Field("store", "%s", s.Store)
	}
	if s.WAL.Held || s.WAL.Full {
		what := "it can't be given back"
		if s.WAL.Full {
			what = "nothing more is accepted"
		}
		t.Field("wal", "%s of %s: %s%s", bytesOf(s.WAL.Bytes), bytesOf(s.WAL.Max), what, s.WAL.Reason())
	}
	if answers {
		t.Field("retention", "%s", p.retention(&s))
	}
	t.Field("socket", "%s", s.Socket)
	if s.TCP != nil {
		until := ""
		if s.TCP.Expires != nil {
			until = ", certificate until " + p.Time(*s.TCP.Expires)
		}
		t.Field("tcp", "%s, %s%s", s.TCP.URL, fault.Plural(int(s.TCP.Connections), "connection"), until)
	}
	return t.Flush()
}

// retention says what is kept, and what was pruned.
func (p *Printer) retention(s *api.Status) string {
	r := &s.Retention
	if r.Events == "off" && r.Size == 0 {
		return "off: nothing is pruned"
	}
	var kept []string
	if r.Events != "off" {
		kept = append(kept, r.Events)
	}
	if r.Size > 0 {
		kept = append(kept, bytesOf(r.Size))
	}
	text := strings.Join(kept, ", ")
	switch {
	case r.BeginsAt != nil:
		text += ", from " + p.Time(*r.BeginsAt) + " on: an older evrun made this store, and pruned nothing"
	case r.LastAt == nil:
		text += ", nothing pruned yet"
	default:
		text += fmt.Sprintf(", %s pruned, last %s", fault.Plural(int(r.Pruned.Events), "event"), p.Ago(*r.LastAt))
	}
	if s.Space.OldestAt != nil {
		text += ", oldest event of " + p.Time(*s.Space.OldestAt)
	}
	return text
}

// bytesOf is a size in bytes with its unit.
func bytesOf(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// overview are the columns of the handlers of a status.
func (p *Printer) overview() []Column[control.HandlerStatus] {
	return []Column[control.HandlerStatus]{
		{Title: "HANDLER", Text: func(h control.HandlerStatus) any { return withState(h) }},
		{Title: "WAITING", Text: func(h control.HandlerStatus) any { return waiting(h) }},
		{Title: "RUNNING", Text: func(h control.HandlerStatus) any { return h.Running }, Rank: 2},
		{Title: "RETRYING", Text: func(h control.HandlerStatus) any { return h.Retrying }, Rank: 2},
		{Title: "DEAD", Text: func(h control.HandlerStatus) any { return h.Dead }, Rank: 1},
		{Title: "PER MIN", Text: func(h control.HandlerStatus) any {
			if h.Rate == nil {
				return "-"
			}
			return *h.Rate
		}, Rank: 4},
		{Title: "LAST", Text: func(h control.HandlerStatus) any {
			if h.Last == nil {
				return Cell{Text: "-"}
			}
			return Cell{Text: h.Last.State + " " + p.Ago(h.Last.At), Color: State(h.Last.State).Color}
		}, Rank: 3},
		{Title: "LAST ERROR", Text: func(h control.HandlerStatus) any {
			if h.LastError == nil {
				return "-"
			}
			return p.Ago(h.LastError.At) + ": " + h.LastError.Error
		}, Rank: 1, Least: 16, Most: 101},
	}
}

// withState is a handler's name, with its state if that is not the usual one.
func withState(h control.HandlerStatus) string {
	switch {
	case h.Replacing:
		return h.Name + " (left; its running attempts go on)"
	case h.State != control.StateActive:
		return h.Name + " (" + HandlerState(h) + ": " + h.Unfinished().String() + ")"
	}
	return h.Name
}

// lastSlots are the columns of the schedules of a status.
func (p *Printer) lastSlots() []Column[api.Schedule] {
	return []Column[api.Schedule]{
		{Title: "SCHEDULE", Text: func(s api.Schedule) any { return s.Name }},
		{Title: "NEXT", Text: func(s api.Schedule) any { return next(s) }},
		{Title: "LAST SLOT", Text: func(s api.Schedule) any {
			if s.Last == nil {
				return "-"
			}
			return Ago(*s.Last)
		}, Rank: 1},
		{Title: "ITS RUNS", Text: func(s api.Schedule) any { return slotRuns(s.LastRuns) }, Rank: 1},
		{Title: "WHEN", Text: func(s api.Schedule) any { return s.When }, Rank: 2, Least: 12},
		{Title: "EMITS", Text: func(s api.Schedule) any { return s.Emit }, Rank: 3, Least: 12},
	}
}

// slotRuns is "1 dead, 2 succeeded", or the state alone if there is one run; red if a run is dead.
func slotRuns(r *api.SlotRuns) any {
	if r == nil || len(r.States) == 0 {
		return Cell{Text: "-"}
	}
	cell := Cell{Text: counted(r.States)}
	for _, state := range slices.Sorted(maps.Keys(r.States)) {
		cell.Color = State(state).Color
		if len(r.States) == 1 && r.States[state] == 1 {
			cell.Text = state
		}
	}
	if r.States["dead"] > 0 {
		cell.Color = Red
	}
	return cell
}
