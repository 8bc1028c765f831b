package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/tasks"
	"evrun/tasks/chain"
	"evrun/tasks/explain"
	"evrun/tasks/retention"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/timeline"
)

// status is the answer to GET /v1/status.
func (d *Daemon) status(ctx context.Context) (api.Status, error) {
	cfg := d.current.Load()
	s := api.Status{
		Version: d.o.Version, PID: os.Getpid(), StartedAt: d.started.UTC().Truncate(time.Millisecond), Config: cfg.Path, LoadedAt: d.loaded.Load().UTC().Truncate(time.Millisecond), Reload: d.reloader.last.Load(),
		Store: cfg.Settings.Store.String(), Socket: cfg.Settings.Server.Socket, TCP: d.port(),
	}
	s.StoreSize = d.storeSize(ctx)
	wal := d.wal()
	s.WAL = api.WAL{Bytes: wal.Bytes, Max: wal.Max, Held: wal.Held, Full: wal.Full, Holders: wal.Holders}
	var err error
	if s.Head, err = d.store.Head(ctx); err != nil && cfg.Settings.Store.Shared() && ctx.Err() == nil { // the rest is not known either
		s.Problems = []api.Trouble{{What: api.TroubleStore, Text: "the database does not answer: " + err.Error()}}
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if s.Retention, err = d.keeper.Status(ctx); err != nil {
		return s, err
	}
	if s.Space, err = retention.SpaceOf(ctx, d.store); err != nil {
		return s, err
	}
	nodes, err := d.store.Nodes(ctx)
	if err != nil {
		return s, err
	}
	s.Nodes = shape.Each(nodes, shape.NodeOf)
	if s.Handlers, err = d.runner.Overview(ctx); err != nil {
		return s, err
	}
	states, err := d.scheduler.States(ctx)
	if errors.Is(err, tasks.ErrStopping) { // the rest is of interest all the more
		err = nil
	}
	s.Schedules = shape.SchedulesOf(states, 0)
	if err == nil {
		err = d.lastSlots(ctx, states, s.Schedules)
	}
	if err != nil {
		return s, err
	}
	delayed := delays{late: late(states, time.Now()), behind: d.activity.Behind()}
	delayed.missed, err = d.missedLately(ctx)
	troubles(&s, delayed)
	d.spanTroubles(&s)
	return s, err
}

// storeSize is how many bytes the store has; 0 where it can't say.
func (d *Daemon) storeSize(ctx context.Context) int64 {
	at := d.cfg.Settings.Store
	if !at.Shared() {
		return files.Size(at.Path) + files.Size(at.Path+"-wal")
	}
	sizes, _ := d.store.Sizes(ctx)
	return sizes.File
}

// The bounds of what a status looks up of schedules.
const (
	slotsWithin = 200 * time.Millisecond
	missedLook  = 20_000 // events
	missedSince = 24 * time.Hour
)

// lastSlots adds what came of the schedules' last slots, as far as there is time.
func (d *Daemon) lastSlots(ctx context.Context, states []schedule.State, list []api.Schedule) error {
	t := timeline.Schedules{Journal: d.store, Source: d.emitter.Source, All: states}
	last, err := t.LastSlots(ctx, slotsWithin)
	shape.AddLast(list, last)
	return err
}

// late says how long the next slots of schedules are due.
func late(states []schedule.State, now time.Time) map[string]time.Duration {
	due := map[string]time.Duration{}
	for i := range states {
		if s := &states[i]; !s.Paused && !s.PausedByHand && !s.Waiting {
			if next := s.Upcoming(1); len(next) > 0 && next[0].Fire.Before(now) {
				due[s.Name] = now.Sub(next[0].Fire)
			}
		}
	}
	return due
}

// missedLately counts the slots of each schedule that were left out within a day, as far as the end of the journal has them.
func (d *Daemon) missedLately(ctx context.Context) (map[string]int, error) {
	p, err := events.ParsePattern(events.TypeScheduleMissed)
	if err != nil {
		return nil, err
	}
	part, err := d.store.ScanEvents(ctx, store.EventQuery{Patterns: []events.Pattern{p}, Since: time.Now().Add(-missedSince), Last: true, Limit: 100}, missedLook)
	if err != nil {
		return nil, err
	}
	missed := map[string]int{}
	for _, e := range part.Items {
		var data struct {
			Schedule string
			Count    int
		}
		if json.Unmarshal(e.Data, &data) == nil {
			missed[data.Schedule] += data.Count
		}
	}
	return missed, nil
}

// explain is the answer to POST /v1/explain.
func (d *Daemon) explain(e *events.Event) explain.Report {
	cfg := d.current.Load()
	return explain.Event(cfg.Wiring.Handlers, e, d.store.ID(), cfg.Secrets).Among(cfg.Wiring.Events)
}

func (d *Daemon) wired() []*tasks.Handler { return d.current.Load().Wiring.Handlers }

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
