package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
)

// schedule is one order of the steps of a writer and a follower: c commits the next event, p publishes the next committed event or all, and r runs the
// follower to its next read of the journal or to the end of its poll.
type schedule struct {
	t       *testing.T
	steps   string
	at      int
	journal []*events.Event
	bus     *events.Bus
	public  int  // number of published events of journal
	all     bool // p publishes all committed events together
	settled map[int64]bool
	most    int // events of a page, as if they were large
	Journal
}

// writer takes the writer's steps up to the follower's next.
func (s *schedule) writer() {
	for ; s.at < len(s.steps); s.at++ {
		switch s.steps[s.at] {
		case 'c':
			n := int64(len(s.journal) + 1)
			typ := "a"
			if n%3 == 0 {
				typ = "b"
			}
			s.journal = append(s.journal, &events.Event{ID: fmt.Sprint(n), Type: typ, Sequence: n})
		case 'p':
			upTo := min(s.public+1, len(s.journal))
			if s.all {
				upTo = len(s.journal)
			}
			s.bus.Publish(s.journal[s.public:upTo:upTo])
			s.public = upTo
		case 'r':
			s.at++
			return
		}
	}
}

// Events reads the journal; the writer takes steps before and after the read.
func (s *schedule) Events(_ context.Context, q store.EventQuery) (page []*events.Event, _ error) {
	s.writer()
	for _, e := range s.journal {
		if e.Sequence > q.After && e.Sequence < q.Before && q.Patterns[0].Match(e.Type) && (q.WithoutRun == 0 || !s.settled[e.Sequence]) && len(page) < min(q.Limit, s.most) {
			page = append(page, e)
		}
	}
	s.writer()
	return page, nil
}

// orders calls each with every order of n commits, their publications and at most r steps of a follower.
func orders(n, r int, each func(steps string)) {
	var b []byte
	var grow func(c, p, r int)
	grow = func(c, p, r int) {
		if c == n && p == n {
			each(string(b)) // the remaining r steps come last, where the follower runs alone
			return
		}
		for _, step := range []struct {
			name byte
			ok   bool
			c, p int
			r    int
		}{{'c', c < n, 1, 0, 0}, {'p', p < c, 0, 1, 0}, {'r', r > 0, 0, 0, 1}} {
			if step.ok {
				b = append(b, step.name)
				grow(c+step.c, p+step.p, r-step.r)
				b = b[:len(b)-1]
			}
		}
	}
	grow(0, 0, r)
}

// TestFollowerInEveryOrder runs a follower and a writer in every order of their steps, with buffers and pages so small that the follower overflows
// and recovers. The follower returns each matching event once and in order, leaves out events with a run from before its start, and never claims to
// have returned an event that it hasn't.
func TestFollowerInEveryOrder(t *testing.T) {
	total := 0
	for _, size := range []struct {
		buffer, limit, before int
		all                   bool
	}{{1, 1, 0, false}, {1, 2, 0, false}, {2, 1, 0, false}, {3, 3, 0, false}, {1, 1, 2, false}, {2, 2, 2, false}, {2, 2, 0, true}, {1, 1, 2, true}, {2, 4, 1, true}} {
		orders(4, 7, func(steps string) {
			total++
			s := &schedule{t: t, all: size.all, most: max(1, size.limit/2), steps: strings.Repeat("cp", size.before) + steps, bus: events.NewBus(), settled: map[int64]bool{}}
			s.at = 2 * size.before
			for range size.before { // events from before the start; the first has a run
				n := int64(len(s.journal) + 1)
				e := &events.Event{ID: fmt.Sprint(n), Type: "a", Sequence: n}
				s.journal = append(s.journal, e)
				s.settled[1] = true
				s.public++
			}
			f := newFollower(s, s.bus, 0, int64(size.before), []events.Pattern{events.MustPattern("a")})
			f.buffer, f.limit = size.buffer, size.limit
			f.skip = 1
			var given []int64
			fail := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("buffer %d, page %d, steps %q: %s; given %v of %d", size.buffer, size.limit, s.steps, fmt.Sprintf(format, args...), given, len(s.journal))
			}
			seen := map[int64]bool{}
			check := func() {
				if upTo, ok := f.idle(); ok {
					for _, e := range s.journal {
						if e.Sequence <= upTo && e.Type == "a" && !s.settled[e.Sequence] && !seen[e.Sequence] {
							fail("it says that all is given up to %d", upTo)
						}
					}
				}
			}
			for alone := 0; alone < 2; {
				s.writer()
				e, err := f.poll(t.Context())
				if err != nil {
					fail("%v", err)
				}
				if e != nil {
					if len(given) > 0 && e.Sequence <= given[len(given)-1] {
						fail("then %d", e.Sequence)
					}
					given = append(given, e.Sequence)
					seen[e.Sequence] = true
				}
				check()
				if s.at == len(s.steps) && e == nil {
					alone++
				}
			}
			if f.sub.Err() != nil {
				fail("it is not live: %v", f.sub.Err())
			}
			for _, e := range s.journal {
				if want := e.Type == "a" && !s.settled[e.Sequence]; want != seen[e.Sequence] {
					fail("event %d: given %v, want %v", e.Sequence, seen[e.Sequence], want)
				}
			}
		})
	}
	t.Logf("%d orders", total)
}
