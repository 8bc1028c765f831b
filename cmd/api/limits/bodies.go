package limits

import (
	"errors"
	"io"
	"net/netip"
	"sync"
)

// uncounted is how many bytes of each body are not counted: connections are bounded.
const uncounted = 64 << 10

// ErrBodies: the bodies of other requests take all the memory that they may have. It helps to try again.
var ErrBodies = errors.New("the bodies of other requests take all the memory that they may have")

// Bodies bounds the memory that bodies take together, while they are read and worked on. Only what has come of a body counts, and of that not its
// first 64 KiB: who announces much and sends little takes nothing from others.
type Bodies struct {
	Most int64 // bytes of all

	// Share is how many of them the bodies from one address can have, or from one network of IPv6 (/64); one body alone may be larger. 0: any number.
	// Addresses of this machine, and those that are not known, have no share.
	Share int64

	mu    sync.Mutex
	taken int64                // by mu
	from  map[netip.Addr]int64 // by mu: what each address has taken that has a share
}

// Held is a body whose bytes count until Release.
type Held struct {
	io.Reader
	all         *Bodies
	from        netip.Addr
	read, taken int64
}

// Reader counts what is read of a body. Reads fail with [ErrBodies] once the memory is used up. The caller must call Release.
func (b *Bodies) Reader(body io.Reader, from netip.Addr) *Held {
	if from = sharing(from); b.Share == 0 {
		from = netip.Addr{}
	}
	return &Held{Reader: body, all: b, from: from}
}

// Read reads the body.
func (h *Held) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if h.read += int64(n); h.read > uncounted {
		more := h.read - h.taken
		h.taken += more
		if !h.all.take(h.from, more, h.taken) {
			return n, ErrBodies
		}
	}
	return n, err
}

// Release gives the body's memory back. It can be called again. Not for concurrent use with Read.
func (h *Held) Release() {
	h.all.take(h.from, -h.taken, 0)
	h.taken, h.read = 0, 0
}

// take counts bytes of a body that has taken so many by now, and reports whether they may be had.
func (b *Bodies) take(from netip.Addr, more, body int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += more
	ok := b.taken <= b.Most
	if !from.IsValid() {
		return ok
	}
	if b.from == nil {
		b.from = map[netip.Addr]int64{}
	}
	b.from[from] += more
	of := b.from[from]
	if of == 0 {
		delete(b.from, from)
	}
	return ok && (of <= b.Share || of == body)
}

// sharing is the sender of what has a share; not valid for an address of this machine.
func sharing(from netip.Addr) netip.Addr {
	if plain(from).IsLoopback() {
		return netip.Addr{}
	}
	return Sender(from)
}
