package stream

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
)

// How much memory streams use, whatever their readers do.
const (
	pageBytes    = 256 << 10 // of data in one page, plus the event that fills it
	recentBytes  = 16 << 20  // of pages that are kept for other streams
	writingBytes = 64 << 20  // of pages that are being written, each counted once
	pageReads    = 4         // pages that are read at the same time

	// slowAfter is how long a write takes at least before it is cut off to make room in writingBytes. Its reader can resume.
	slowAfter = time.Second
)

// streamPage is a part of the journal, encoded once for all streams. It is never changed.
type streamPage struct {
	patterns  string // that it was read with
	after     int64  // it has all matching events after this one...
	text      []byte
	sequences []int64 // ...up to its last
	ends      []int   // of each event in text
}

// beyond returns the part of the page with the events after a sequence.
func (p *streamPage) beyond(after int64) []byte {
	i := sort.Search(len(p.sequences), func(i int) bool { return p.sequences[i] > after })
	if i == 0 {
		return p.text
	}
	return p.text[p.ends[i-1]:]
}

func (p *streamPage) last() int64 { return p.sequences[len(p.sequences)-1] }

// pages reads the journal for streams. Streams that need the same events share the reading, the encoding and the memory. A stream
// holds a page only while it writes it.
type pages struct {
	journal store.Journal
	reads   chan struct{} // pageReads places

	mu      sync.Mutex
	recent  []*streamPage // by mu, the last used at the end
	kept    int           // by mu: bytes of recent
	reading map[pageKey]*pageRead
	writes  []*pageWrite        // by mu, in the order in which they began
	writers map[*streamPage]int // by mu: writes that hold a page
	written int                 // by mu: bytes of the pages that writes hold
	freed   chan struct{}       // by mu: closed when written decreases
	limit   int                 // of written
	slow    time.Duration       // slowAfter
}

type pageKey struct {
	patterns string
	after    int64
}

// pageRead is a page that is being read.
type pageRead struct {
	done chan struct{}
	page *streamPage // valid when done; nil: the journal ends there
	err  error
}

// pageWrite is a page that is being written to a reader.
type pageWrite struct {
	page  *streamPage
	began time.Time
	end   func() // cuts the write off
	ended bool   // by mu: it was cut off, since it took longest when room was needed
}

func newPages(journal store.Journal) *pages {
	return &pages{journal: journal, reads: make(chan struct{}, pageReads), reading: map[pageKey]*pageRead{}, writers: map[*streamPage]int{},
		freed: make(chan struct{}), limit: writingBytes, slow: slowAfter}
}

// next returns a page with the events after a sequence, and maybe some before it; nil if there were none when next was called.
func (p *pages) next(ctx context.Context, patterns []events.Pattern, key pageKey) (*streamPage, error) {
	for joined := false; ; {
		p.mu.Lock()
		if page := p.find(key); page != nil {
			p.mu.Unlock()
			return page, nil
		}
		read, others := p.reading[key]
		if !others {
			read = &pageRead{done: make(chan struct{})}
			p.reading[key] = read
			p.mu.Unlock()
			p.read(ctx, patterns, key, read)
			return read.page, read.err
		}
		p.mu.Unlock()
		select {
		case <-read.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// A read that began before this call may have found an end that is out of date. A second read began after it.
		if read.err == nil && (read.page != nil || joined) {
			return read.page, nil
		}
		joined = true
	}
}

// find needs mu.
func (p *pages) find(key pageKey) *streamPage {
	for i, page := range p.recent {
		if page.patterns == key.patterns && page.after <= key.after && key.after < page.last() {
			p.recent = append(slices.Delete(p.recent, i, i+1), page)
			return page
		}
	}
	return nil
}

func (p *pages) read(ctx context.Context, patterns []events.Pattern, key pageKey, read *pageRead) {
	select {
	case p.reads <- struct{}{}:
		read.page, read.err = p.load(ctx, patterns, key)
		<-p.reads
	case <-ctx.Done():
		read.err = ctx.Err()
	}
	p.mu.Lock()
	delete(p.reading, key)
	if read.page != nil {
		p.keep(read.page)
	}
	p.mu.Unlock()
	close(read.done)
}

func (p *pages) load(ctx context.Context, patterns []events.Pattern, key pageKey) (*streamPage, error) {
	evs, err := p.journal.Events(ctx, store.EventQuery{After: key.after, Patterns: patterns, MaxBytes: pageBytes})
	if err != nil || len(evs) == 0 {
		return nil, err
	}
	page := &streamPage{patterns: key.patterns, after: key.after}
	for _, e := range evs {
		if page.text, err = appendEventBlock(page.text, e); err != nil {
			return nil, err
		}
		page.sequences = append(page.sequences, e.Sequence)
		page.ends = append(page.ends, len(page.text))
	}
	page.text = slices.Clip(page.text)
	return page, nil
}

// keep needs mu.
func (p *pages) keep(page *streamPage) {
	p.recent = append(p.recent, page)
	p.kept += cap(page.text)
	for p.kept > recentBytes && len(p.recent) > 1 {
		p.kept -= cap(p.recent[0].text)
		p.recent = slices.Delete(p.recent, 0, 1)
	}
}

// begin counts a write of a page until done, which must follow. It returns nil if all writes together would hold too much memory:
// the caller then drops the page and waits for room. end cuts the write off if its reader is too slow.
func (p *pages) begin(page *streamPage, end func()) *pageWrite {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writers[page] == 0 && len(p.writes) > 0 && p.written+cap(page.text) > p.limit {
		slowest := p.writes[0]
		if time.Since(slowest.began) < p.slow {
			return nil
		}
		slowest.ended = true
		p.release(slowest)
		slowest.end()
	}
	if p.writers[page]++; p.writers[page] == 1 {
		p.written += cap(page.text)
	}
	w := &pageWrite{page: page, began: time.Now(), end: end}
	p.writes = append(p.writes, w)
	return w
}

// done ends a write. The error is errSlowest if the write was cut off.
func (p *pages) done(w *pageWrite) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.ended {
		return errSlowest
	}
	p.release(w)
	return nil
}

// room waits until another write may begin.
func (p *pages) room(ctx context.Context) {
	p.mu.Lock()
	freed, wait := p.freed, time.Duration(0)
	if len(p.writes) > 0 {
		wait = p.slow - time.Since(p.writes[0].began)
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
func (p *pages) release(w *pageWrite) {
	p.writes = slices.DeleteFunc(p.writes, func(x *pageWrite) bool { return x == w })
	if p.writers[w.page]--; p.writers[w.page] == 0 {
		delete(p.writers, w.page)
		p.written -= cap(w.page.text)
		close(p.freed)
		p.freed = make(chan struct{})
	}
}

// appendEventBlock writes an event as a server-sent event.
func appendEventBlock(dst []byte, e *events.Event) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, "id: "...), e.Sequence, 10)
	dst, err := e.AppendJSON(append(dst, "\nevent: event\ndata: "...))
	if err != nil {
		return nil, fmt.Errorf("event #%d: %w", e.Sequence, err)
	}
	return append(dst, "\n\n"...), nil
}
