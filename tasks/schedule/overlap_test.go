package schedule

import (
	"context"
	"fmt"
	"testing"
	"time"

	"evrun/tasks/schedule/slots"
)

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		overlap Overlap
		want    [3]int // published after 1 h 30 min, of which the first runs for 5 h; after 5 h 30 min; after 7 h 30 min
		left    map[string]int
	}{
		{OverlapAllow, [3]int{1, 5, 7}, map[string]int{}},
		{OverlapSkip, [3]int{1, 1, 3}, map[string]int{"overlap": 4}}, // those of 2, 3, 4 and 5 o'clock
		{OverlapQueue, [3]int{1, 1, 4}, map[string]int{"missed": 3}}, // 2, 3 and 4 are missed by then, 5 is the last of them
	} {
		t.Run(string(c.overlap), func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *life) {
				first := true
				l.settled = func(ctx context.Context, source, id string) error {
					if source != "/evrun/"+l.store.ID()+"/schedules/tick" {
						t.Errorf("asked about %s", source)
					}
					if !first {
						return nil
					}
					first = false
					select {
					case <-time.After(4*time.Hour + 45*time.Minute):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				e := l.entry("tick", slots.Spec{Every: time.Hour})
				e.Overlap = c.overlap
				l.start(e)
				time.Sleep(90 * time.Minute)
				at := [3]int{len(l.journal("tick").slots)}
				time.Sleep(4 * time.Hour)
				at[1] = len(l.journal("tick").slots)
				time.Sleep(2 * time.Hour)
				got := l.journal("tick")
				at[2] = len(got.slots)
				if at != c.want || fmt.Sprint(got.counts) != fmt.Sprint(c.left) {
					t.Errorf("published %v, left out %v; want %v and %v", at, got.counts, c.want, c.left)
				}
				l.end()
			})
		})
	}
}

// A slot that was missed while evrun was stopped is not left out because of an overlap with runs that ended long ago.
func TestOverlapAfterARestart(t *testing.T) {
	for _, c := range []struct {
		name  string
		slots int
		left  map[string]int
	}{
		{"they have ended", 2, map[string]int{"missed": 2}},
		{"they go on", 1, map[string]int{"missed": 2, "overlap": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *life) {
				l.settled = func(ctx context.Context, _, _ string) error {
					if c.slots == 2 {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
				e := l.entry("tick", slots.Spec{Every: time.Hour})
				e.Overlap = OverlapSkip
				l.start(e)
				time.Sleep(90 * time.Minute)
				l.end()
				time.Sleep(3 * time.Hour)
				l.start(e)
				time.Sleep(time.Minute)
				if got := l.journal("tick"); len(got.slots) != c.slots || fmt.Sprint(got.counts) != fmt.Sprint(c.left) {
					t.Errorf("published %v, left out %v; want %d and %v", got.slots, got.counts, c.slots, c.left)
				}
				l.end()
			})
		})
	}
}
