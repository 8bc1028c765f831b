package schedule

import (
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

// alarm is the alarm clock: gocron, with one job at a time. The scheduler computes what is due at each ring, so
// nothing depends on gocron being punctual, on its next run of a job, or on the clock not being set.
type alarm struct {
	cron gocron.Scheduler
	job  uuid.UUID
	ring chan struct{} // holds one ring that was not received yet
}

func newAlarm(o ...gocron.SchedulerOption) (*alarm, error) {
	cron, err := gocron.NewScheduler(append(o, gocron.WithLocation(time.UTC))...)
	if err != nil {
		return nil, err
	}
	cron.Start()
	return &alarm{cron: cron, ring: make(chan struct{}, 1)}, nil
}

// set makes the alarm ring after a duration of a millisecond or more, or at once for 0 and less. It replaces an earlier set.
func (a *alarm) set(after time.Duration) error {
	if a.job != uuid.Nil {
		_ = a.cron.RemoveJob(a.job) // an error means that it has rung
		a.job = uuid.Nil
	}
	if after <= 0 {
		a.sound()
		return nil
	}
	// Not a one-time job: if its time passes while gocron adds it, gocron looks for its next time for ever.
	job, err := a.cron.NewJob(gocron.DurationJob(max(after, time.Millisecond)), gocron.NewTask(a.sound), gocron.WithLimitedRuns(1))
	if err != nil {
		return err
	}
	a.job = job.ID()
	return nil
}

func (a *alarm) sound() {
	select {
	case a.ring <- struct{}{}:
	default:
	}
}

func (a *alarm) close() error { return a.cron.Shutdown() }
