package schedule

import (
	"context"
	"time"

	"evrun/store"
)

// Where several daemons share a store, one of them has the lead: it alone publishes slots. The others know where each schedule is from the marks in the
// store, and take over there. A slot that two daemons publish, because one has lost the lead and does not know it yet, has one event: its id follows from
// the slot.

// lead is what a scheduler knows of its lease.
type lead struct {
	lease   store.Lease // nil: it is the only one
	shared  bool        // other daemons have schedules of the store, too
	has     bool        // it publishes
	again   bool        // the schedules must be taken up again, because the lead was gained
	read    time.Time   // when the marks were last read
	changed chan struct{}
}

// hold asks for the lead.
func (s *Scheduler) hold(ctx context.Context) error {
	if s.o.Leases == nil {
		s.lead.has = true
		return nil
	}
	nodes, err := s.o.Leases.Nodes(ctx)
	if err != nil {
		return err
	}
	s.lead.shared = len(nodes) > 0
	s.lead.lease, err = s.o.Leases.Hold(ctx, store.Consumer{ID: store.LeadSchedules}, store.Division{Single: true})
	if err == nil {
		s.lead.has = len(s.lead.lease.Take().Gained) > 0
	}
	return err
}

// leadC has a token when the lead may have changed.
func (s *Scheduler) leadC() <-chan struct{} {
	if s.lead.lease == nil {
		return nil
	}
	return s.lead.lease.C()
}

// takeLead follows a change of the lead.
func (s *Scheduler) takeLead() {
	c := s.lead.lease.Take()
	if c.Asked|c.Lost != 0 {
		s.lead.has, s.lead.again = false, false
		for _, t := range s.timers {
			s.remove(t)
		}
	}
	if len(c.Gained) > 0 {
		s.lead.has, s.lead.again = true, true
	}
	if asked := c.Asked &^ c.Lost; asked != 0 {
		s.lead.has, s.lead.again = false, false
		s.lead.lease.Give(asked)
	}
}

// takeOver begins where another daemon stopped, if this one has gained the lead.
func (s *Scheduler) takeOver(ctx context.Context) error {
	if !s.lead.again {
		return nil
	}
	for _, t := range s.timers {
		s.remove(t)
	}
	if err := s.load(ctx); err != nil {
		return err
	}
	s.lead.again = false
	return nil
}

// Changed says that another process has changed marks. It does not block.
func (s *Scheduler) Changed() {
	select {
	case s.lead.changed <- struct{}{}:
	default: // the scheduler is about to look
	}
}

// refresh reads the marks, which other daemons may have moved, or whose schedules they have paused or resumed.
func (s *Scheduler) refresh(ctx context.Context) error {
	if !s.lead.shared {
		return nil
	}
	marks, err := s.o.Store.ScheduleMarks(ctx)
	if err != nil {
		return err
	}
	s.lead.read = s.now()
	for name, t := range s.timers {
		mark, ok := marks[name]
		if !ok || mark.Timing != t.mark.Timing || mark == t.mark {
			continue
		}
		t.resumed = t.resumed || t.mark.Paused && !mark.Paused
		if t.mark = mark; !s.lead.has || t.index >= 0 || mark.Paused || t.resumed {
			s.push(t)
		}
	}
	return nil
}

// freshen is refresh for an answer: a daemon without the lead knows the marks only from the store.
func (s *Scheduler) freshen(ctx context.Context) error {
	if s.lead.has {
		return nil
	}
	return s.refresh(ctx)
}

// alike reports whether all daemons have the same wiring, so that what it does not have is gone.
func (s *Scheduler) alike(ctx context.Context) bool {
	if !s.lead.shared {
		return true
	}
	nodes, err := s.o.Leases.Nodes(ctx)
	if err != nil {
		return false
	}
	for i := range nodes {
		if nodes[i].Wiring != nodes[0].Wiring {
			return false
		}
	}
	return true
}
