package schedule

import (
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
)

// alarm is the alarm clock: gocron, with one job at a time. What is due is worked out anew at each ring, so that nothing
// depends on gocron being on time, on its idea of a job's next run, or on the clock not being moved.
type alarm struct {
	cron gocron.Scheduler
	job  uuid.UUID
	ring chan struct{} // holds one ring that was not heard yet
}

func newAlarm() (*alarm, error) {
	cron, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return nil, err
	}
	cron.Start()
	return &alarm{cron: cron, ring: make(chan struct{}, 1)}, nil
}

// set rings after a while, a millisecond at least where there is one, and no longer when it was set to before.
func (a *alarm) set(after time.Duration) error {
	if a.job != uuid.Nil {
		_ = a.cron.RemoveJob(a.job) // it may have rung, and be gone
		a.job = uuid.Nil
	}
	if after <= 0 {
		a.sound()
		return nil
	}
	at := time.Now().Add(max(after, time.Millisecond)) // gocron refuses what is past when it looks at it
	job, err := a.cron.NewJob(gocron.OneTimeJob(gocron.OneTimeJobStartDateTime(at)), gocron.NewTask(a.sound), gocron.WithLimitedRuns(1))
	if err == gocron.ErrOneTimeJobStartDateTimePast { //nolint:errorlint // gocron returns it bare
		a.sound()
		return nil
	}
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
