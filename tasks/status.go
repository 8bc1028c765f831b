package tasks

import "context"

// HandlerStatus says how a wired handler gets on.
type HandlerStatus struct {
	Name string   `json:"name"`
	Kind string   `json:"do"`
	On   []string `json:"on"`
	// Behind is how many events of the journal, of whatever type, came after the last one up to which all is dealt with.
	Behind   int64 `json:"behind"`
	Running  int   `json:"running"` // attempts under way
	Retrying int   `json:"retrying"`
	Dead     int   `json:"dead"`
	// Replacing says that the handler as it was before a reload still ends what it had begun.
	Replacing bool `json:"replacing,omitempty"`
}

// consumerStatus is what a consumer says of itself.
type consumerStatus struct {
	lowWater int64
	running  int
}

// Status says how each wired handler gets on, in the order of the file.
func (r *Runner) Status(ctx context.Context) ([]HandlerStatus, error) {
	head, err := r.o.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := r.o.Store.Counts(ctx)
	if err != nil {
		return nil, err
	}
	now := r.wired.Load()
	list := make([]HandlerStatus, 0, len(now.handlers))
	for _, h := range now.handlers {
		n := counts[h.Name]
		s := HandlerStatus{Name: h.Name, Kind: h.Kind, On: []string{}, Retrying: n.Retrying, Dead: n.Dead, Replacing: r.replacing(h.Name)}
		for _, p := range h.On {
			s.On = append(s.On, p.String())
		}
		if c, ok := now.members[h.Name].status(ctx); ok {
			s.Behind, s.Running = max(0, head-c.lowWater), c.running
		}
		list = append(list, s)
	}
	return list, ctx.Err()
}

// status asks a member's consumer; ok is false when it has not begun, or has ended.
func (m *member) status(ctx context.Context) (s consumerStatus, ok bool) {
	select {
	case <-m.begun:
	default:
		return s, false
	}
	answer := make(chan consumerStatus, 1)
	select {
	case m.c.ask <- answer:
		return <-answer, true
	case <-m.c.ended:
	case <-ctx.Done():
	}
	return s, false
}
