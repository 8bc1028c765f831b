package bulk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// rejects is the file of the refused lines. It is made for the first of them; an existing file is appended to.
type rejects struct {
	path string // empty: refused lines are not kept
	head []byte // the first line of the file; nil: none

	mu sync.Mutex
	f  *os.File
}

func (r *rejects) put(line []byte) error {
	if r.path == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !bytes.HasSuffix(line, []byte("\n")) {
		line = append(line, '\n')
	}
	return r.write(line)
}

// begin writes the head of a new file, or checks that an older one has it.
func (r *rejects) begin() error {
	if r.head == nil {
		return nil
	}
	if !bytes.HasSuffix(r.head, []byte("\n")) {
		r.head = append(r.head, '\n')
	}
	before := make([]byte, len(r.head))
	old, err := os.Open(r.path)
	if err != nil {
		return fmt.Errorf("--rejects: %w", err)
	}
	defer old.Close()
	switch n, err := io.ReadFull(old, before); {
	case errors.Is(err, io.EOF):
		_, err = r.f.Write(r.head)
		return err
	case err == nil && bytes.Equal(before, r.head):
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("--rejects: %w", err)
	case n > 0:
		return fmt.Errorf("--rejects %s has another header than the file that is read: name another file", r.path)
	}
	return nil
}

// write must be called with mu locked.
func (r *rejects) write(text []byte) (err error) {
	if r.f == nil {
		if r.f, err = os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("--rejects: %w", err)
		}
		if err := r.begin(); err != nil {
			return err
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
