package stream

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	writingBytes = 16 << 20 // of chunks that are being written, each counted once

	// slowAfter is how long a write takes at least before it is cut off to make room in writingBytes. Its reader can resume.
	slowAfter = time.Second
)

// writes bounds the memory of what is being written to readers.
type writes struct {
	mu      sync.Mutex
	begun   []*write        // by mu, in the order in which they began
	holding map[*chunk]held // by mu: the chunks that writes hold
	bytes   int             // by mu: their sizes
	freed   chan struct{}   // by mu: closed when bytes decreases; nil: nobody waits for that
	limit   int             // of bytes
	slow    time.Duration   // slowAfter
}

// held is a chunk that writes hold.
type held struct {
	writes int
	size   int // as it was when the first of them began
}

// write is a chunk that is being written to a reader.
type write struct {
	chunk *chunk
	began time.Time
	end   func() // cuts the write off
	ended bool   // by mu: it was cut off, since it took longest when room was needed
}

func newWrites() *writes {
	return &writes{holding: map[*chunk]held{}, limit: writingBytes, slow: slowAfter}
}

// begin counts a write of a chunk of a size until done, which must follow. It returns nil if all writes together would hold too much memory: the caller
// then drops the chunk and waits for room. end cuts the write off if its reader is too slow.
func (p *writes) begin(c *chunk, size int, end func()) *write {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.holding[c].writes == 0 && len(p.begun) > 0 && p.bytes+size > p.limit {
		slowest := p.begun[0]
		if time.Since(slowest.began) < p.slow {
			return nil
		}
		slowest.ended = true
		p.release(slowest)
		slowest.end()
	}
	h := p.holding[c]
	if h.writes++; h.writes == 1 {
		h.size = size
		p.bytes += size
	}
	p.holding[c] = h
	w := &write{chunk: c, began: time.Now(), end: end}
	p.begun = append(p.begun, w)
	return w
}

// done ends a write. The error is errSlowest if the write was cut off.
func (p *writes) done(w *write) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.ended {
		return errSlowest
	}
	p.release(w)
	return nil
}

// room waits until another write may begin.
func (p *writes) room(ctx context.Context) {
	p.mu.Lock()
	if p.freed == nil {
		p.freed = make(chan struct{})
	}
	freed, wait := p.freed, time.Duration(0)
	if len(p.begun) > 0 {
		wait = p.slow - time.Since(p.begun[0].began)
	}
	p.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-freed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// release needs mu.
func (p *writes) release(w *write) {
	for i := len(p.begun) - 1; i >= 0; i-- { // those that are stuck are at the beginning
		if p.begun[i] == w {
			p.begun = slices.Delete(p.begun, i, i+1)
			break
		}
	}
	h := p.holding[w.chunk]
	if h.writes--; h.writes > 0 {
		p.holding[w.chunk] = h
		return
	}
	delete(p.holding, w.chunk)
	p.bytes -= h.size
	if p.freed != nil {
		close(p.freed)
		p.freed = nil
	}
}
