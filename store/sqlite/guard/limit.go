package guard

import (
	"context"
	"fmt"
	"time"

	"evrun/store"
)

// Limit is the time after which a statement is stopped, by the clock and of the processor. 0: no limit.
type Limit struct{ Wall, Processor time.Duration }

// within returns a context that ends at the limit, and a function that releases it.
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
