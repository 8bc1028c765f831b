package daemon

import (
	"context"
	"os"
	"time"

	"evrun/store"
)

// node says who this daemon is among those that share its store; nil: it has the store to itself.
func (d *Daemon) node() *store.Node {
	if !d.cfg.Settings.Store.Shared() {
		return nil
	}
	set := d.cfg.Settings.Node
	n := &store.Node{Name: set.Name, Labels: set.Labels, Version: d.o.Version, Started: d.started, Wiring: d.cfg.Digest}
	if n.Name == "" {
		n.Name, _ = os.Hostname()
	}
	return n
}

// changedElsewhere is told what another process has changed in a store that several share.
func (d *Daemon) changedElsewhere(f store.Foreign) {
	if !d.made.Load() { // it is read later
		return
	}
	d.runner.Foreign(f)
	if f.Schedules || f.All {
		d.scheduler.Changed()
	}
	if f.Tokens || f.All {
		select {
		case d.retoken <- struct{}{}:
		default:
		}
	}
}

// retokenEvery is how long the daemon waits before it tries again to read the tokens of its store.
const retokenEvery = time.Second

// followTokens has the tokens take effect that other processes make, and those end that they revoke.
func (d *Daemon) followTokens(ctx context.Context) error {
	for {
		select {
		case <-d.retoken:
		case <-ctx.Done():
			return nil
		}
		for err := d.server.LoadTokens(ctx); err != nil && ctx.Err() == nil; err = d.server.LoadTokens(ctx) {
			d.log.Warn("the tokens of the store can't be read; trying again", "error", err)
			select {
			case <-time.After(retokenEvery):
			case <-ctx.Done():
			}
		}
	}
}
