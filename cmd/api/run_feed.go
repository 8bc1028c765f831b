package api

import (
	"errors"
	"sync"

	"evrun/events"
	"evrun/store"
)

// runsBytes is how much of the runs' news may wait for one stream. A reader that has more is told that it missed some.
const runsBytes = 1 << 20

// runFeed gives the runs that change to the streams that want them, encoded once for all.
type runFeed struct {
	commits *events.Feed[store.Commit]
	pump    sync.WaitGroup

	mu      sync.Mutex
	readers map[*runReader]bool                // by mu
	sub     *events.Subscription[store.Commit] // by mu; nil: nobody reads
}

// runReader is what waits for one stream.
type runReader struct {
	feed *runFeed
	wake chan struct{} // something was committed since take

	// By feed.mu.
	waiting []runBlock
	bytes   int
	taken   int  // bytes that the last take gave
	lost    bool // some were left out
	closed  bool // nothing comes any more
}

// runBlock is a run's change as a server-sent event.
type runBlock struct {
	typ  string // of its event
	text []byte
}

func newRunFeed(commits *events.Feed[store.Commit]) *runFeed {
	return &runFeed{commits: commits, readers: map[*runReader]bool{}}
}

// subscribe gives all that changes from now on.
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

// take gives what waits, and ends the use of what it gave before. lost: some changes before it were left out.
func (r *runReader) take() (blocks []runBlock, lost, closed bool) {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	blocks, lost, closed = r.waiting, r.lost, r.closed
	r.waiting, r.bytes, r.taken, r.lost = nil, 0, r.bytes, false
	return blocks, lost, closed
}

// read hands commits on until nobody wants them.
func (f *runFeed) read(sub *events.Subscription[store.Commit]) {
	for {
		for c := range sub.C() {
			f.hand(blocksOf(c.Runs))
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

func blocksOf(runs []store.Run) []runBlock {
	blocks := make([]runBlock, 0, len(runs))
	for _, run := range runs {
		text, err := events.MarshalJSON(RunOf(run))
		if err != nil {
			continue // a run has nothing that JSON can't hold
		}
		blocks = append(blocks, runBlock{run.Type, append(append([]byte("event: run\ndata: "), text...), "\n\n"...)})
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

// buffered is how many bytes wait for readers, those that several wait for counted several times.
func (f *runFeed) buffered() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		n += r.bytes + r.taken
	}
	return n
}
