package guard

import (
	"context"
	"fmt"
	"time"

	"evrun/store"
)

// Limit says when a statement is stopped: after so much time by the clock, and of the processor. 0: never.
type Limit struct{ Wall, Processor time.Duration }

// within is ctx with the limit; end lets go of it.
func (l Limit) within(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	begun := time.Now()
	read, unlock := func() time.Duration { return time.Since(begun) }, func() {}
	first := l.Wall
	if l.Processor > 0 {
		read, unlock = processorTime()
		first = l.Processor
	}
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(first, func() {
		<-ready
		used := read()
		switch {
		case l.Processor > 0 && used >= l.Processor:
			cancel(fmt.Errorf("%w: more than %v", store.ErrTimeout, l.Processor))
		case time.Since(begun) >= l.Wall:
			cancel(fmt.Errorf("%w: more than %v", store.ErrTimeout, l.Wall))
		default:
			timer.Reset(max(l.Processor-used, time.Millisecond))
		}
	})
	close(ready)
	return ctx, func() {
		timer.Stop()
		cancel(nil)
		unlock()
	}
}
