package daemon

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/config/settings"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// bootFile has an id that changes with each start of the machine. Only Linux has it.
const bootFile = "/proc/sys/kernel/random/boot_id"

// publishStart publishes evrun.started, once for a start of the daemon and before the schedules publish anything. It is for handlers that are wired to evrun's
// own events (evrun.started, evrun.*, evrun.>): without one, the journal gets no event for each restart.
//
// The event of the first start since the machine started has the id boot-ID. That the journal has this event already is how a later start knows that
// only evrun was started again. Once the machine runs for so long that the store may have forgotten the id (see forgets), no start counts as one of the
// machine. Where the machine has no such id, each start does.
//
// While the store has no space, the event waits and nothing else does: it is not the first event then, but its handlers run.
// publishStart reports whether there is nothing more to do.
func (d *Daemon) publishStart(ctx context.Context) bool {
	if !slices.ContainsFunc(d.cfg.Wiring.Handlers, wantsStart) {
		return true
	}
	err := d.tryStart(ctx)
	switch {
	case err == nil:
		return true
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBusy):
		d.log.Warn("the event of the start can't be published now; trying again", "error", err)
		return false
	}
	d.log.Error("the event of the start can't be published", "error", err)
	return true
}

// startEvery is the time between two tries to publish the event of the start.
const startEvery = time.Second

// publishStartLater tries to publish the event of the start until it is, or ctx ends.
func (d *Daemon) publishStartLater(ctx context.Context) error {
	ticker := time.NewTicker(startEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if d.publishStart(ctx) {
				return nil
			}
		case <-ctx.Done():
			d.log.Error("the event of the start was not published")
			return nil
		}
	}
}

func (d *Daemon) tryStart(ctx context.Context) error {
	data := map[string]any{"version": d.o.Version, "reboot": true}
	id, err := os.ReadFile(bootFile)
	if boot := strings.TrimSpace(string(id)); err == nil && boot != "" {
		data["boot"] = boot
		if !forgotten(d.cfg.Settings.Retention) {
			known, err := d.startedAs(ctx, "boot-"+boot, data)
			if err != nil || !known {
				return err
			}
		}
		data["reboot"] = false
	}
	_, err = d.startedAs(ctx, "", data)
	return err
}

// forgotten reports whether the machine runs for so long that the store may have forgotten the id of its first event.
func forgotten(r settings.Retention) bool {
	after := forgets(r)
	if after == 0 {
		return false
	}
	text, err := os.ReadFile(uptimeFile)
	return err == nil && longUp(string(text), after)
}

// forgets is how long after its acceptance the store may forget the id of an event; 0: never because of its age.
func forgets(r settings.Retention) time.Duration {
	if r.Events == 0 && r.Size == 0 {
		return 0
	}
	return r.Events + r.Dedupe
}

// uptimeFile has how many seconds the machine runs, with decimals, and another number. Only Linux has it.
const uptimeFile = "/proc/uptime"

// longUp reports whether an uptime, as in uptimeFile, is longer than a duration. An unknown uptime is not.
func longUp(text string, than time.Duration) bool {
	first, _, _ := strings.Cut(text, " ")
	up, err := strconv.ParseFloat(first, 64)
	return err == nil && up > than.Seconds()
}

func wantsStart(h *tasks.Handler) bool {
	return slices.ContainsFunc(h.On, func(p events.Pattern) bool { return events.Reserved(p.String()) && p.Match(events.TypeStarted) })
}

// startedAs publishes the event with an id, empty for a new one. It reports whether the journal had an event with this id.
func (d *Daemon) startedAs(ctx context.Context, id string, data map[string]any) (known bool, err error) {
	e, err := d.emitter.Notice(events.TypeStarted, id, data)
	if err != nil {
		return false, err
	}
	receipts, err := d.emitter.Accept(ctx, []*events.Event{e})
	return err == nil && receipts[0].Duplicate, err
}
