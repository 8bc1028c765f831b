package stopping

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestASecondSignalCountsFromOneSecondOn: `timeout` sends two within a millisecond, which are one wish.
func TestASecondSignalCountsFromOneSecondOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 4)
		again := 0
		ctx, release := listen(signals, func() { again++ })
		defer release()
		for _, step := range []struct {
			after time.Duration
			again int
		}{{0, 0}, {0, 0}, {time.Second - 1, 0}, {1, 1}, {0, 2}} {
			time.Sleep(step.after) // of the bubble's clock
			signals <- syscall.SIGTERM
			synctest.Wait()
			if !errors.Is(context.Cause(ctx), ErrInterrupted) || again != step.again {
				t.Errorf("%v later: %v, and %d calls, want %d", step.after, context.Cause(ctx), again, step.again)
			}
		}
	})
}
