package retention

import (
	"context"
	"time"

	"evrun/store"
)

// Status is what is pruned, was pruned, and stays.
type Status struct {
	Events string `json:"events"`               // how old chains get: "30d", "off"
	Size   int64  `json:"size_bytes,omitempty"` // how large the store gets; 0: no bound
	Dedupe string `json:"dedupe"`               // how long the keys of pruned events are kept: "30d", "off"
	// AnnouncedAt and BeginsAt are set while a store of an older version is not pruned yet, because that must be announced for a day.
	AnnouncedAt *time.Time   `json:"announced_at,omitempty"`
	BeginsAt    *time.Time   `json:"begins_at,omitempty"`
	Pruned      store.Pruned `json:"pruned"` // since the store was made
	LastAt      *time.Time   `json:"last_at,omitempty"`
	NextAt      *time.Time   `json:"next_at,omitempty"`    // the next round
	Keys        int64        `json:"keys"`                 // of pruned events
	Kept        []store.Kept `json:"kept,omitempty"`       // old chains that could not go, when they were last looked at
	Lost        []store.Lost `json:"lost,omitempty"`       // by handlers that left the wiring
	Over        int64        `json:"over_bytes,omitempty"` // beyond the bound of the size, and in use
	Error       string       `json:"error,omitempty"`      // of the last round
}

// Space is what the store takes on the disk.
type Space struct {
	File     int64      `json:"file_bytes"`
	WAL      int64      `json:"wal_bytes"`
	Free     int64      `json:"free_bytes"`    // of the file's, which new data takes first
	Shrinks  bool       `json:"shrinks"`       // free space is given back to the file system
	Oldest   int64      `json:"oldest,string"` // the sequence of the oldest event; 0: there is none
	OldestAt *time.Time `json:"oldest_at,omitempty"`
}

// SpaceOf is the space that a store takes.
func SpaceOf(ctx context.Context, s store.Retention) (Space, error) {
	size, err := s.Sizes(ctx)
	return Space{File: size.File, WAL: size.WAL, Free: size.Free, Shrinks: size.Shrinks, Oldest: size.Oldest, OldestAt: orNil(size.OldestAt)}, err
}

// StatusOf is the status of a store by a policy, as far as the store has it.
func StatusOf(ctx context.Context, s store.Retention, p Policy, now time.Time) (Status, error) {
	state, err := s.Pruning(ctx)
	if err != nil {
		return Status{}, err
	}
	st := Status{Events: Text(p.Events), Size: p.Size, Dedupe: Text(p.Dedupe), Pruned: state.Total, LastAt: orNil(state.Last), Keys: state.Keys, Lost: state.Lost}
	if begins := state.Begins(now); p.Prunes() && now.Before(begins) {
		st.AnnouncedAt, st.BeginsAt = orNil(state.Announced), orNil(begins)
	}
	return st, nil
}

// Status is [StatusOf] with what the keeper knows.
func (k *Keeper) Status(ctx context.Context) (Status, error) {
	st, err := StatusOf(ctx, k.o.Store, k.Policy(), k.o.Now())
	if err != nil {
		return st, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	st.NextAt, st.Kept, st.Over = orNil(k.next), k.kept, k.over
	if k.failed != nil {
		st.Error = k.failed.Error()
	}
	return st, nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
