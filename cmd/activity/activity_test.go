package activity

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"evrun/cmd/api/shape"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/measure"
)

// counting is a daemon that only counts.
type counting struct {
	accepted atomic.Int64
	handlers measure.Handlers
	waiting  int64
	asked    atomic.Int64
}

func (c *counting) sources() Sources {
	return Sources{
		Accepted: c.accepted.Load,
		Handlers: c.handlers.Each,
		Backlog: func(context.Context) []tasks.Measures {
			c.asked.Add(1)
			if c.waiting == 0 {
				return nil
			}
			return []tasks.Measures{{Name: "save", Waiting: c.waiting, Since: time.Now().Add(-3 * time.Second)}}
		},
	}
}

// run counts n runs of a handler that took a time each.
func (c *counting) run(handler string, n int, took time.Duration) {
	c.accepted.Add(int64(n))
	h := c.handlers.Of(handler)
	h.Ended[store.Succeeded].Add(int64(n))
	for range n {
		h.Attempts.Observe(took)
		h.Waits.Observe(time.Millisecond)
	}
}

func answer(t *testing.T, s *Sampler, q Query) shape.Activity {
	t.Helper()
	a, err := s.Answer(q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return a
}

func sum(list []int64) (n int64) {
	for _, x := range list {
		n += x
	}
	return n
}

// Each second has what happened in it, and what waits is known from then on.
func TestASecondHasWhatHappenedInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{waiting: 7}
		s := New(c.sources())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		began := time.Now()
		for second := range 20 {
			c.run("save", second, 30*time.Millisecond)
			if second == 10 {
				c.handlers.Of("save").Failed.Add(2)
				c.handlers.Of("save").Ended[store.Dead].Add(1)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		a := answer(t, s, Query{})
		if a.Step != 1 || !a.Since.Equal(began) || len(a.Accepted) != 20 {
			t.Fatalf("%d steps of %d s since %v", len(a.Accepted), a.Step, a.Since)
		}
		for second := range 20 {
			ended := int64(second)
			if second == 10 {
				ended++
			}
			if a.Accepted[second] != int64(second) || a.Ended[second] != ended {
				t.Errorf("in second %d, %d were accepted and %d ended", second, a.Accepted[second], a.Ended[second])
			}
			if p := a.Attempts.P95[second]; (p == nil) != (second == 0) || p != nil && (*p < 24 || *p > 36) {
				t.Errorf("p95 in second %d is %v", second, p)
			}
		}
		if a.Failed[10] != 2 || a.Dead[10] != 1 || sum(a.Failed) != 2 || sum(a.Dead) != 1 {
			t.Errorf("failed %v, dead %v", a.Failed, a.Dead)
		}
		if w := a.Waiting[19]; w == nil || *w != 7 || a.Oldest[19] == nil || *a.Oldest[19] < 3 {
			t.Errorf("%v wait, the oldest for %v", w, a.Oldest[19])
		}
		if b := s.Behind(); len(b) != 1 || b["save"] != 3*time.Second {
			t.Errorf("behind: %v", b)
		}
		one := answer(t, s, Query{Handler: "save"})
		if one.Step != 5 || one.Accepted != nil || len(one.Ended) != 4 || one.Ended[1] != 5+6+7+8+9 {
			t.Errorf("of save: %+v", one)
		}
		all := answer(t, s, Query{Handlers: true, Step: 10 * time.Second})
		if len(all.Handlers) != 1 || len(all.Ended) != 2 || !slices.Equal(all.Handlers[0].Ended, all.Ended) || !slices.Equal(all.Handlers[0].Failed, []int64{0, 2}) {
			t.Errorf("of all: %+v, of each: %+v", all.Ended, all.Handlers[0])
		}
		c.handlers.Forget("save")
		time.Sleep(time.Second)
		synctest.Wait()
		if a := answer(t, s, Query{Handlers: true}); len(a.Handlers) != 0 || sum(a.Ended) == 0 {
			t.Errorf("after save has left: %+v", a)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The seconds of 15 minutes and the minutes of a day are kept, and both have the same sums.
func TestADayIsKept(t *testing.T) {
	c := &counting{}
	s := New(c.sources())
	const began, days = 1_700_000_000 - 1_700_000_000%86400, 2
	for second := int64(began); second < began+days*86400; second++ {
		if second%10 == 0 {
			c.run("save", 1, time.Second)
		}
		s.sample(second)
	}
	if a := answer(t, s, Query{}); len(a.Ended) != 900 || sum(a.Ended) != 90 || sum(a.Accepted) != 90 {
		t.Errorf("%d seconds with %d", len(a.Ended), sum(a.Ended))
	}
	for _, q := range []Query{{}, {Handler: "save"}} {
		q.Since = time.Unix(began, 0) // not kept
		if a := answer(t, s, q); len(a.Ended) != 86400/a.Step || sum(a.Ended) != 8640 || a.Step != map[bool]int{true: 300, false: 60}[q.Handler != ""] {
			t.Errorf("%d steps of %d with %d", len(a.Ended), a.Step, sum(a.Ended))
		}
	}
	if a := answer(t, s, Query{Since: time.Unix(began, 0), Step: time.Hour}); len(a.Ended) != 24 || a.Ended[5] != 360 {
		t.Errorf("hours: %v", a.Ended)
	}
	if a := answer(t, s, Query{Since: time.Unix(began, 0), Step: 10 * time.Second}); len(a.Ended) != 90 || a.Ended[5] != 1 {
		t.Errorf("a step of 10 s goes back %d", len(a.Ended))
	}
	for _, q := range []Query{{Step: time.Millisecond}, {Step: -time.Second}, {Step: 48 * time.Hour}, {Step: 2 * time.Second, Handlers: true}} {
		if _, err := s.Answer(q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
}

// Where nothing happens, the workers are asked once a minute, until somebody looks.
func TestAnIdleDaemonIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		s := New(c.sources())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := c.asked.Swap(0); n < 9 || n > 12 {
			t.Errorf("the workers were asked %d times in 10 minutes", n)
		}
		answer(t, s, Query{})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := c.asked.Load(); n < 18 || n > 24 {
			t.Errorf("the workers were asked %d times in 10 minutes, after somebody has looked", n)
		}
		stop()
		<-done
	})
}

// The series of 1,000 handlers that always do something are bounded, and those of more have none of their own.
func TestTheMemoryOfManyHandlersIsBounded(t *testing.T) {
	c := &counting{}
	s := New(c.sources())
	for i := range maxHandlers + 10 {
		c.handlers.Of(fmt.Sprint(i))
	}
	for second := int64(1_700_000_000); second < 1_700_000_000+40; second++ {
		for i := range maxHandlers + 10 {
			c.handlers.Of(fmt.Sprint(i)).Ended[store.Succeeded].Add(1)
		}
		s.sample(second)
	}
	a := answer(t, s, Query{Handlers: true, Step: 5 * time.Second})
	if len(a.Handlers) != maxHandlers || len(a.Ended) == 0 || a.Ended[3] != 5*int64(maxHandlers+10) {
		t.Errorf("%d handlers, in all %v", len(a.Handlers), a.Ended)
	}
	for _, one := range s.handlers {
		for _, l := range one.levels {
			if len(l.blocks)*perBlock != int(l.keep) {
				t.Fatalf("%d blocks for %d buckets", len(l.blocks), l.keep)
			}
		}
	}
}

func BenchmarkSample(b *testing.B) {
	for _, handlers := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%d handlers", handlers), func(b *testing.B) {
			c := &counting{}
			s := New(c.sources())
			second := int64(1_700_000_000)
			b.ReportAllocs()
			for b.Loop() {
				for i := range handlers {
					c.handlers.Of(fmt.Sprint(i)).Ended[store.Succeeded].Add(1)
				}
				s.sample(second)
				second++
			}
		})
	}
}

// The median of 5 seconds is that of all their attempts, and not the highest of the seconds' medians.
func TestALongerStepHasQuantilesOfItsOwn(t *testing.T) {
	c := &counting{}
	s := New(c.sources())
	for second := int64(1_700_000_000); second < 1_700_000_000+10; second++ {
		c.run("save", 20, 30*time.Millisecond)
		if second%5 == 3 {
			c.run("slow", 1, 10*time.Second)
		}
		s.sample(second)
	}
	a := answer(t, s, Query{Step: 5 * time.Second})
	if len(a.Attempts.P50) != 2 || *a.Attempts.P50[1] > 40 || *a.Attempts.P99[1] < 24 {
		t.Errorf("%v and %v", *a.Attempts.P50[1], *a.Attempts.P99[1])
	}
}
