package daemon

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// fullJournal has no space for the first events.
type fullJournal struct {
	store.Journal
	full     int
	accepted []*events.Event
}

func (*fullJournal) ID() string { return "aaaaaaaa" }

func (j *fullJournal) Append(_ context.Context, evs []*events.Event) ([]store.Receipt, error) {
	if j.full > 0 {
		j.full--
		return nil, store.ErrFull
	}
	j.accepted = append(j.accepted, evs...)
	return make([]store.Receipt, len(evs)), nil
}

// A store that is full at the start gets the event when there is space, once.
func TestTheEventOfTheStartWaitsForSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &fullJournal{full: 3}
		d := &Daemon{emitter: emitter.New(j, 0), log: slog.New(slog.DiscardHandler), cfg: &config.Config{Wiring: config.Wiring{
			Handlers: []*tasks.Handler{{Name: "boot", On: []events.Pattern{events.MustPattern(events.TypeStarted)}}},
		}}}
		if d.publishStart(t.Context()) {
			t.Fatal("the store was full")
		}
		if err := d.publishStartLater(t.Context()); err != nil || len(j.accepted) != 1 || j.accepted[0].Type != events.TypeStarted {
			t.Errorf("%v, %v", j.accepted, err)
		}
	})
}

// A machine that runs for longer than ids are remembered has not just been started.
func TestAMachineThatRunsForLongWasNotJustStarted(t *testing.T) {
	for _, test := range []struct {
		uptime    string
		retention settings.Retention
		long      bool
	}{
		{"5184001.52 9000000.00\n", settings.Retention{Events: 30 * 24 * time.Hour, Dedupe: 30 * 24 * time.Hour}, true},
		{"5183999.52 9000000.00\n", settings.Retention{Events: 30 * 24 * time.Hour, Dedupe: 30 * 24 * time.Hour}, false},
		{"7200.00 1.00\n", settings.Retention{Size: 1 << 30, Dedupe: time.Hour}, true},
		{"9999999.00 1.00\n", settings.Retention{Dedupe: time.Hour}, false},
		{"soon\n", settings.Retention{Events: time.Hour}, false},
	} {
		after := forgets(test.retention)
		if got := after > 0 && longUp(test.uptime, after); got != test.long {
			t.Errorf("%q, %+v: %v", test.uptime, test.retention, got)
		}
	}
}
