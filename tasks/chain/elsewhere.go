package chain

import (
	"context"
	"slices"

	"evrun/events"
	"evrun/store"
)

// Elsewhere are handlers that only daemons elsewhere run, in a store that they share with this process: by its wiring, and by what the store has of them.
func Elsewhere(s store.Store, matching func(e *events.Event) []string) Handlers {
	return Handlers{
		Store: s, Matching: matching,
		Awaits: func(name string, e *events.Event) bool { return slices.Contains(matching(e), name) },
		Marks: func(ctx context.Context) (map[string]int64, error) {
			known, err := s.Handlers(ctx)
			if err != nil {
				return nil, err
			}
			marks := map[string]int64{}
			for _, h := range known {
				if h.State == store.Active { // one that takes over from another is not, until it has its mark
					marks[h.Name] = h.LowWater
				}
			}
			return marks, nil
		},
	}
}
