// Package stopping listens for the signals that stop evrun (SIGINT and SIGTERM) from its own initialisation on, which comes
// before that of the larger packages: one that arrives while evrun starts stops it as one that arrives later does, and does
// not kill it. It imports the standard library alone, so that nothing else is initialised first.
package stopping

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// ErrInterrupted is the cause of a context that a signal has ended.
var ErrInterrupted = errors.New("interrupted")

// countsAfter is how long after the first signal another one counts: `timeout` and some supervisors send one twice within a
// millisecond, to the process and to its group.
const countsAfter = time.Second

var signals = make(chan os.Signal, 4)

func init() { signal.Notify(signals, os.Interrupt, syscall.SIGTERM) }

// Context ends at the first signal. A further one, a second or more later, calls again. release ends the listening, and
// waits for it; later signals have no effect.
func Context(again func()) (ctx context.Context, release func()) { return listen(signals, again) }

func listen(signals <-chan os.Signal, again func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var first time.Time
		for {
			select {
			case <-signals:
				switch {
				case first.IsZero():
					first = time.Now()
					cancel(ErrInterrupted)
				case time.Since(first) >= countsAfter:
					again()
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		close(done)
		<-ended
		cancel(nil)
	}
}
