// Package activity remembers what happened in a daemon lately: events that were accepted, runs that ended, attempts that failed and how long they took,
// what waits; of all together and of each handler. It answers GET /v1/activity, from which the dashboard draws its plots. After a restart it begins anew:
// Prometheus keeps more (package cmd/metrics).
//
// A [Sampler] reads once a second the numbers that the workers count anyway (package tasks/measure): no event costs anything. It keeps
//
//	of all:          a bucket a second for 15 minutes, one a minute for a day, and those of handlers
//	of each handler: a bucket of 5 seconds for 15 minutes, and one of 5 minutes for a day
//
// Memory: a bucket has 52 bytes, so a handler has 24 KB at most, and one that has nothing to do has none. Handlers beyond the first 1,000 are counted with
// all the others, and have no series of their own.
//
// Goroutines: two, which end when [Sampler.Run] returns. The second one asks the workers what waits, every 5 seconds while something happens or
// somebody looks, else once a minute.
package activity

import (
	"context"
	"sync"
	"time"

	"evrun/tasks"
	"evrun/tasks/measure"
)

// Sources are where a Sampler reads. All are required.
type Sources struct {
	Accepted func() int64                                // how many events were accepted since the daemon began
	Handlers func(func(name string, h *measure.Handler)) // the wired handlers' counts
	Backlog  func(context.Context) []tasks.Measures      // what waits; it may take a second
}

// The sizes of the levels.
var (
	ofAll       = []levelSize{{step: 1, keep: 900}, {step: 5, keep: 180}, {step: 60, keep: 1440}, {step: 300, keep: 288}}
	ofEach      = []levelSize{ofAll[1], ofAll[3]}
	maxHandlers = 1000 // with series of their own
)

// How often is looked what waits.
const (
	lookEvery  = 5 * time.Second // while something happens, or somebody has asked within a minute
	lookSeldom = time.Minute
)

// Sampler samples the activity of one daemon. Its methods are safe for concurrent use.
type Sampler struct {
	from Sources

	mu       sync.Mutex
	began    int64 // the second of the first sample; 0: there was none
	through  int64 // the second after the last sample
	samples  int64
	all      *series
	handlers map[string]*series
	over     totals    // of the handlers without series, at the last sample
	looked   bool      // what waits is known
	asked    time.Time // when somebody looked last
}

// New makes a sampler; Run starts it.
func New(from Sources) *Sampler {
	return &Sampler{from: from, all: newSeries(nil, ofAll), handlers: map[string]*series{}}
}

// Run samples until ctx ends.
func (s *Sampler) Run(ctx context.Context) error {
	var looking sync.WaitGroup
	looking.Go(func() { s.look(ctx) })
	defer looking.Wait()
	for {
		now := time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now)):
		}
		s.sample(time.Now().Add(-time.Second / 2).Unix()) // the second that is over
	}
}

// sample takes what happened in a second.
func (s *Sampler) sample(second int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began == 0 || second < s.began { // the clock was set back
		s.began = second
	}
	s.samples++
	s.through = second + 1
	now := s.all.total
	now.accepted = s.from.Accepted()
	var over totals
	s.from.Handlers(func(name string, h *measure.Handler) {
		one := s.handlers[name]
		if one == nil || one.of != h {
			if one == nil && len(s.handlers) >= maxHandlers {
				counts := totalsOf(h)
				over.add(&totals{}, &counts)
				return
			}
			one = newSeries(h, ofEach)
			s.handlers[name] = one
		}
		counts := totalsOf(h)
		if one.seen = s.samples; counts != one.total {
			now.add(&one.total, &counts)
		}
		one.note(second, &counts)
	})
	if over.ended >= s.over.ended && over != s.over { // else one has left
		now.add(&s.over, &over)
	}
	s.over = over
	for name, one := range s.handlers {
		if one.seen != s.samples {
			delete(s.handlers, name)
		}
	}
	s.all.note(second, &now)
}

// look looks now and then what waits, until ctx ends.
func (s *Sampler) look(ctx context.Context) {
	var last time.Time
	var known totals
	for {
		s.mu.Lock()
		now, asked := s.all.total, s.asked
		s.mu.Unlock()
		if now != known || time.Since(asked) < time.Minute || time.Since(last) >= lookSeldom {
			known, last = now, time.Now()
			s.take(s.from.Backlog(ctx))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// take takes what waits for the handlers.
func (s *Sampler) take(list []tasks.Measures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = true
	s.all.backlog = backlog{}
	for _, m := range list {
		b := backlog{waiting: m.Waiting, paused: m.Paused}
		if !m.Since.IsZero() {
			b.oldest = max(0, time.Since(m.Since))
		}
		if one := s.handlers[m.Name]; one != nil {
			one.backlog = b
		}
		if s.all.backlog.waiting += b.waiting; !m.Paused {
			s.all.backlog.oldest = max(s.all.backlog.oldest, b.oldest)
		}
	}
}

// Behind returns how long the first event has waited for each handler that is not paused and has something to do, as it was at the last look.
func (s *Sampler) Behind() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	behind := map[string]time.Duration{}
	for name, one := range s.handlers {
		if b := one.backlog; b.waiting > 0 && !b.paused {
			behind[name] = b.oldest
		}
	}
	return behind
}
