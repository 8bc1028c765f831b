package guard

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime returns a function that reads, from any goroutine, how much processor time the goroutine that called processorTime has used since.
// That goroutine is locked to its thread until it calls unlock.
func processorTime() (read func() time.Duration, unlock func()) {
	runtime.LockOSThread()
	clock := int32(^unix.Gettid()<<3 | 6) // the thread's own: CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED in Linux's posix-timers.h
	now := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(clock, &ts); err != nil {
			panic(os.NewSyscallError("clock_gettime", err)) // the thread exists
		}
		return time.Duration(ts.Nano())
	}
	begun := now()
	return func() time.Duration { return now() - begun }, runtime.UnlockOSThread
}
