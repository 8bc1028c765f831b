package input

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var peekNamedPipe = windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")

// poll waits at most d, and reports whether a read of the pipe f does not block. It may return early.
func poll(f *os.File, d time.Duration) (ready bool, err error) {
	const slice = 10 * time.Millisecond // nothing waits for a pipe without reading it
	var waiting uint32
	ok, _, _ := peekNamedPipe.Call(f.Fd(), 0, 0, 0, uintptr(unsafe.Pointer(&waiting)), 0)
	if ok == 0 || waiting > 0 {
		return true, nil // an error, such as the end of the pipe, is the read's
	}
	time.Sleep(min(d, slice))
	return false, nil
}
