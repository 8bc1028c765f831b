package doctor

import (
	"context"
	"errors"

	"evrun/cmd/api/shape"
	"evrun/cmd/drivers"
	"evrun/store"
	"evrun/store/postgres/checkup"
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
		x.server(ctx, at.Address)
		return
	case err != nil:
		x.fail("store", err)
		x.server(ctx, at.Address)
		return
	}
	defer s.Close()
	head, err := s.Head(ctx)
	if err != nil {
		x.fail("store", err)
		return
	}
	x.add("store", OK, "", "%s: events up to #%d", at, head)
	x.server(ctx, at.Address)
	x.contents(ctx, s)
}

// server looks at the server that has the store.
func (x *examination) server(ctx context.Context, address string) {
	levels := map[checkup.Level]shape.Level{checkup.OK: OK, checkup.Warning: Warning, checkup.Error: Error}
	for _, f := range checkup.Examine(ctx, address) {
		x.found = append(x.found, Finding{Check: f.Check, Level: levels[f.Level], Text: f.Text, Hint: f.Hint})
	}
}
