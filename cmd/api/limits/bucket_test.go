package limits

import (
	"testing"
	"time"

	"evrun/tasks"
)

func TestAPeriodsNumberPassesInAnyRhythm(t *testing.T) {
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	b := BucketOf(tasks.Rate{Count: 5, Per: time.Minute})
	for i := range 5 {
		if retry, ok := b.Take(1, now); !ok {
			t.Fatalf("request %d of 5 in a minute must wait for %v", i+1, retry)
		}
	}
	retry, ok := b.Take(1, now)
	if ok || retry != 12*time.Second {
		t.Errorf("the sixth: %v, %v, want to wait 12s", retry, ok)
	}
	if _, ok := b.Take(1, now.Add(retry)); !ok {
		t.Error("after the wait it is still refused")
	}
	if b.Idle(now) || !b.Idle(now.Add(2*time.Minute)) {
		t.Error("it does not become full again")
	}
}

func TestALargeRequestPassesAndDelaysWhatFollows(t *testing.T) {
	now := time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC)
	b := BucketOf(tasks.Rate{Count: 10, Per: time.Second})
	if _, ok := b.Take(1000, now); !ok {
		t.Fatal("a batch that is larger than the rate is refused")
	}
	if retry, ok := b.Take(1, now); ok || retry < 99*time.Second || retry > 100*time.Second {
		t.Errorf("after it: %v, %v", retry, ok)
	}
}

func TestWithoutARateAllPasses(t *testing.T) {
	b := BucketOf(tasks.Rate{})
	for range 1000 {
		if _, ok := b.Take(1000, time.Time{}); !ok {
			t.Fatal("refused")
		}
	}
}
