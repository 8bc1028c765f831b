package measure

import (
	"context"
	"time"

	"evrun/store"
)

// Stored is what the store says of all handlers, as it was at the last look. The zero value knows nothing. One goroutine at a time may use it.
type Stored struct {
	Handlers map[string]store.Consumer
	Counts   map[string]store.Counts

	next time.Time // when runs may be counted again
}

// Look reads the store. Where that fails, the last answer stays. Counting many dead runs takes time: it is repeated so seldom that it takes a twentieth
// of the time.
func (s *Stored) Look(ctx context.Context, from store.Store) {
	if list, err := from.Handlers(ctx); err == nil {
		s.Handlers = make(map[string]store.Consumer, len(list))
		for _, c := range list {
			if c.State != store.Forgotten {
				s.Handlers[c.Name] = c
			}
		}
	}
	began := time.Now()
	if began.Before(s.next) {
		return
	}
	if counts, err := from.Counts(ctx); err == nil {
		s.Counts = counts
	}
	now := time.Now()
	s.next = now.Add(20 * now.Sub(began))
}
