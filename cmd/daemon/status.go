package daemon

import (
	"context"
	"errors"
	"os"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/explain"
)

// status is the answer to GET /v1/status.
func (d *Daemon) status(ctx context.Context) (api.Status, error) {
	cfg := d.current.Load()
	s := api.Status{
		Version: d.o.Version, PID: os.Getpid(), StartedAt: d.started.UTC(), Config: cfg.Path, LoadedAt: d.loaded.Load().UTC(), Reload: d.reloader.lastOne(),
		Store: cfg.Settings.Store.Path, Socket: cfg.Settings.Server.Socket,
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.Store + suffix); err == nil {
			s.StoreSize += info.Size()
		}
	}
	wal := d.store.WAL()
	s.WAL = api.WAL{Bytes: wal.Bytes, Max: wal.Max, Held: wal.Held, Full: wal.Full, Holders: wal.Holders}
	var err error
	if s.Head, err = d.store.Head(ctx); err != nil {
		return s, err
	}
	if s.Handlers, err = d.runner.Status(ctx); err != nil {
		return s, err
	}
	states, err := d.scheduler.States(ctx)
	if errors.Is(err, tasks.ErrStopping) { // the rest is of interest all the more
		err = nil
	}
	s.Schedules = api.SchedulesOf(states, 0)
	return s, err
}

// explain is the answer to POST /v1/explain.
func (d *Daemon) explain(e *events.Event) explain.Report {
	cfg := d.current.Load()
	return explain.Event(cfg.Wiring.Handlers, e, cfg.Secrets)
}

func (d *Daemon) matches(e *events.Event) (ok bool, hint string) {
	w := d.current.Load().Wiring
	return explain.Matches(w.Handlers, w.Events, e)
}

// redact removes the secrets of the wiring from a text.
func (d *Daemon) redact(text string) string { return d.current.Load().Secrets.Redact(text) }

// settled waits until all runs that an event caused have ended, for the schedules that wait for their last slot. An event that is not
// in the journal (any more) has caused none.
func (d *Daemon) settled(ctx context.Context, source, id string) error {
	page, err := d.store.Events(ctx, store.EventQuery{ID: id, Source: source})
	if err != nil || len(page) == 0 {
		return err
	}
	_, err = d.runner.Follow(ctx, page[0], d.commits, func(chain.Link) error { return nil })
	return err
}
