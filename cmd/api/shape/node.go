package shape

import (
	"slices"
	"time"

	"evrun/store"
	"evrun/tasks/control"
)

// Node is a daemon that shares the store with others.
type Node struct {
	ID        int64     `json:"id,string"`        // of this start of the daemon
	Name      string    `json:"name"`             // by node.name, or of its machine
	Labels    []string  `json:"labels,omitempty"` // of the daemon, which the nodes of a handler may name
	Self      bool      `json:"self,omitempty"`   // the daemon that answers
	Version   string    `json:"version"`          // of its evrun
	Wiring    string    `json:"wiring"`           // the same for the same texts of wiring files
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"` // when others take over, if nothing is heard of it
	Slots     int       `json:"slots"`      // of all handlers
	Holds     []Holding `json:"holds"`      // by handler
	Leads     []string  `json:"leads"`      // what it does for all of them: schedules, retention
}

// Holding is how many of the 64 slots of a handler a node has: it alone runs the handler on the events in them.
type Holding struct {
	Handler string `json:"handler"`
	Slots   int    `json:"slots"` // how many it has
}

// NodeOf is the shape of a node.
func NodeOf(n store.Node) Node {
	s := Node{ID: n.ID, Name: n.Name, Labels: n.Labels, Self: n.Self, Version: n.Version, Wiring: n.Wiring, StartedAt: n.Started.UTC(), ExpiresAt: n.Expires.UTC(), Holds: []Holding{}, Leads: []string{}}
	for _, h := range n.Holdings {
		if h.Handler < 0 {
			s.Leads = append(s.Leads, h.Name)
			continue
		}
		s.Slots += h.Slots.Len()
		s.Holds = append(s.Holds, Holding{Handler: h.Name, Slots: h.Slots.Len()})
	}
	return s
}

// Unplaced returns the handlers with nodes of their own of which none is there.
func Unplaced(handlers []control.HandlerStatus, nodes []Node) (list []control.HandlerStatus) {
	for _, h := range handlers {
		if len(h.Nodes) > 0 && len(nodes) > 0 && h.State == control.StateActive && !slices.ContainsFunc(nodes, func(n Node) bool { return n.fits(h.Nodes) }) {
			list = append(list, h)
		}
	}
	return list
}

func (n *Node) fits(wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return w == n.Name || slices.Contains(n.Labels, w) })
}
