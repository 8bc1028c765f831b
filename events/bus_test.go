package events

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func publish(b *Bus, typ string, sequences ...int64) {
	for _, n := range sequences {
		b.Publish([]*Event{{Sequence: n, Type: typ}})
	}
}

// buffered is what is in the channel of a subscription that has ended.
func buffered(s *Subscription[[]*Event]) (sequences []int64) {
	for batch := range s.C() {
		sequences = append(sequences, sequencesOf(batch)...)
	}
	return sequences
}

func sequencesOf(batch []*Event) (sequences []int64) {
	for _, e := range batch {
		sequences = append(sequences, e.Sequence)
	}
	return sequences
}

func upTo(n int64) (sequences []int64) {
	for i := int64(1); i <= n; i++ {
		sequences = append(sequences, i)
	}
	return sequences
}

func wantEnd(t *testing.T, s *Subscription[[]*Event], why error, sequences ...int64) {
	t.Helper()
	if got := buffered(s); !slices.Equal(got, sequences) {
		t.Errorf("received %v, want %v", got, sequences)
	}
	if s.Err() != why {
		t.Errorf("ended with %v, want %v", s.Err(), why)
	}
}

func TestSubscriberReceivesWhatItsPatternsMatch(t *testing.T) {
	b := NewBus()
	users, all, both := b.Subscribe(9, MustPattern("user.*")), b.Subscribe(9), b.Subscribe(9, MustPattern("user.*"), MustPattern(">"), MustPattern(">"))
	none := b.Subscribe(9, MustPattern("order.>"))
	publish(b, "user.created", 1)
	publish(b, "job.done", 2)
	publish(b, "user.deleted", 3)
	if err := users.Err(); err != nil {
		t.Errorf("a live subscription has the error %v", err)
	}
	b.Close()
	wantEnd(t, users, ErrBusClosed, 1, 3)
	wantEnd(t, all, ErrBusClosed, 1, 2, 3)
	wantEnd(t, both, ErrBusClosed, 1, 2, 3)
	wantEnd(t, none, ErrBusClosed)
}

func TestFullSubscriberIsEndedWithAGaplessPrefix(t *testing.T) {
	b := NewBus()
	slow, quick := b.Subscribe(3), b.Subscribe(99)
	publish(b, "x", upTo(10)...)
	if slow.Err() != ErrLagged {
		t.Errorf("before it has read on, Err is %v", slow.Err())
	}
	wantEnd(t, slow, ErrLagged, 1, 2, 3)
	slow.Unsubscribe()
	if slow.Err() != ErrLagged {
		t.Errorf("Unsubscribe has made the reason %v", slow.Err())
	}
	anew := b.Subscribe(9)
	publish(b, "x", 11)
	b.Close()
	wantEnd(t, quick, ErrBusClosed, append(upTo(10), 11)...)
	wantEnd(t, anew, ErrBusClosed, 11)
}

func TestOneEventMayAlwaysWait(t *testing.T) {
	b := NewBus()
	s := b.Subscribe(-1)
	publish(b, "x", 1, 2)
	wantEnd(t, s, ErrLagged, 1)
}

func TestNothingIsSentAfterUnsubscribe(t *testing.T) {
	b := NewBus()
	s := b.Subscribe(9, MustPattern("x"))
	publish(b, "x", 1)
	s.Unsubscribe()
	s.Unsubscribe()
	publish(b, "x", 2)
	wantEnd(t, s, ErrUnsubscribed, 1)
	if n := len(b.router.patterns); n != 0 {
		t.Errorf("the router holds %d subscriptions", n)
	}
}

func TestBusEndsWithClose(t *testing.T) {
	b := NewBus()
	s := b.Subscribe(9)
	publish(b, "x", 1)
	b.Close()
	b.Close()
	publish(b, "x", 2)
	wantEnd(t, s, ErrBusClosed, 1)
	wantEnd(t, b.Subscribe(9), ErrBusClosed)
	if n := b.feed.Subscribers(); n != 0 {
		t.Errorf("a closed bus has %d subscribers", n)
	}
}

func TestPatternsBelongToTheSubscription(t *testing.T) {
	b := NewBus()
	patterns := []Pattern{MustPattern("a"), MustPattern("b")}
	s := b.Subscribe(9, patterns...)
	patterns[0] = MustPattern("c")
	s.Unsubscribe()
	if n := len(b.router.patterns); n != 0 {
		t.Errorf("the router holds %d subscriptions", n)
	}
}

func TestPublishDoesNotAllocate(t *testing.T) {
	b := NewBus()
	s := b.Subscribe(3, MustPattern("user.*"), MustPattern(">"))
	commit := []*Event{{Type: "user.created"}, {Type: "user.deleted"}, {Type: "order.paid"}}
	if n := testing.AllocsPerRun(100, func() { b.Publish(commit); <-s.C() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Four publishers, readers that come, lag and go: everybody sees the same order, in unbroken stretches.
func TestConcurrentPublishersHaveOneOrder(t *testing.T) {
	const publishers, each = 4, 2000
	b := NewBus()
	witness := b.Subscribe(publishers * each) // never full
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				publish(b, fmt.Sprintf("t%d", i%2), int64(p*each+i+1))
			}
		})
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	stretches := make([][][]int64, 4)
	for r := range stretches {
		readers.Go(func() {
			for n := 0; !done.Load(); n++ {
				s := b.Subscribe(1+n%32, MustPattern("*"))
				var stretch []int64
				for batch := range s.C() {
					if stretch = append(stretch, sequencesOf(batch)...); len(stretch) >= 200*(r+1) {
						s.Unsubscribe()
						s.Unsubscribe()
					}
				}
				if s.Err() == nil {
					t.Error("C is closed, and there is no reason")
				}
				stretches[r] = append(stretches[r], stretch)
			}
		})
	}
	publishing.Wait()
	done.Store(true)
	b.Close() // for readers that wait for more
	readers.Wait()

	order := buffered(witness)
	if len(order) != publishers*each {
		t.Fatalf("the witness has %d events", len(order))
	}
	place := map[int64]int{}
	last := [publishers]int64{}
	for i, n := range order {
		place[n] = i
		if p := (n - 1) / each; n <= last[p] {
			t.Fatalf("publisher %d: %d came after %d", p, n, last[p])
		} else {
			last[p] = n
		}
	}
	for r := range stretches {
		for _, stretch := range stretches[r] {
			if len(stretch) > 0 && !slices.Equal(stretch, order[place[stretch[0]]:][:len(stretch)]) {
				t.Fatalf("reader %d saw another order", r)
			}
		}
	}
}

// What the head covers is in the channel, or the subscription has ended.
func TestHeadIsBehindTheChannels(t *testing.T) {
	b := NewBus()
	if b.Head() != 0 {
		t.Errorf("head is %d before the first event", b.Head())
	}
	const n = 5_000
	for range 200 { // they come first, which gives a head that is too early time to be seen
		b.Subscribe(n)
	}
	var publishing sync.WaitGroup
	publishing.Go(func() { publish(b, "x", upTo(n)...) })
	var seen int64
	for seen < n {
		s := b.Subscribe(64)
		seen = max(seen, b.Head()) // what came before Subscribe is not in its channel
		for s.Err() == nil && seen < n {
			select {
			case batch := <-s.C():
				for _, e := range batch {
					seen = max(seen, e.Sequence)
				}
			default:
			}
			if head, all := b.Received(s); all && seen < head {
				t.Fatalf("the head is %d, and only %d had come", head, seen)
			}
		}
		s.Unsubscribe()
		seen = max(seen, b.Head())
	}
	publishing.Wait()
}

func TestUnsubscribeWinsAgainstPublish(t *testing.T) {
	b := NewBus()
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
				publish(b, "x", n)
			}
		}
	})
	for range 500 {
		s := b.Subscribe(1 << 10)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				s.Unsubscribe()
				if s.Err() == nil {
					t.Error("live after Unsubscribe")
				}
			})
		}
		both.Wait()
		n := len(s.C())
		for range s.C() {
			n--
		}
		if n != 0 {
			t.Fatalf("%d batches were sent after Unsubscribe", -n)
		}
	}
	close(stop)
	publishing.Wait()
}

func TestFeedCarriesValuesToAll(t *testing.T) {
	f := NewFeed[int]()
	f.Publish(1)
	a, b := f.Subscribe(9), f.Subscribe(1)
	if n := f.Subscribers(); n != 2 {
		t.Errorf("%d subscribers", n)
	}
	f.Publish(2)
	f.Publish(3)
	if n := f.Subscribers(); n != 1 || !errors.Is(b.Err(), ErrLagged) {
		t.Errorf("%d subscribers, b: %v", n, b.Err())
	}
	f.Close()
	f.Publish(4)
	var got []int
	for v := range a.C() {
		got = append(got, v)
	}
	if !slices.Equal(got, []int{2, 3}) || a.Err() != ErrBusClosed {
		t.Errorf("received %v, %v", got, a.Err())
	}
	if s := f.Subscribe(1); s.Err() != ErrBusClosed || f.Subscribers() != 0 {
		t.Errorf("on a closed feed: %v", s.Err())
	}
}

func TestManyLagAtOnce(t *testing.T) {
	f := NewFeed[int]()
	var subs []*Subscription[int]
	for i := range 100 {
		subs = append(subs, f.Subscribe(1+i%2*9))
	}
	for v := range 5 {
		f.Publish(v)
	}
	f.Close()
	for i, s := range subs {
		n := 0
		for v := range s.C() {
			if v != n {
				t.Fatalf("subscriber %d: %d came as number %d", i, v, n)
			}
			n++
		}
		if want, why := []int{1, 5}[i%2], []error{ErrLagged, ErrBusClosed}[i%2]; n != want || s.Err() != why {
			t.Errorf("subscriber %d: %d values, %v", i, n, s.Err())
		}
	}
}

// A tally counts what matches, once, whether or not anybody reads it.
func TestATally(t *testing.T) {
	b := NewBus()
	b.Publish([]*Event{{Type: "user.registered", Sequence: 1}})
	tally := b.Count(MustPattern("user.*"), MustPattern("user.registered"))
	sub := b.Subscribe(1, MustPattern("user.*"))
	b.Publish([]*Event{{Type: "user.registered", Sequence: 2}, {Type: "order.placed", Sequence: 3}, {Type: "user.registered", Sequence: 4}, {Type: "user.deleted", Sequence: 5}})
	if tally.From != 1 || tally.Count() != 3 || sub.Err() == nil {
		t.Errorf("%d events after #%d; the reader: %v", tally.Count(), tally.From, sub.Err())
	}
	tally.Stop()
	b.Publish([]*Event{{Type: "user.registered", Sequence: 6}})
	if tally.Count() != 3 {
		t.Errorf("a stopped tally counts: %d", tally.Count())
	}
}
