package daemon

import (
	"context"
	"os"
	"slices"
	"strings"

	"evrun/events"
	"evrun/tasks"
)

// bootFile has an id that is another one after each start of the machine. Only Linux has it.
const bootFile = "/proc/sys/kernel/random/boot_id"

// publishStart publishes evrun.started, once for a start of the daemon and before the schedules publish anything. It is for handlers that are wired to evrun's
// own events (evrun.started, evrun.*, evrun.>): without one, the journal gets no event for each restart.
//
// The event of the first start since the machine started has the id boot-ID. That the journal has this event already is how a later start knows that
// only evrun was started again. It is known as long as the store remembers the ids of events (retention.dedupe). Where the machine has no such id, each
// start counts as one of the machine.
func (d *Daemon) publishStart(ctx context.Context) {
	if !slices.ContainsFunc(d.cfg.Wiring.Handlers, wantsStart) {
		return
	}
	data := map[string]any{"version": d.o.Version, "reboot": true}
	id, err := os.ReadFile(bootFile)
	boot := strings.TrimSpace(string(id))
	if err != nil || boot == "" {
		d.startedAs(ctx, "", data)
		return
	}
	data["boot"] = boot
	if known := d.startedAs(ctx, "boot-"+boot, data); known {
		data["reboot"] = false
		d.startedAs(ctx, "", data)
	}
}

func wantsStart(h *tasks.Handler) bool {
	return slices.ContainsFunc(h.On, func(p events.Pattern) bool { return events.Reserved(p.String()) && p.Match(events.TypeStarted) })
}

// startedAs publishes the event with an id, empty for a new one. It reports whether the journal had an event with this id.
func (d *Daemon) startedAs(ctx context.Context, id string, data map[string]any) (known bool) {
	e, err := d.emitter.Notice(events.TypeStarted, id, data)
	if err == nil {
		receipts, failed := d.emitter.Accept(ctx, []*events.Event{e})
		if err = failed; err == nil {
			return receipts[0].Duplicate
		}
	}
	d.log.Error("the event of the start can't be published", "error", err)
	return false
}
