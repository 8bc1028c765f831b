package cmd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api/client"
	"evrun/tasks/search"
)

// follower reads the journal of a soak as it grows: each event once, in order, from the first one that it saw.
type follower struct {
	name string

	mu    sync.Mutex
	first int64
	last  int64
	seen  map[string]bool
	wrong []string
}

// follow starts the followers: evrun tail, which goes on over restarts by itself, and a program whose stream breaks again and again, and which resumes it.
func (s *soak) follow(t *testing.T) {
	t.Helper()
	tail := &follower{name: "tail", seen: map[string]bool{}}
	c := exec.Command(self(t, s.dir, "evrun"), "tail", "soak.>", "-n", "0", "-o", "json", "-q")
	c.Dir = s.dir
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var next struct{ Event json.RawMessage }
			if err := json.Unmarshal(line, &next); err != nil || next.Event == nil {
				tail.bad(fmt.Sprintf("%s (%v)", line, err))
				continue
			}
			tail.take(next.Event)
		}
	}()
	resuming := &follower{name: "a stream that is resumed", seen: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	var streams sync.WaitGroup
	streams.Go(func() { s.stream(ctx, resuming) })
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-done
		_ = c.Wait()
		cancel()
		streams.Wait()
	})
	s.followers = []*follower{tail, resuming}
	eventuallyTrue(t, "both follow", func() (bool, string) {
		return tail.reached() > 0 && resuming.reached() > 0, fmt.Sprint(tail.reached(), resuming.reached())
	})
}

// stream follows until ctx ends, in parts.
func (s *soak) stream(ctx context.Context, f *follower) {
	c := client.New(s.load.socket)
	defer c.CloseIdleConnections()
	for ctx.Err() == nil {
		part, cancel := context.WithTimeout(ctx, rand.N(s.day/5)+100*time.Millisecond)
		after := f.reached()
		err := c.Stream(part, client.StreamQuery{Selection: search.Selection{Types: []string{"soak.>"}}, Resume: after > 0, After: after}, func() error { return nil }, func(kind string, body []byte) error {
			switch kind {
			case "event":
				f.take(body)
			case "gap":
				f.bad(fmt.Sprintf("a gap: %s", body))
			}
			return nil
		})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			pauseFor(ctx, 50*time.Millisecond) // it is dead, or not yet back
		}
	}
}

func (f *follower) take(body []byte) {
	var e struct {
		ID  string
		Seq int64 `json:",string"`
	}
	err := json.Unmarshal(body, &e)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == 0 {
		f.first = e.Seq
	}
	if err != nil || e.Seq <= f.last {
		f.wrong = append(f.wrong, fmt.Sprintf("%s came after #%d (%v)", body[:min(len(body), 300)], f.last, err))
	}
	f.last = e.Seq
	f.seen[e.ID] = true
}

func (f *follower) bad(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong = append(f.wrong, text)
}

func (f *follower) reached() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// check reports what was wrong since the last call.
func (f *follower) check(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, text := range f.wrong {
		t.Errorf("%s: %s", f.name, text)
	}
	f.wrong = nil
}

// complete waits until the follower has seen all events that were acknowledged after its first one.
func (f *follower) complete(t *testing.T, list []sent) {
	t.Helper()
	last := int64(0)
	for _, e := range list {
		last = max(last, e.seq)
	}
	eventuallyTrue(t, f.name+" has seen the last event", func() (bool, string) { return f.reached() >= last, fmt.Sprintf("#%d of #%d", f.reached(), last) })
	f.check(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	missing := 0
	for _, e := range list {
		if e.seq >= f.first && !f.seen[e.id] {
			if missing++; missing <= 5 {
				t.Errorf("%s has never seen event %s, #%d", f.name, e.id, e.seq)
			}
		}
	}
	t.Logf("%s has seen %d events; %d are missing", f.name, len(f.seen), missing)
}
