package columns

import (
	"encoding/json"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
)

// Handler is a row of the table handlers.
type Handler struct {
	ID              int64 // 0: it has no row yet
	Name            string
	LowWater, Since int64
	Active, Paused  bool
	Patterns        string // see [EncodePatterns]
	Left            bool   // it has LeftAt
	LeftAt          int64
	LeftHead        int64
	Heir            int64  // 0: none
	Predecessors    string // see [Handler.Succeed]
	Pause                  // by whom, if it is Paused
	DisabledAt      int64  // 0: it is not disabled
}

// Pause says who paused a handler; PausedAt is 0 if it returned late.
type Pause struct {
	PausedBy, PausedWhy string
	PausedAt            int64
}

// UnattendedKey is the key in meta for the journal's head before the first event that was accepted while no handlers were registered.
const UnattendedKey = "unattended"

// Forgotten reports whether the row is only kept because runs refer to it.
func (h *Handler) Forgotten() bool { return !h.Active && !h.Left }

// Consumer is the handler as callers of the store see it.
func (h *Handler) Consumer() store.Consumer {
	c := store.Consumer{ID: store.HandlerID(h.ID), Name: h.Name, LowWater: h.LowWater, Since: max(0, h.Since), Paused: h.Paused, LeftHead: h.LeftHead,
		On: decodePatterns(h.Patterns), Heir: store.HandlerID(h.Heir)}
	switch {
	case h.Active:
		c.State = store.Active
	case h.Left:
		c.State = store.Left
	default:
		c.State = store.Forgotten
	}
	_ = json.Unmarshal([]byte(h.Predecessors), &c.Predecessors) // Succeed wrote it; empty: none
	if h.Left && h.LeftAt > 0 {
		c.Left = microTime(h.LeftAt)
	}
	if h.PausedAt > 0 {
		c.Pause = store.Pause{By: h.PausedBy, Why: h.PausedWhy, At: microTime(h.PausedAt)}
	}
	if h.DisabledAt > 0 {
		c.Disabled = microTime(h.DisabledAt)
	}
	return c
}

// MarkAfter returns the mark of the handler once it has taken over from another.
func (h *Handler) MarkAfter(was *Handler) int64 {
	if h.Since >= 0 && h.Since < was.LeftHead { // both were wired at the same time: the heir keeps its own backlog
		return min(was.LowWater, h.LowWater)
	}
	return was.LowWater
}

// Succeed adds a handler that this one takes over from to its predecessors, with those that the other one has. head is the journal's head.
func (h *Handler) Succeed(was *Handler, head int64) error {
	list := append(was.Consumer().Predecessors, store.Predecessor{Name: was.Name, Head: head})
	for _, p := range h.Consumer().Predecessors {
		if !slices.ContainsFunc(list, func(newer store.Predecessor) bool { return newer.Name == p.Name && newer.Head >= p.Head }) {
			list = append(list, p)
		}
	}
	text, err := events.MarshalJSON(list)
	h.Predecessors = string(text)
	return err
}

// EncodePatterns is the text of a handler's patterns in its row.
func EncodePatterns(list []events.Pattern) (string, error) {
	text, err := events.MarshalJSON(events.PatternTexts(list))
	return string(text), err
}

// decodePatterns is the inverse of [EncodePatterns]. For any other text it returns nil, so that all types match.
func decodePatterns(text string) []events.Pattern {
	var names []string
	if json.Unmarshal([]byte(text), &names) != nil {
		return nil
	}
	var list []events.Pattern
	for _, name := range names {
		p, err := events.ParsePattern(name)
		if err != nil {
			return nil
		}
		list = append(list, p)
	}
	return list
}

// microTime is a time that is stored as microseconds since the Unix epoch, in UTC.
func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }
