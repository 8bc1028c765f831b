package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"evrun/events"
	"evrun/store"
)

// journal is a store with a few events.
type journal struct {
	store.Journal
	evs     []*events.Event
	reads   int
	reading chan struct{} // each read takes one; nil: none waits
}

func (j *journal) Events(_ context.Context, q store.EventQuery) ([]*events.Event, error) {
	if j.reading != nil {
		<-j.reading
	}
	j.reads++
	return j.evs[min(int(q.After), len(j.evs)):], nil
}

func TestAPageIsReadAndEncodedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{evs: []*events.Event{{Sequence: 1, Type: "a.b"}, {Sequence: 2, Type: "a.b"}}, reading: make(chan struct{})}
		p := newPages(j)
		const n = 100
		got := make(chan *streamPage, n)
		for range n {
			go func() {
				page, err := p.next(t.Context(), nil, pageKey{"", 0})
				if err != nil {
					t.Error(err)
				}
				got <- page
			}()
		}
		synctest.Wait() // all want it
		close(j.reading)
		first := <-got
		for range n - 1 {
			if page := <-got; page != first {
				t.Fatal("two have pages of their own")
			}
		}
		page, err := p.next(t.Context(), nil, pageKey{"", 1})
		if err != nil || page != first || strings.Count(string(page.beyond(1)), "id: ") != 1 || j.reads != 1 {
			t.Errorf("one that is further on: %v, %d reads, %q", err, j.reads, page.beyond(1))
		}
		// The end is not kept: what comes next is found.
		if page, err := p.next(t.Context(), nil, pageKey{"", 2}); page != nil || err != nil {
			t.Errorf("at the end: %v, %v", page, err)
		}
		j.evs = append(j.evs, &events.Event{Sequence: 3, Type: "a.b"})
		if page, err := p.next(t.Context(), nil, pageKey{"", 2}); page == nil || page.last() != 3 || err != nil {
			t.Errorf("beyond the end: %v, %v", page, err)
		}
	})
}

func TestAnEndThatIsOldIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{reading: make(chan struct{})}
		p := newPages(j)
		first, second := make(chan *streamPage, 1), make(chan *streamPage, 1)
		look := func(to chan<- *streamPage) {
			page, err := p.next(t.Context(), nil, pageKey{"", 0})
			if err != nil {
				t.Error(err)
			}
			to <- page
		}
		go look(first)
		synctest.Wait()
		j2 := j.evs
		go look(second) // joins the first, whose look at the journal may have been before an event
		synctest.Wait()
		_ = j2
		j.reading <- struct{}{}
		if page := <-first; page != nil {
			t.Fatal("the journal is not empty")
		}
		j.evs = []*events.Event{{Sequence: 1, Type: "a.b"}}
		j.reading <- struct{}{}
		if page := <-second; page == nil {
			t.Error("the second has missed the event")
		}
	})
}

func TestTheSlowestWriteEndsWhenRoomIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPages(&journal{})
		p.limit = 100
		page := func() *streamPage { return &streamPage{text: make([]byte, 60)} }
		ended := 0
		slow := p.begin(page(), func() { ended++ })
		if w := p.begin(page(), func() {}); w != nil {
			t.Fatal("there was room for both")
		}
		if p.begin(slow.page, func() {}) == nil {
			t.Fatal("a page that is held anyway takes room")
		}
		p.room(t.Context())
		w := p.begin(page(), func() {})
		if w == nil || ended != 1 {
			t.Fatalf("the slowest goes on: %v, %d", w, ended)
		}
		if err := p.done(slow); !errors.Is(err, errSlowest) {
			t.Errorf("the slowest gets %v", err)
		}
		if err := p.done(w); err != nil {
			t.Error(err)
		}
	})
}
