package erase

import (
	"context"
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/sqlite/wal"
)

// scrubPages is how many unused pages Scrub gives back in one transaction, scrubTries how often it tries to empty the log.
const (
	scrubPages = 256
	scrubTries = 50
)

// Scrub gives the unused pages of a store back, writes zeros over the unused parts of the others, and empties the log.
func Scrub(ctx context.Context, s store.Retention, log *wal.Log) error {
	for given := int64(1); given > 0; {
		var err error
		if given, err = s.GiveBack(ctx, scrubPages); err != nil {
			return err
		}
	}
	if err := Pages(ctx, log.Path()); err != nil {
		return err
	}
	for range scrubTries {
		if log.GiveBack(ctx) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("empty the write-ahead log: %w: another program reads the store", store.ErrBusy)
}
