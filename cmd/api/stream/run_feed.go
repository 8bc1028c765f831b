package stream

import (
	"context"
	"errors"
	"sync"

	"evrun/events"
	"evrun/store"
)

// runsBytes is how many bytes of changed runs may wait for one stream. A reader that falls further behind gets a gap.
const runsBytes = 1 << 20

// runFeed sends changed runs to the streams that subscribe, encoded once for all. Its goroutine, read, runs while there are
// subscribers.
type runFeed struct {
	commits *events.Feed[store.Commit]
	shape   func(context.Context, []store.Run) []any // what is sent of runs
	pump    sync.WaitGroup

	mu      sync.Mutex
	readers map[*runReader]bool                // by mu
	sub     *events.Subscription[store.Commit] // by mu; nil: there are no readers
}

// runReader has the changed runs that wait for one stream.
type runReader struct {
	feed *runFeed
	wake chan struct{} // something has changed since take

	// By feed.mu.
	waiting []runBlock
	bytes   int
	taken   int  // bytes that the last take returned
	lost    bool // some changes were dropped
	closed  bool // there will be no more changes
}

// runBlock is a changed run as a server-sent event.
type runBlock struct {
	typ  string // of its event
	text []byte
}

func newRunFeed(commits *events.Feed[store.Commit], shape func(context.Context, []store.Run) []any) *runFeed {
	return &runFeed{commits: commits, shape: shape, readers: map[*runReader]bool{}}
}

// subscribe returns a reader of all changes from now on.
func (f *runFeed) subscribe() *runReader {
	r := &runReader{feed: f, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers[r] = true
	if f.sub == nil {
		f.sub = f.commits.Subscribe(64)
		sub := f.sub
		f.pump.Go(func() { f.read(sub) })
	}
	return r
}

func (r *runReader) unsubscribe() {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if delete(f.readers, r); len(f.readers) == 0 && f.sub != nil {
		f.sub.Unsubscribe()
		f.sub = nil
	}
}

// take returns the blocks that wait; those of the take before must not be used any more. lost: some changes before them were
// dropped.
func (r *runReader) take() (blocks []runBlock, lost, closed bool) {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	blocks, lost, closed = r.waiting, r.lost, r.closed
	r.waiting, r.bytes, r.taken, r.lost = nil, 0, r.bytes, false
	return blocks, lost, closed
}

// read passes commits on until there are no readers.
func (f *runFeed) read(sub *events.Subscription[store.Commit]) {
	for {
		for c := range sub.C() {
			f.hand(f.blocksOf(c.Runs))
		}
		f.mu.Lock()
		if f.sub != sub { // the last reader has gone
			f.mu.Unlock()
			return
		}
		closed := !errors.Is(sub.Err(), events.ErrLagged)
		for r := range f.readers {
			r.lost, r.closed = true, closed
			r.notify()
		}
		if sub = nil; !closed {
			sub = f.commits.Subscribe(64)
		}
		f.sub = sub
		f.mu.Unlock()
		if closed {
			return
		}
	}
}

func (f *runFeed) blocksOf(runs []store.Run) []runBlock {
	blocks := make([]runBlock, 0, len(runs))
	for i, shape := range f.shape(context.Background(), runs) { // a look at the store, which bounds its time
		text, err := events.MarshalJSON(shape)
		if err != nil {
			continue // can't happen: all of a run can be written in JSON
		}
		blocks = append(blocks, runBlock{runs[i].Type, append(append([]byte("event: run\ndata: "), text...), "\n\n"...)})
	}
	return blocks
}

func (f *runFeed) hand(blocks []runBlock) {
	bytes := 0
	for _, b := range blocks {
		bytes += cap(b.text)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if r.bytes+bytes > runsBytes {
			r.waiting, r.bytes, r.lost = nil, 0, true
		} else {
			r.waiting = append(r.waiting, blocks...)
			r.bytes += bytes
		}
		r.notify()
	}
}

func (r *runReader) notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
