package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"evrun/events"
	"evrun/store"
)

// The states of a handler in [HandlerStatus].
const (
	StateActive   = "active"
	StatePaused   = "paused"   // returned late or paused by somebody, waits for [Resume]
	StateDisabled = "disabled" // by the wiring
	StateLeft     = "left"     // not in the wiring, keeps its mark
	StateNew      = "new"      // no daemon has run it yet
)

// HandlerStatus is the state of a handler and its position in the journal.
type HandlerStatus struct {
	Name  string   `json:"name"`
	State string   `json:"state"` // active, paused, disabled, left; without a daemon also new
	Kind  string   `json:"do,omitempty"`
	On    []string `json:"on"`
	// Description and Labels are those of the wiring file.
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Nodes       []string          `json:"nodes,omitempty"` // which daemons run it, by their names or labels; absent: all
	// Behind is the number of events of any type after the handler's low-water mark.
	Behind int64 `json:"behind"`
	// Waiting is the number of the handler's events without a run, or with one whose first attempt is only claimed ahead; nil: not counted. With AtMost
	// it is an upper bound.
	Waiting  *int64 `json:"waiting,omitempty"`
	AtMost   bool   `json:"at_most,omitempty"`
	Running  int    `json:"running"` // attempts under way
	Retrying int    `json:"retrying"`
	Dead     int    `json:"dead"`
	// Replacing says that the handler's version from before a reload still has running attempts.
	Replacing bool       `json:"replacing,omitempty"`
	LeftAt    *time.Time `json:"left_at,omitempty"`
	// LeftWith is the number of events that were waiting when it left.
	LeftWith int64 `json:"left_with,omitempty"`
	// Pause says who paused or disabled the handler; nil: nobody, or it returned late.
	Pause *Pause `json:"pause,omitempty"`

	// Of the status of a running daemon only.

	Rate   *int `json:"ended_last_minute,omitempty"` // runs that ended
	Silent bool `json:"silent,omitempty"`            // its worker didn't answer in time: the numbers are older
	Recent
}

// Recent is what came of a handler's last runs.
type Recent struct {
	Last      *Result  `json:"last,omitempty"`       // of the last run that ended
	LastError *Failure `json:"last_error,omitempty"` // of the last attempt that failed
}

// Result is how a run ended.
type Result struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

// Failure is why an attempt failed.
type Failure struct {
	Error string    `json:"error"` // the first line
	At    time.Time `json:"at"`
}

// Pause says who paused a handler.
type Pause struct {
	By    string     `json:"by"` // such as "ada (uid 1000)", or "the wiring file"
	Why   string     `json:"why,omitempty"`
	Since *time.Time `json:"since,omitempty"`
}

// PauseOf says who paused a handler; nil: nobody did.
func PauseOf(p store.Pause) *Pause {
	if p.At.IsZero() {
		return nil
	}
	return &Pause{By: p.By, Why: p.Why, Since: &p.At}
}

// Unfinished returns the handler's waiting events and unsettled runs; for a handler that has left, as of that time.
func (s *HandlerStatus) Unfinished() Unfinished {
	u := Unfinished{Name: s.Name, Waiting: s.LeftWith, AtMost: s.AtMost, Running: s.Running, Retrying: s.Retrying, Dead: s.Dead}
	if s.State != StateLeft && s.Waiting != nil {
		u.Waiting = *s.Waiting
	}
	return u
}

// Wired is what the wiring says about a handler.
type Wired struct {
	Name     string
	Was      string // its previous name; empty: none
	Kind     string
	On       []events.Pattern
	FromMark bool // it is not paused, however late it returns
	Disabled bool // it must not run

	Description string
	Labels      map[string]string
	Nodes       []string
}

// Live is what only the worker of a running handler knows.
type Live struct {
	LowWater int64
	Running  int // attempts under way
	Ahead    int // attempts that are claimed and have not begun: the store counts their runs as running
}

// Statuses joins a wiring with the counts of the store and of the running handlers: the status of each wired handler, in the order of the wiring,
// followed by the handlers that have left, and those that only other daemons have, with all even those that have no unfinished work. s is nil if no
// store exists yet. live asks a handler's worker; it returns false if there is none. No count of waiting events begins after countUntil, and none goes on
// for a second longer: then an upper bound is given. Zero: each count may take as long as the store lets it.
func Statuses(ctx context.Context, s store.Store, handlers []Wired, all bool, countUntil time.Time, live func(name string) (Live, bool)) ([]HandlerStatus, error) {
	if s == nil {
		list := make([]HandlerStatus, len(handlers))
		for i, h := range handlers {
			list[i] = newStatus(h)
		}
		return list, nil
	}
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]HandlerStatus, 0, len(handlers))
	for _, h := range handlers {
		st := newStatus(h)
		i := slices.IndexFunc(known, func(c store.Consumer) bool { return c.Name == h.Name && c.State != store.Forgotten })
		if i < 0 {
			list = append(list, st)
			continue
		}
		c := known[i]
		known = slices.Delete(known, i, i+1)
		c.On = h.On
		l, ok := live(h.Name)
		if ok {
			c.LowWater = max(c.LowWater, l.LowWater) // so that a handler with nothing to do counts no events of others
		}
		st.count(counts[h.Name], head-c.LowWater)
		if err := st.stand(ctx, s, c, h, countUntil); err != nil {
			return nil, err
		}
		if ok {
			st.Running = l.Running
			*st.Waiting += int64(l.Ahead)
		}
		list = append(list, st)
	}
	for _, c := range known {
		if c.State == store.Forgotten {
			continue
		}
		st := HandlerStatus{Name: c.Name, On: events.PatternTexts(c.On)}
		st.count(counts[c.Name], head-c.LowWater)
		listed, err := st.absent(ctx, s, c, all, countUntil)
		if err != nil {
			return nil, err
		}
		if listed {
			list = append(list, st)
		}
	}
	return list, nil
}

// absent sets the state of a handler that is not in the wiring, and reports whether it is listed.
func (st *HandlerStatus) absent(ctx context.Context, s store.Store, c store.Consumer, all bool, countUntil time.Time) (listed bool, err error) {
	if c.Elsewhere {
		st.elsewhere(c)
	} else if err := st.left(ctx, s, c); err != nil || !all && st.Unfinished().nothing() {
		return false, err
	}
	err = st.wait(ctx, s, c, countUntil)
	return all || !st.Unfinished().nothing(), err
}

// left sets the state of a handler that has left.
func (st *HandlerStatus) left(ctx context.Context, s store.Store, c store.Consumer) (err error) {
	if st.State = StateLeft; !c.Left.IsZero() {
		at := c.Left.UTC()
		st.LeftAt = &at
	}
	upTo := c.LeftHead
	if c.State == store.Active { // without a daemon: it leaves when one starts
		upTo = 0
	}
	st.LeftWith, st.AtMost, err = s.CountWaiting(ctx, c, upTo)
	return err
}

// elsewhere sets the state of a handler that only other daemons have in their wiring.
func (st *HandlerStatus) elsewhere(c store.Consumer) {
	if st.State = StateActive; c.Paused {
		st.State, st.Pause = StatePaused, PauseOf(c.Pause)
	}
}

// newStatus is the status of a handler that the store does not know.
func newStatus(h Wired) HandlerStatus {
	return HandlerStatus{Name: h.Name, State: StateNew, Kind: h.Kind, On: events.PatternTexts(h.On), Description: h.Description, Labels: h.Labels, Nodes: h.Nodes}
}

func (st *HandlerStatus) count(n store.Counts, behind int64) {
	st.Behind, st.Running, st.Retrying, st.Dead = max(0, behind), n.Running, n.Retrying, n.Dead
}

// stand sets the state of a wired handler. For a handler that the store has as left, that is its state at the next start.
func (st *HandlerStatus) stand(ctx context.Context, s store.Store, c store.Consumer, h Wired, countUntil time.Time) error {
	if st.State = StateActive; c.Paused && (!h.FromMark || !c.Pause.At.IsZero()) {
		st.State, st.Pause = StatePaused, PauseOf(c.Pause)
	}
	err := st.wait(ctx, s, c, countUntil)
	if c.State == store.Left && err == nil && !st.Unfinished().nothing() && !h.FromMark && time.Since(c.Left) > store.ReturnWithin {
		st.State = StatePaused
	}
	if h.Disabled {
		st.State, st.Pause = StateDisabled, &Pause{By: "the wiring file"}
		if !c.Disabled.IsZero() {
			st.Pause.Since = &c.Disabled
		}
	}
	return err
}

// wait counts the waiting events. Without time for it, every event after the mark may be one: a status must not fail when there is the most to see.
func (st *HandlerStatus) wait(ctx context.Context, s store.Store, c store.Consumer, countUntil time.Time) error {
	counting, cancel := ctx, context.CancelFunc(func() {})
	if !countUntil.IsZero() {
		counting, cancel = context.WithDeadline(ctx, countUntil.Add(time.Second))
	}
	defer cancel()
	n, atMost, err := int64(0), false, store.ErrTimeout
	if countUntil.IsZero() || time.Now().Before(countUntil) {
		n, atMost, err = s.CountWaiting(counting, c, 0)
	}
	if errors.Is(err, store.ErrTimeout) || counting.Err() != nil && ctx.Err() == nil {
		n, atMost, err = st.Behind, st.Behind > 0, nil
	}
	st.Waiting, st.AtMost = &n, st.AtMost || atMost
	return err
}
