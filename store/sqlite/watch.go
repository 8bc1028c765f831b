package sqlite

import (
	"context"
	"time"
)

// watchEvery is how often the store's files are looked at, beside the writer and not by it.
const watchEvery = time.Second

// watch ends the writer when the store's files are lost, until ctx ends.
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
			// The last connection to close removes the WAL by its name, which may be another store's now.
			s.keepWAL.Store(true)
			s.w.lose(err)
			return
		}
	}
}

// lose ends the writer with err, which is an [store.ErrReplaced]: it commits no more. It may be called once.
func (w *writer) lose(err error) {
	w.loss = err
	close(w.lost)
}
