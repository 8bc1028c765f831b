package sqlite

import (
	"context"
	"time"
)

// watchEvery is the interval of the checks of the store's files, which have their own goroutine.
const watchEvery = time.Second

// watch checks the store's files until ctx ends, and ends the writer when they are lost.
func (s *Store) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if err := s.files.Replaced(); err != nil {
			// The last connection removes the WAL by name when it is closed, and that name may belong to another store now.
			s.keepWAL.Store(true)
			s.w.lose(err)
			return
		}
	}
}

// lose ends the writer with err, a [store.ErrReplaced]: it commits nothing more. It may be called once.
func (w *writer) lose(err error) {
	w.loss = err
	close(w.lost)
}
