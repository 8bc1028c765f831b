package access

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

var errOver = errors.New("the token is no longer valid")

// body is the body of a request, which is not read any more when its token has ended. Only a read that waits is interrupted by a deadline: while no body is
// read, net/http reads ahead, and takes a deadline for the end of the connection; it would cancel all later requests on it, those of other tokens too.
type body struct {
	io.ReadCloser
	control *http.ResponseController

	mu      sync.Mutex
	over    bool // by mu
	reading bool // by mu
}

func (b *body) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, errOver
	}
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	return n, err
}

func (b *body) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = !b.over
	return b.reading
}

// end ends the reads.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over = true; b.reading {
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}
