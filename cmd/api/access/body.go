package access

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

var errOver = errors.New("the token is no longer valid")

// body is the body of a request, which is not read any more when its token has ended. A deadline interrupts a read that waits, but only before the end of
// the body: after it, net/http reads ahead, and takes a deadline for the end of the connection; it would cancel all later requests on it, those of other
// tokens too.
type body struct {
	io.ReadCloser
	control *http.ResponseController

	mu   sync.Mutex
	over bool // by mu: the token has ended
	read bool // by mu: to its end
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	over := b.over
	b.mu.Unlock()
	if over {
		return 0, errOver
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.read = true
	}
	return n, err
}

// end ends the reads.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over = true; !b.read {
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}
