package status

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/cmd/cli"
	"evrun/cmd/drivers"
	"evrun/store"
)

// elsewhere is a status of the daemons that share the store of the wiring file, for a machine that runs none of them: the store knows it. Its error is [api.ErrNoDaemon] where the
// store is not shared, or no daemon runs anywhere.
func elsewhere(ctx context.Context, e *cli.Env) (s api.Status, err error) {
	cfg, err := e.Settings()
	if err != nil {
		return s, err
	}
	at := cfg.Settings.Store
	if !at.Shared() {
		return s, api.ErrNoDaemon
	}
	err = drivers.Read(ctx, at, func(open store.Store) error {
		list, err := open.Nodes(ctx)
		if err != nil {
			return err
		}
		s.Nodes = shape.Each(list, shape.NodeOf)
		if s.Head, err = open.Head(ctx); err != nil {
			return err
		}
		sizes, err := open.Sizes(ctx)
		s.StoreSize = sizes.File
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && len(s.Nodes) == 0:
		return s, api.ErrNoDaemon
	case err != nil:
		return s, err
	}
	s.Version, s.Config, s.Store, s.Socket = cli.Version(), cfg.Path, at.String(), cfg.Settings.Server.Socket
	s.StartedAt = s.Nodes[0].StartedAt
	s.Problems, s.Schedules = problems(s.Nodes), []api.Schedule{}
	if s.Handlers, err = e.Handlers(ctx); err != nil {
		return s, err
	}
	for _, h := range shape.Unplaced(s.Handlers, s.Nodes) {
		s.Problems = append(s.Problems, api.Trouble{What: shape.TroubleNodes, Name: h.Name, Text: fmt.Sprintf("no daemon with one of its nodes is there (%s): its events wait", strings.Join(h.Nodes, ", "))})
	}
	if s.Schedules, err = e.Schedules(ctx, 1); err != nil {
		return s, err
	}
	e.Note("no daemon runs here; the store knows of those elsewhere")
	return s, nil
}

// problems names the daemons that nothing was heard of.
func problems(list []shape.Node) []api.Trouble {
	found := []api.Trouble{}
	for _, n := range list {
		if late := time.Since(n.ExpiresAt); late > time.Second {
			found = append(found, api.Trouble{What: api.TroubleSilent, Text: fmt.Sprintf("nothing was heard of the daemon %s (%d) for %v", n.Name, n.ID, late.Round(time.Second))})
		}
	}
	return found
}
