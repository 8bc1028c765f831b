package chain

import (
	"context"
	"time"

	"evrun/store"
	"evrun/tasks/search"
)

// Cancelled returns a run that is being cancelled when it has ended, or as it is after so long, or when ctx ends. feed has the store's commits; subscribe
// before the run is cancelled to miss none.
func Cancelled(ctx context.Context, s store.Store, id string, feed <-chan store.Commit, wait time.Duration) (store.Run, error) {
	ctx, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for {
		run, err := search.Run(context.WithoutCancel(ctx), s, id)
		if err != nil || !run.Cancelling || !mayHaveEnded(ctx, feed, id) {
			return run, err
		}
	}
}

// mayHaveEnded returns true when a commit has ended a run, or after a second, because commits may have been missed; false when ctx has ended.
func mayHaveEnded(ctx context.Context, feed <-chan store.Commit, id string) bool {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	for {
		select {
		case c, ok := <-feed:
			if !ok {
				feed = nil // they came too fast: look again and again
			}
			for i := range c.Runs {
				if c.Runs[i].ID == id && c.Runs[i].State.Ended() {
					return true
				}
			}
		case <-again.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
