package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/taskstest"
)

// written is the answer of a stream, in memory.
type written struct {
	mu   sync.Mutex
	text strings.Builder // by mu
}

func (w *written) Header() http.Header { return http.Header{} }
func (w *written) WriteHeader(int)     {}
func (w *written) FlushError() error   { return nil }

func (w *written) SetWriteDeadline(time.Time) error { return nil }

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// take returns what was written since the last take.
func (w *written) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.text.Reset()
	return w.text.String()
}

func TestAStreamSaysHowFarItHasLooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := events.NewBus()
		s := New(Options{Journal: &journal{}, Bus: bus, Commits: events.NewFeed[store.Commit](), WriteTimeout: time.Minute})
		ctx, end := context.WithCancel(t.Context())
		w := &written{}
		done := make(chan error, 1)
		go func() {
			done <- s.Serve(ctx, w, Query{Filter: Filter{Events: true, Types: []events.Pattern{events.MustPattern("a.b")}}})
		}()
		synctest.Wait()
		if got, want := w.take(), "retry: 1000\nid: 0\nevent: head\ndata: {\"seq\":\"0\"}\n\n"; got != want {
			t.Errorf("it begins with %q", got)
		}
		for i := range 100 {
			bus.Publish([]*events.Event{{Sequence: int64(i + 1), Type: "x.y"}})
		}
		time.Sleep(keepAlive - time.Second)
		if got := w.take(); got != "" {
			t.Errorf("others' events: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := w.take(), "id: 100\nevent: head\ndata: {\"seq\":\"100\"}\n\n"; got != want {
			t.Errorf("the head is %q", got)
		}
		bus.Publish([]*events.Event{{Sequence: 101, ID: "x", Source: "/x", Type: "a.b"}})
		synctest.Wait()
		if got := w.take(); !strings.HasPrefix(got, "id: 101\nevent: event\n") {
			t.Errorf("then %q", got)
		}
		end()
		<-done
		s.Wait()
	})
}

func TestReadersAreWokenInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := events.NewBus()
		s := New(Options{Journal: &journal{}, Bus: bus, Commits: events.NewFeed[store.Commit](), WriteTimeout: time.Minute})
		ctx, end := context.WithCancel(t.Context())
		const n = 100
		answers := make([]written, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { _ = s.Serve(ctx, &answers[i], Query{Filter: Filter{Events: true}}) })
		}
		synctest.Wait()
		for i := range answers {
			answers[i].take()
		}
		got := func() (have int) {
			for i := range answers {
				answers[i].mu.Lock()
				if answers[i].text.Len() > 0 {
					have++
				}
				answers[i].mu.Unlock()
			}
			return have
		}
		bus.Publish([]*events.Event{{Sequence: 1, ID: "x", Source: "/x", Type: "a.b"}})
		synctest.Wait()
		if have := got(); have == 0 || have > 2*wakes {
			t.Errorf("at once %d have it", have)
		}
		time.Sleep(n / wakes * wakeEvery)
		synctest.Wait()
		if have := got(); have != n {
			t.Errorf("in the end %d have it", have)
		}
		end()
		all.Wait()
		s.Wait()
	})
}

// slow is an answer whose writes take a millisecond.
type slow struct{ written }

func (w *slow) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return w.written.Write(p)
}

func TestWritingToReadersTakesATenthOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := events.NewBus()
		s := New(Options{Journal: &journal{}, Bus: bus, Commits: events.NewFeed[store.Commit](), WriteTimeout: time.Minute})
		ctx, end := context.WithCancel(t.Context())
		const n = 200
		answers := make([]slow, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { _ = s.Serve(ctx, &answers[i], Query{Filter: Filter{Events: true}}) })
		}
		time.Sleep(time.Second)
		for i := range answers {
			answers[i].take()
		}
		bus.Publish([]*events.Event{{Sequence: 1, ID: "x", Source: "/x", Type: "a.b"}})
		have := 0
		for range 10 {
			time.Sleep(100 * time.Millisecond)
			for i := range answers {
				if answers[i].take() != "" {
					have++
				}
			}
		}
		if have < 50 || have > 130 {
			t.Errorf("in a second %d have it, and not about 100", have)
		}
		time.Sleep(2 * time.Second)
		for i := range answers {
			if answers[i].take() != "" {
				have++
			}
		}
		if have != n {
			t.Errorf("in the end %d have it", have)
		}
		end()
		all.Wait()
		s.Wait()
	})
}

// TestStreamsThatComeAndGoLeaveNothing: streams with many filters, slow ones among them, begin and end at any time while events come.
func TestStreamsThatComeAndGoLeaveNothing(t *testing.T) {
	parts := taskstest.Start(t, taskstest.Options{})
	s := New(Options{Journal: parts.Store, Bus: parts.Bus, Commits: parts.Commits, WriteTimeout: time.Minute,
		Runs: func(_ context.Context, runs []store.Run) []any { return make([]any, len(runs)) }})
	filters := []Filter{{Events: true}, {Events: true, Runs: true}, {Runs: true, Handler: "h"}, {Events: true, Source: "/x"}, {Events: true, Chain: 3}}
	for _, typ := range []string{"a.b", "a.*", "*.b", ">"} {
		filters = append(filters, Filter{Events: true, Types: []events.Pattern{events.MustPattern(typ)}})
	}
	for _, where := range []string{`data.n > 5`, `data.text matches "^(a+)+$"`, `data.none.more == 1`, `run.state == "dead"`, `sum(map(1..300, sum(map(1..300, # * 2)))) < 0`} {
		f := Filter{Events: true, Runs: true}
		if err := f.Condition(where); err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 30 {
				part, stop := context.WithTimeout(ctx, rand.N(10*time.Millisecond))
				head, _ := parts.Store.Head(ctx)
				_ = s.Serve(part, &written{}, Query{Filter: filters[rand.N(len(filters))], After: rand.N(head + 1), Head: head})
				stop()
			}
		})
	}
	all.Go(func() {
		for i := range 300 {
			data := json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"%s"}`, i%10, strings.Repeat("a", i)))
			if _, err := parts.Emitter.Emit(ctx, &events.Event{Type: "a.b", Source: "/x", Data: data}); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	s.Wait()
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if l := s.live; len(l.lines) > 0 || l.kept != 0 || l.queued != 0 || l.running != 0 || l.looking != 0 || l.sub != nil || l.runs != nil ||
		slices.ContainsFunc(l.oldest, func(k kept) bool { return k.of != nil }) || s.writes.bytes != 0 {
		t.Errorf("something is left: %d lines, %d bytes kept, %d queued, %d writing", len(l.lines), l.kept, l.queued, s.writes.bytes)
	}
}
