package doctor

import (
	"context"
	"errors"

	"evrun/cmd/drivers"
	"evrun/store"
)

// database looks at a store in PostgreSQL.
func (x *examination) database(ctx context.Context) {
	at := x.cfg.Settings.Store
	s, err := drivers.OpenReader(ctx, at)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, store.ErrNotFound):
		x.add("store", Warning, "evrun serve makes it", "%s has no store yet", at)
		return
	case err != nil:
		x.fail("store", err)
		return
	}
	defer s.Close()
	head, err := s.Head(ctx)
	if err != nil {
		x.fail("store", err)
		return
	}
	x.add("store", OK, "", "%s: events up to #%d", at, head)
	x.contents(ctx, s)
}
