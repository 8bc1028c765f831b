//go:build unix

package input

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poll waits at most d, and reports whether a read of the pipe f does not block. It may return early.
func poll(f *os.File, d time.Duration) (ready bool, err error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}, int(d.Milliseconds()))
	switch {
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("poll: %w", err)
	}
	return n > 0, nil
}
