package feed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"evrun/store"
)

// follow reads what others have committed, until ctx ends.
func (f *Feed) follow(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	look := true
	for {
		f.publishing.Lock()
		bounded, cancel := context.WithTimeout(ctx, catchUpWithin)
		err := f.catchUp(bounded, look)
		cancel()
		f.note(ctx, err)
		f.publishing.Unlock()
		if look = look && err != nil; err != nil {
			pause(ctx, 100*time.Millisecond)
		} else if !f.waiting() {
			select {
			case <-f.wake:
			case <-ticker.C:
				look = true
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// catchUpWithin bounds what is read in one go, on connections to a server that may have gone without a word. The next go continues.
const catchUpWithin = 10 * time.Second

// note warns of an error, once while it stays the same. It needs publishing.
func (f *Feed) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		f.warned = ""
	case ctx.Err() == nil && f.warned == "":
		f.warned = err.Error()
		f.opt.Warn("what other daemons write can't be read now: " + f.warned)
	}
}

// catchUp publishes what this process and others have committed. With look, it finds that out by itself. It needs publishing.
func (f *Feed) catchUp(ctx context.Context, look bool) error {
	f.mu.Lock()
	heard := f.heard
	f.heard = heardNothing(heard)
	f.mu.Unlock()
	again := func(err error) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.heard.changes = f.heard.changes || heard.changes
		f.heard.head = max(f.heard.head, heard.head)
		return err
	}
	if look {
		head, last, err := f.head(ctx)
		if err != nil {
			return again(err)
		}
		if head < f.last || f.another(last) {
			f.wentBack()
			f.last, f.lastID = head, ""
		}
		heard.head = max(heard.head, head)
	}
	if f.opt.OnCommit != nil {
		q := f.take()
		for i := range q {
			if err := f.readTo(ctx, q[i].behind()); err != nil {
				f.putBack(q[i:])
				return again(err)
			}
			f.publish(&q[i])
		}
		if err := f.readTo(ctx, heard.head); err != nil {
			return again(err)
		}
		if err := f.runsOfOthers(ctx, heard.runs); err != nil {
			return again(err)
		}
	}
	if look || heard.changes {
		if err := f.readChanges(ctx); err != nil {
			heard.changes = true
			return again(err)
		}
	}
	return nil
}

// another reports whether the last published event was another one than that which the journal has now; an empty id: none is there.
func (f *Feed) another(id string) bool { return id != "" && f.lastID != "" && id != f.lastID }

func (f *Feed) wentBack() {
	f.opt.WentBack(fmt.Errorf("event #%d was another one before, or is not there any more", f.last))
}

func heardNothing(h heard) heard { return heard{head: h.head} }

// readTo publishes what others have written up to a sequence.
func (f *Feed) readTo(ctx context.Context, sequence int64) error {
	for f.last < sequence {
		page, err := f.opt.Reader.Events(ctx, store.EventQuery{After: f.last - 1, Before: sequence + 1, Limit: pageSize})
		if err != nil {
			return err
		}
		if len(page) > 0 && page[0].Sequence == f.last { // known; but is it still the one that is?
			if f.another(page[0].ID) {
				f.wentBack()
			}
			if page = page[1:]; len(page) == 0 && sequence > f.last {
				page, err = f.opt.Reader.Events(ctx, store.EventQuery{After: f.last, Before: sequence + 1, Limit: pageSize})
				if err != nil {
					return err
				}
			}
		}
		if len(page) == 0 { // a hole, or deleted events
			f.last, f.lastID = sequence, ""
			return nil
		}
		f.last, f.lastID = page[len(page)-1].Sequence, page[len(page)-1].ID
		f.opt.OnCommit(store.Commit{Events: page, Elsewhere: true})
	}
	return nil
}

// runsOfOthers publishes runs that others have changed.
func (f *Feed) runsOfOthers(ctx context.Context, keys []Key) error {
	if len(keys) == 0 || f.opt.WantRuns == nil || !f.opt.WantRuns() {
		return nil
	}
	runs, err := f.runs(ctx, keys)
	if err == nil && len(runs) > 0 {
		f.opt.OnCommit(store.Commit{Runs: runs, Elsewhere: true})
	}
	return err
}

// runs reads runs, page by page.
func (f *Feed) runs(ctx context.Context, keys []Key) (runs []store.Run, err error) {
	byHandler := map[store.HandlerID][]int64{}
	for _, k := range keys {
		byHandler[k.Handler] = append(byHandler[k.Handler], k.Sequence)
	}
	for _, h := range slices.Sorted(maps.Keys(byHandler)) {
		for some := range slices.Chunk(byHandler[h], pageSize) {
			page, err := f.opt.Reader.RunsOf(ctx, h, some)
			if err != nil {
				return nil, err
			}
			runs = append(runs, page...)
		}
	}
	return runs, nil
}

func (f *Feed) foreign(c store.Foreign) {
	if f.opt.OnForeign != nil {
		f.opt.OnForeign(c)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
