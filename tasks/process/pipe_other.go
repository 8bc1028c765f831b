//go:build !linux

package process

import "os"

// pipe makes a pipe to read from here, and the end that a command writes to.
func pipe() (ours, theirs *os.File, err error) { return os.Pipe() }

// input makes the input of a command.
func (l *launched) input(text []byte) (theirs *os.File, err error) {
	if len(text) == 0 {
		return os.Open(os.DevNull)
	}
	theirs, l.in, err = os.Pipe()
	l.rest = text
	return theirs, err
}
