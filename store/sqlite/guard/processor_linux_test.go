package guard

import (
	"runtime"
	"testing"
	"time"
)

// Processor time counts from the call on, without the time that the thread used before.
func TestProcessorTimeBeginsWithTheCall(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const before = 50 * time.Millisecond
	burn := func(read func() time.Duration, until time.Duration) {
		for read() < until {
			for i := range 10_000 {
				_ = i * i
			}
		}
	}
	read, unlock := processorTime()
	defer unlock()
	burn(read, before)
	again, unlock := processorTime()
	defer unlock()
	if got := again(); got >= before {
		t.Errorf("it begins with %v", got)
	}
	burn(again, time.Millisecond)
	if first, second := read(), again(); second > first || first < before {
		t.Errorf("%v since the first call, %v since the second", first, second)
	}
}
