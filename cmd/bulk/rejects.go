package bulk

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// rejects is the file of the refused lines. It is made for the first of them; an existing file is appended to.
type rejects struct {
	path string // empty: refused lines are not kept

	mu sync.Mutex
	f  *os.File
}

func (r *rejects) put(line []byte) error {
	if r.path == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(append(line, '\n'))
}

// write must be called with mu locked.
func (r *rejects) write(text []byte) (err error) {
	if r.f == nil {
		if r.f, err = os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("--rejects: %w", err)
		}
	}
	if _, err := r.f.Write(text); err != nil {
		return fmt.Errorf("--rejects: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}

// long returns a writer for a line that is too long for memory; other lines wait until it is closed.
func (r *rejects) long() io.WriteCloser {
	r.mu.Lock()
	return (*longReject)(r)
}

type longReject rejects

func (l *longReject) Write(part []byte) (int, error) { return len(part), (*rejects)(l).write(part) }

func (l *longReject) Close() error {
	l.mu.Unlock()
	return nil
}
