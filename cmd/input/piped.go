// Package input reads what people give: the data of an event as a text that is piped in, or as fields as on the command lines of gh and httpie; and times.
package input

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// A pipe may be open though nobody writes into it: some supervisors start programs with one. Patience is how long the first byte may take, and
// longer is how long each next one.
const (
	Patience = 3 * time.Second
	longer   = 30 * time.Second
)

// ErrIdle is the error of a pipe that neither gives data nor ends.
var ErrIdle = errors.New("it is a pipe that is open, and nothing comes")

// Piped reads f to its end if it is a pipe or a regular file, as the standard input of a program is where somebody redirects it. Anything else (a
// terminal, /dev/null, a socket) gives nothing, and so does a closed one. The error is [ErrIdle] if the first byte takes longer than patience.
func Piped(ctx context.Context, f *os.File, patience time.Duration) ([]byte, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil //nolint:nilerr // it is closed
	case info.Mode().IsRegular():
		return io.ReadAll(f)
	case info.Mode()&os.ModeNamedPipe == 0:
		return nil, nil
	}
	var data []byte
	part := make([]byte, 64<<10)
	for {
		if err := readable(ctx, f, patience); err != nil {
			return nil, err
		}
		n, err := f.Read(part)
		data = append(data, part[:n]...)
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		patience = max(patience, longer)
	}
}

// readable waits until a read of f does not block.
func readable(ctx context.Context, f *os.File, patience time.Duration) error {
	const slice = 100 * time.Millisecond // in which ctx may end
	for deadline := time.Now().Add(patience); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		left := min(time.Until(deadline), slice)
		ready, err := poll(f, max(left, 0))
		switch {
		case err != nil:
			return err
		case ready:
			return nil
		case left <= 0:
			return ErrIdle
		}
	}
}
