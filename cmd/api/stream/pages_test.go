package stream

import (
	"context"
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

func (j *journal) ScanEvents(_ context.Context, q store.EventQuery, _ int) (store.Part[*events.Event], error) {
	if j.reading != nil {
		<-j.reading
	}
	j.reads++
	return store.Part[*events.Event]{Items: j.evs[min(int(q.After), len(j.evs)):], End: true}, nil
}

func TestAPageIsReadAndEncodedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{evs: []*events.Event{{Sequence: 1, Type: "a.b"}, {Sequence: 2, Type: "a.b"}}, reading: make(chan struct{})}
		p := newPages(j, newGate())
		const n = 100
		got := make(chan *page, n)
		for range n {
			go func() {
				page, err := p.next(t.Context(), &Filter{Events: true}, pageKey{"", 0})
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
		page, err := p.next(t.Context(), &Filter{Events: true}, pageKey{"", 1})
		if err != nil {
			t.Fatal(err)
		}
		if text, last := page.chunk.beyond(1); page != first || strings.Count(string(text), "id: ") != 1 || last != 2 || j.reads != 1 {
			t.Errorf("one that is further on: %d reads, %q", j.reads, text)
		}
		// The end is not kept: what comes next is found.
		if page, err := p.next(t.Context(), &Filter{Events: true}, pageKey{"", 2}); err != nil || !page.end || page.chunk.text != nil {
			t.Errorf("at the end: %v, %v", page, err)
		}
		j.evs = append(j.evs, &events.Event{Sequence: 3, Type: "a.b"})
		if page, err := p.next(t.Context(), &Filter{Events: true}, pageKey{"", 2}); err != nil || page.chunk.last() != 3 {
			t.Errorf("beyond the end: %v, %v", page, err)
		}
	})
}

func TestAnEndThatIsOldIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{reading: make(chan struct{})}
		p := newPages(j, newGate())
		first, second := make(chan *page, 1), make(chan *page, 1)
		look := func(to chan<- *page) {
			page, err := p.next(t.Context(), &Filter{Events: true}, pageKey{"", 0})
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
		if page := <-first; page.chunk.text != nil {
			t.Fatal("the journal is not empty")
		}
		j.evs = []*events.Event{{Sequence: 1, Type: "a.b"}}
		j.reading <- struct{}{}
		if page := <-second; page.chunk.text == nil {
			t.Error("the second has missed the event")
		}
	})
}
