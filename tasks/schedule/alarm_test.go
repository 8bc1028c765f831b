package schedule

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"
)

// lateClock is a second late from its nth reading on, as if the process had not run for that long.
type lateClock struct {
	clockwork.Clock
	reads atomic.Int64
	n     int64
}

func (c *lateClock) Now() time.Time {
	now := c.Clock.Now()
	if c.reads.Add(1) >= c.n {
		now = now.Add(time.Second)
	}
	return now
}

// The alarm rings although its time passes at any moment while it is set, as it does on a busy machine.
func TestTheAlarmRingsWhenItsTimePassesWhileItIsSet(t *testing.T) {
	for n := range int64(10) {
		a, err := newAlarm(gocron.WithClock(&lateClock{Clock: clockwork.NewRealClock(), n: n + 1}))
		if err != nil {
			t.Fatal(err)
		}
		set := make(chan error, 1)
		go func() { set <- a.set(time.Millisecond) }()
		for _, done := range []func() error{
			func() error { return <-set },
			func() error { <-a.ring; return nil },
			a.close,
		} {
			ended := make(chan error, 1)
			go func() { ended <- done() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("late from reading %d on: the alarm hangs", n+1)
			}
		}
	}
}
