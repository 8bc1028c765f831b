package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/cmd/drivers"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/chain"
)

// Followed prints the events and runs that an event causes, while publish publishes and follows it. Where no daemon runs and a says so, it is published and
// followed in this process, if daemons elsewhere may share the store.
func (e *Env) Followed(ctx context.Context, a Access, wait time.Duration, typ string,
	publish func(c *client.Client, accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error)) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	c, err := e.Client(cfg)
	if err != nil {
		return err
	}
	p := e.Printer()
	sequence, hint := int64(0), "" // not accepted yet
	do := func(c *client.Client) (api.End, error) {
		return publish(c, func(rc api.Receipt) error {
			sequence, hint = rc.Sequence, rc.Hint
			return nil
		}, func(kind string, body json.RawMessage) error { return p.Item(kind, body) })
	}
	end, err := do(c)
	alone := false
	if errors.Is(err, api.ErrNoDaemon) && cfg.Settings.Store.Shared() {
		a.follow = true
		err = e.InProcess(ctx, cfg, a, func(c *client.Client) (err error) {
			end, err = do(c)
			return err
		})
		alone = err == nil && end.Timeout && nobody(ctx, cfg.Settings.Store)
	}
	switch {
	case err != nil && sequence > 0 && ctx.Err() == nil:
		return fmt.Errorf("the event was accepted as #%d, but: %w", sequence, err)
	case err != nil:
		return err
	case alone:
		return &ExitError{Code: ExitTimeout, Err: fmt.Errorf("nothing was done within %v: no daemon shares %s; it goes on when one starts", wait, cfg.Settings.Store)}
	case end.Timeout:
		return &ExitError{Code: ExitTimeout, Err: fmt.Errorf("not everything was done within %v; it goes on", wait)}
	case end.Dead:
		return &ExitError{Code: ExitFailed, Err: errors.New("a run is dead")}
	case end.Cancelled:
		return &ExitError{Code: ExitFailed, Err: errors.New("a run was cancelled")}
	case !end.Matched:
		return &ExitError{Code: ExitNoHandler, Err: fmt.Errorf("no handler matches %s%s", typ, AsHint(hint))}
	}
	return nil
}

// skew is how much the clocks of this machine and of the database may differ.
const skew = time.Minute

// nobody reports whether the store says that no daemon shares it now, nor did a moment ago.
func nobody(ctx context.Context, at settings.Store) bool {
	none := false
	err := drivers.Read(ctx, at, func(s store.Store) error {
		list, err := s.Nodes(ctx)
		none = !slices.ContainsFunc(list, func(n store.Node) bool { return time.Now().Before(n.Expires.Add(skew)) })
		return err
	})
	return err == nil && none
}

// followedStore opens the store for writing while do runs, and follows what daemons elsewhere do in it.
func (e *Env) followedStore(ctx context.Context, cfg *config.Config, do func(store.Store, *api.Following) error) error {
	bus, commits := events.NewBus(), events.NewFeed[store.Commit]()
	opt := e.storeOptions(cfg)
	opt.WantRuns = func() bool { return commits.Subscribers() > 0 }
	opt.OnCommit = func(c store.Commit) {
		bus.Publish(c.Events)
		c.Attempts = nil // its events are not kept while readers are slow
		commits.Publish(c)
	}
	return drivers.With(ctx, cfg.Settings.Store, opt, func(s store.Store) error {
		return do(s, &api.Following{Bus: bus, Commits: commits, Follow: func(ctx context.Context, root *events.Event, commits *events.Feed[store.Commit], each func(chain.Link) error) (*chain.Chain, error) {
			return chain.Follow(ctx, chain.Elsewhere(s, matching(cfg.Wiring.Handlers)), root, commits, each)
		}})
	})
}

// matching returns which of the handlers an event goes to.
func matching(handlers []*tasks.Handler) func(*events.Event) []string {
	return func(e *events.Event) (names []string) {
		for _, h := range handlers {
			if h.Matches(e) {
				names = append(names, h.Name)
			}
		}
		return names
	}
}
