package daemon

import (
	"context"
	"time"

	"evrun/cmd/drivers"
	"evrun/cmd/metrics"
	"evrun/store"
	"evrun/store/files"
)

// watch gives the metrics their sources.
func (d *Daemon) watch() {
	d.metrics.Watch(metrics.Sources{
		Version: d.o.Version, Revision: d.o.Revision, Store: d.store.ID(),
		Handlers: d.runner.Measures, Schedules: d.scheduler.States, Refused: d.emitter.Refused(), Server: d.server.Load, Denied: d.server.Denied(), Port: d.port, Hooks: d.server.Hooks(), Accepting: d.accepting,
		Reloaded: d.reloader.lastRead, WAL: d.wal, Space: d.space, Retention: d.keeper.Status, Spans: d.spanCounts, Nodes: d.store.Nodes,
	})
}

// accepting reports whether the daemon is neither starting nor stopping.
func (d *Daemon) accepting() bool {
	select {
	case <-d.runner.Ready():
		return !d.server.Draining()
	default:
		return false
	}
}

func (d *Daemon) wal() store.WAL { return drivers.WAL(d.store) }

// space is what the store takes on the disk.
func (d *Daemon) space(ctx context.Context) metrics.Space {
	s := metrics.Space{DiskFree: -1}
	if sizes, err := d.store.Sizes(ctx); err == nil {
		s.Sizes = &sizes
	}
	if at := d.cfg.Settings.Store; !at.Shared() {
		if free, _, known := files.Space(at.Path); known {
			s.DiskFree = free
		}
	}
	return s
}

// noteAccepted remembers when the events of a commit were accepted.
func (d *Daemon) noteAccepted(c store.Commit) {
	if n := len(c.Events); n > 0 {
		d.accepted.Note(c.Events[0].Sequence, c.Events[n-1].Sequence, time.Now())
	}
}
