package stream

import (
	"context"
	"slices"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
)

// How much of the journal streams read at a time.
const (
	pageBytes   = 256 << 10 // of data in one page, plus the event that fills it
	pageLook    = 4000      // sequences that are looked at for a page
	recentBytes = 6 << 20   // of pages that are kept for other streams
	recentPages = 512
	pageReads   = 4 // pages that are read at the same time, but for those with a condition, which are read one at a time

	// conditionTime ends a page that has evaluated a condition for so long.
	conditionTime = 50 * time.Millisecond
)

// page is a part of the journal as a filter sees it, encoded once for all streams with that filter. It is never changed.
type page struct {
	key     pageKey
	through int64 // it has all that match after the key's sequence, up to this one
	end     bool  // the journal had nothing more
	chunk   chunk
}

type pageKey struct {
	filter string
	after  int64
}

// pages reads the journal for streams that are not at its end. Streams with the same filter share the reading, the encoding and the memory. A stream
// holds a page only while it writes it.
type pages struct {
	journal store.Journal
	gate    *gate
	reads   chan struct{} // pageReads places
	scans   chan struct{} // one place

	mu      sync.Mutex
	recent  []*page // by mu, the last used at the end
	kept    int     // by mu: bytes of recent
	reading map[pageKey]*pageRead
}

// pageRead is a page that is being read.
type pageRead struct {
	done chan struct{}
	page *page // valid when done
	err  error
}

func newPages(journal store.Journal, g *gate) *pages {
	return &pages{journal: journal, gate: g, reads: make(chan struct{}, pageReads), scans: make(chan struct{}, 1), reading: map[pageKey]*pageRead{}}
}

// next returns a page with what matches after a sequence, and maybe some before it. Its end is one that the journal had after next was called.
func (p *pages) next(ctx context.Context, f *Filter, key pageKey) (*page, error) {
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
			p.read(ctx, f, key, read)
			return read.page, read.err
		}
		p.mu.Unlock()
		select {
		case <-read.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// A read that began before this call may have found an end that is out of date. A second read began after it.
		if read.err == nil && (!read.page.end || joined) {
			return read.page, nil
		}
		joined = true
	}
}

// find needs mu.
func (p *pages) find(key pageKey) *page {
	for i, page := range p.recent {
		if page.key.filter == key.filter && page.key.after <= key.after && key.after < page.through {
			p.recent = append(slices.Delete(p.recent, i, i+1), page)
			return page
		}
	}
	return nil
}

func (p *pages) read(ctx context.Context, f *Filter, key pageKey, read *pageRead) {
	places := p.reads
	if f.OnEvents != nil {
		places = p.scans
	}
	select {
	case places <- struct{}{}:
		began := time.Now()
		read.page, read.err = p.load(ctx, f, key)
		release := func() { <-places }
		if took := time.Since(began); f.OnEvents != nil && read.err == nil && !read.page.end {
			time.AfterFunc(took, release) // a rest: whoever searches the history takes half of a processor
		} else {
			release()
		}
	case <-ctx.Done():
		read.err = ctx.Err()
	}
	p.mu.Lock()
	delete(p.reading, key)
	if read.err == nil && read.page.through > key.after {
		p.keep(read.page)
	}
	p.mu.Unlock()
	close(read.done)
}

// load reads a page. It ends where it has enough, or has taken long enough.
func (p *pages) load(ctx context.Context, f *Filter, key pageKey) (*page, error) {
	q := f.query()
	q.After, q.MaxBytes = key.after, pageBytes
	part, err := p.journal.ScanEvents(ctx, q, pageLook)
	if err != nil {
		return nil, err
	}
	page := &page{key: key, through: part.Reached, end: part.End}
	if part.End {
		page.through = key.after
		if n := len(part.Items); n > 0 {
			page.through = part.Items[n-1].Sequence
		}
	}
	if f.OnEvents == nil {
		for _, e := range part.Items {
			if err := page.add(e); err != nil {
				return nil, err
			}
		}
	} else if err := p.sift(page, f, part.Items); err != nil {
		return nil, err
	}
	page.chunk.text, page.chunk.marks = slices.Clip(page.chunk.text), slices.Clip(page.chunk.marks)
	return page, nil
}

// sift adds those events for which the condition is true. The page ends earlier if that takes long.
func (p *pages) sift(page *page, f *Filter, found []*events.Event) (err error) {
	t, began, failed := newTurn(), time.Now(), failures{}
	for done := 0; done < len(found); {
		from := found[done:]
		done += p.gate.some(t, len(from), func(c *condition, i int) {
			is, failure := c.event(f.OnEvents, from[i])
			if failure != nil {
				failed.add(eventName(from[i]), failure)
			}
			if is && err == nil {
				err = page.add(from[i])
			}
		})
		if err != nil {
			return err
		}
		if done < len(found) && time.Since(began) > conditionTime {
			page.through, page.end = found[done-1].Sequence, false
			break
		}
	}
	if note := failed.block(); note != nil {
		page.chunk.add(page.through, note)
	}
	return nil
}

func (p *page) add(e *events.Event) (err error) {
	if p.chunk.text, err = appendEventBlock(p.chunk.text, e); err == nil {
		p.chunk.marks = append(p.chunk.marks, mark{e.Sequence, len(p.chunk.text)})
	}
	return err
}

// keep needs mu.
func (p *pages) keep(page *page) {
	p.recent = append(p.recent, page)
	p.kept += page.chunk.size()
	for len(p.recent) > 1 && (p.kept > recentBytes || len(p.recent) > recentPages) {
		p.kept -= p.recent[0].chunk.size()
		p.recent = slices.Delete(p.recent, 0, 1)
	}
}
