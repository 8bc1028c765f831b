package control

import (
	"context"
	"fmt"

	"evrun/store"
)

// Unfinished is a handler with the number of events and runs that wait for it.
type Unfinished struct {
	Name     string `json:"name"`
	Waiting  int64  `json:"waiting"`           // events without a run
	AtMost   bool   `json:"at_most,omitempty"` // Waiting is an upper bound
	Running  int    `json:"running"`
	Retrying int    `json:"retrying"`
	Dead     int    `json:"dead"`
	Pause    *Pause `json:"pause,omitempty"` // who paused it; nil: nobody
}

// UnfinishedOf names the counts of a store.
func UnfinishedOf(name string, b store.Backlog) Unfinished {
	return Unfinished{Name: name, Waiting: b.Waiting, AtMost: b.AtMost, Running: b.Running, Retrying: b.Retrying, Dead: b.Dead}
}

// nothing reports whether nothing waits or runs. Dead runs don't count.
func (u Unfinished) nothing() bool { return u.Waiting == 0 && u.Running == 0 && u.Retrying == 0 }

// String returns a phrase such as "7 events wait, 2 runs are not settled".
func (u Unfinished) String() string {
	text := ""
	switch {
	case u.Waiting == 1 && !u.AtMost:
		text = "1 event waits"
	case u.Waiting > 0 && u.AtMost:
		text = fmt.Sprintf("at most %d events wait", u.Waiting)
	case u.Waiting > 0:
		text = fmt.Sprintf("%d events wait", u.Waiting)
	}
	if n := u.Running + u.Retrying; n > 0 {
		if text != "" {
			text += ", "
		}
		if n == 1 {
			text += "1 run is not settled"
		} else {
			text += fmt.Sprintf("%d runs are not settled", n)
		}
	}
	if text == "" {
		return "nothing waits"
	}
	return text
}

// Leaving returns the active handlers that are not in handlers, nor in the wiring of another daemon, and have unfinished work.
func Leaving(ctx context.Context, s store.Store, handlers []Wired) ([]Unfinished, error) {
	known, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	stay := map[string]bool{}
	for _, h := range handlers {
		stay[h.Name], stay[h.Was] = true, true
	}
	var list []Unfinished
	for _, c := range known {
		if c.State != store.Active || c.Elsewhere || stay[c.Name] {
			continue
		}
		b, err := s.Backlog(ctx, c, 0)
		if err != nil {
			return nil, err
		}
		if !b.Empty() {
			list = append(list, UnfinishedOf(c.Name, b))
		}
	}
	return list, nil
}

// Data returns the numbers as the data of a notice.
func (u Unfinished) Data() map[string]any {
	data := map[string]any{"handler": u.Name, "waiting": u.Waiting, "running": u.Running, "retrying": u.Retrying, "dead": u.Dead}
	if u.AtMost {
		data["at_most"] = true
	}
	return data
}
