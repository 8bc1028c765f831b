package events

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// commitOf returns events of the given types, numbered from the given sequence.
func commitOf(first int64, types ...string) (commit []*Event) {
	for i, typ := range types {
		commit = append(commit, &Event{Sequence: first + int64(i), Type: typ})
	}
	return commit
}

func TestAWaitingBatchGrows(t *testing.T) {
	b := NewBus()
	s := b.Subscribe(9, MustPattern("a"))
	b.Publish(commitOf(1, "a", "b", "a"))
	b.Publish(commitOf(4, "b"))
	b.Publish(commitOf(5, "a", "a"))
	if got := sequencesOf(<-s.C()); !slices.Equal(got, []int64{1, 3, 5, 6}) {
		t.Errorf("received %v", got)
	}
	if _, all := b.Received(s); !all {
		t.Error("everything was received")
	}
	b.Publish(commitOf(7, "a"))
	if _, all := b.Received(s); all {
		t.Error("a batch waits")
	}
	s.Unsubscribe()
	if _, all := b.Received(s); all {
		t.Error("the subscription has ended")
	}
	wantEnd(t, s, ErrUnsubscribed, 7)
}

func TestACommitBeyondTheBoundSendsItsBeginning(t *testing.T) {
	b := NewBus()
	some, one, most := b.Subscribe(3, MustPattern("a")), b.Subscribe(1), b.Subscribe(MaxWaiting+1)
	b.Publish(commitOf(1, "a", "a"))
	b.Publish(commitOf(3, "b", "a", "b", "a"))
	wantEnd(t, some, ErrLagged, 1, 2, 4)
	wantEnd(t, one, ErrLagged, 1)
	publish(b, "a", upTo(MaxWaiting)[6:]...)
	if most.Err() != nil {
		t.Error(most.Err())
	}
	publish(b, "a", MaxWaiting+1)
	wantEnd(t, most, ErrLagged, upTo(MaxWaiting)...)
}

func TestTheBytesOfWaitingEventsAreBounded(t *testing.T) {
	b := NewBus()
	s, one := b.Subscribe(1000), b.Subscribe(1)
	const data, fit = 1000, 1000 * bytesEach / (1000 + eventSize)
	for i := range int64(fit + 1) {
		b.Publish([]*Event{{Type: "x", Sequence: i + 1, Data: make([]byte, data)}})
	}
	wantEnd(t, s, ErrLagged, upTo(fit)...)
	wantEnd(t, one, ErrLagged, 1)

	// What was received makes room.
	s = b.Subscribe(1000)
	for i := range int64(2 * fit) {
		b.Publish([]*Event{{Type: "x", Sequence: i + 1, Data: make([]byte, data)}})
		if i%2 == 1 {
			<-s.C()
		}
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
	// An event that has no room at all ends the subscription: it is in the journal.
	large := b.Subscribe(1)
	b.Publish([]*Event{{Type: "x", Data: make([]byte, leastBytes)}})
	wantEnd(t, large, ErrLagged)
}

// Commits of random types to subscribers with random patterns and limits, which read whenever they like: each receives what its patterns match, in
// order and without a gap up to its end, and no batch changes after it was received. Run it with -race, too: readers and the publisher share slices.
func TestBatchesAreNeverChanged(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		b := NewBus()
		var readers sync.WaitGroup
		var subs []*Subscription[[]*Event]
		var patterns [][]Pattern
		received := make([][]int64, 12)
		for i := range received {
			p := [][]Pattern{nil, {MustPattern("a")}, {MustPattern("b"), MustPattern("a")}, {MustPattern("c.>"), MustPattern(">")}}[rnd.IntN(4)]
			s, pause := b.Subscribe(1+rnd.IntN(3000), p...), rnd.IntN(4)
			subs, patterns = append(subs, s), append(patterns, p)
			readers.Go(func() {
				var batches [][]*Event
				var texts []string
				for batch := range s.C() {
					batches, texts = append(batches, batch), append(texts, fmt.Sprint(sequencesOf(batch)))
					received[i] = append(received[i], sequencesOf(batch)...)
					for range pause * 1000 {
						runtime.Gosched() // a slow reader
					}
				}
				for j, batch := range batches {
					if got := fmt.Sprint(sequencesOf(batch)); got != texts[j] {
						t.Errorf("seed %d: a batch was %s, and is %s", seed, texts[j], got)
					}
				}
			})
		}
		var all []*Event
		for len(all) < 5000 {
			types := make([]string, 1+rnd.IntN(60))
			mixed := rnd.IntN(3) > 0
			for i := range types {
				if types[i] = "a"; mixed {
					types[i] = []string{"a", "b", "c.d"}[rnd.IntN(3)]
				}
			}
			commit := commitOf(int64(len(all)+1), types...)
			all = append(all, commit...)
			b.Publish(commit)
		}
		b.Close()
		readers.Wait()
		for i, got := range received {
			var want []int64
			for _, e := range all {
				if len(patterns[i]) == 0 || slices.ContainsFunc(patterns[i], func(p Pattern) bool { return p.Match(e.Type) }) {
					want = append(want, e.Sequence)
				}
			}
			if subs[i].Err() == ErrLagged && len(got) < len(want) {
				want = want[:len(got)]
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: subscriber %d received %d of %d events, in this order: %v", seed, i, len(got), len(want), got)
			}
		}
	}
}
