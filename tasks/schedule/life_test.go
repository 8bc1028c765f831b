package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/schedule/slots"
	"evrun/tasks/taskstest"
)

// life is a scheduler on a store, in a bubble whose clock can be set.
type life struct {
	t     *testing.T
	path  string
	step  atomic.Int64 // how far the machine's clock was set, in nanoseconds
	wake  time.Duration
	late  []time.Duration
	store *sqlite.Store
	s     *Scheduler
	end   func()

	settled func(ctx context.Context, source, id string) error
}

func newLife(t *testing.T) *life {
	return &life{t: t, path: filepath.Join(t.TempDir(), "evrun.db"), wake: maxSleep}
}

// remember stores the marks of replaced schedules.
func (l *life) remember(fresh []store.ScheduleMark, gone []string) error {
	return l.s.remember(context.Background(), fresh, gone)
}

func (l *life) now() time.Time { return time.Now().Add(time.Duration(l.step.Load())) }

// set moves the machine's clock.
func (l *life) set(by time.Duration) { l.step.Add(int64(by)) }

// start runs a daemon's scheduler.
func (l *life) start(entries ...*Entry) {
	l.t.Helper()
	var closeStore func()
	l.store, closeStore = taskstest.OpenStore(l.t, l.path, sqlite.Options{Unwatched: true, Synchronous: "normal"}) // no power cut here
	scheduling, stopScheduling := context.WithCancel(context.Background())
	scheduled := make(chan error, 1)
	l.s = NewScheduler(Options{
		Store: l.store, Emitter: emitter.New(l.store, 0), Entries: entries, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Settled: l.settled, Observe: func(late time.Duration) { l.late = append(l.late, late) },
	})
	l.s.now, l.s.maxSleep = l.now, l.wake
	go func() { scheduled <- l.s.Run(scheduling) }()
	l.end = func() {
		l.end = nil
		stopScheduling()
		if err := <-scheduled; err != nil {
			l.t.Errorf("scheduler: %v", err)
		}
		closeStore()
	}
}

// told holds the journal's record of a schedule.
type told struct {
	slots  []string            // of the events, in their order
	left   map[string][]string // slots that were left out, by the reason
	counts map[string]int      // how many, by the reason
	manual int
	data   []string
}

// journal reads the published events.
func (l *life) journal(name string) told {
	l.t.Helper()
	got := told{left: map[string][]string{}, counts: map[string]int{}}
	for after := int64(0); ; {
		page, err := l.store.Events(context.Background(), store.EventQuery{After: after, Limit: 1000})
		if err != nil {
			l.t.Fatal(err)
		}
		if len(page) == 0 {
			return got
		}
		for _, e := range page {
			after = e.Sequence
			switch {
			case e.Type == events.TypeScheduleMissed:
				var data struct {
					Schedule, Reason, First, Last string
					Count                         int
					Slots                         []string
				}
				if err := json.Unmarshal(e.Data, &data); err != nil {
					l.t.Fatal(err)
				}
				if data.Schedule != name {
					continue
				}
				if want := min(data.Count, maxListed); len(data.Slots) != want || data.Slots[0] != data.First || want == data.Count && data.Slots[want-1] != data.Last {
					l.t.Errorf("%d slots from %s to %s are told of as %d: %.60v…", data.Count, data.First, data.Last, len(data.Slots), data.Slots)
				}
				got.left[data.Reason] = append(got.left[data.Reason], data.Slots...)
				got.counts[data.Reason] += data.Count
			case e.Source != "/evrun/"+l.store.ID()+"/schedules/"+name:
			case e.Extensions["manual"] == true:
				got.manual++
			default:
				if e.ID != SlotID(e.Time) {
					l.t.Errorf("the event of %v is named %s", e.Time, e.ID)
				}
				got.slots = append(got.slots, e.ID)
				got.data = append(got.data, string(e.Data))
			}
		}
	}
}

// all are the slots of both kinds, sorted.
func (g told) all() []string {
	list := slices.Clone(g.slots)
	for _, left := range g.left {
		list = append(list, left...)
	}
	slices.Sort(list)
	return list
}

func (l *life) entry(name string, spec slots.Spec) *Entry {
	l.t.Helper()
	timing, err := slots.New(name, spec)
	if err != nil {
		l.t.Fatal(err)
	}
	return &Entry{Name: name, Timing: timing, Type: "tick"}
}

func (l *life) zone(name string) *time.Location {
	l.t.Helper()
	zone, err := slots.LoadZone(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return zone
}

func (l *life) data(e *Entry, data map[string]any) *Entry {
	l.t.Helper()
	v, faults := expression.CompileValue(data, expression.ScheduleData)
	if len(faults) > 0 {
		l.t.Fatal(faults)
	}
	c := *e
	c.Data = v
	return &c
}

func inBubble(t *testing.T, f func(t *testing.T, l *life)) {
	l := newLife(t) // its directory is created outside the bubble
	synctest.Test(t, func(t *testing.T) {
		l.t = t
		defer func() {
			if l.end != nil {
				l.end()
			}
		}()
		f(t, l)
	})
}

// A bubble begins at midnight UTC of 1 January 2000, a leap year.
func TestAYearInNewYork(t *testing.T) {
	for _, at := range []string{"00:00", "01:30", "02:30", "12:00"} { // 01:30 comes twice in autumn, 02:30 not at all in spring
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, l *life) {
				l.wake = 6 * time.Hour
				zone := l.zone("America/New_York")
				time.Sleep(time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, zone).Add(-time.Second)))
				l.start(l.entry("daily", slots.Spec{Daily: []string{at}, Zone: zone}))
				year := func(y int) { time.Sleep(time.Until(time.Date(y+1, 1, 1, 0, 0, 0, 0, zone).Add(-time.Second))) }
				year(2000)
				if got := l.journal("daily"); len(got.slots) != 366 || len(got.counts) != 0 {
					t.Errorf("%d slots in 2000, left out %v", len(got.slots), got.counts)
				}
				year(2001)
				if got := l.journal("daily"); len(got.slots) != 366+365 || len(got.counts) != 0 {
					t.Errorf("%d slots in 2000 and 2001, left out %v", len(got.slots), got.counts)
				}
				l.end()
				for _, late := range l.late {
					if late != 0 {
						t.Fatalf("a slot was %v late", late)
					}
				}
			})
		})
	}
}

// With any changes of the clock and restarts of the daemon, each slot up to the mark is published once, or reported once as left out.
func TestEachSlotIsAccountedFor(t *testing.T) {
	seeds := uint64(3)
	if storetest.Long() {
		seeds = 8
	}
	for _, missed := range []Missed{MissedSkip, MissedLast, MissedAll} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s %d", missed, seed), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, l *life) {
					random := rand.New(rand.NewPCG(seed, 5))
					l.wake = 2 * time.Minute
					e := l.entry("tick", slots.Spec{Every: 10 * time.Minute, Jitter: time.Duration(random.IntN(2)) * time.Minute})
					e.Missed, e.Grace = missed, time.Duration(1+random.IntN(30))*time.Minute
					start := l.now()
					l.start(e)
					synctest.Wait()
					passed := start // the latest that the clock has shown while a scheduler ran
					for range 60 {
						switch random.IntN(7) {
						case 0: // suspended for a day
							l.set(24 * time.Hour)
						case 1: // set back an hour
							l.set(-time.Hour)
						case 2: // set forward a little
							l.set(time.Duration(random.IntN(3600)) * time.Second)
						case 3: // down for a while
							l.end()
							time.Sleep(time.Duration(random.IntN(10*3600)) * time.Second)
							l.start(e)
						case 4:
							if _, err := l.s.Pause(t.Context(), "tick"); err != nil {
								t.Fatal(err)
							}
							time.Sleep(time.Duration(random.IntN(5*3600)) * time.Second)
							if _, err := l.s.Resume(t.Context(), "tick"); err != nil {
								t.Fatal(err)
							}
						case 5: // written anew
							other := *e
							other.Type = fmt.Sprintf("tick%d", random.IntN(100))
							if e = &other; true {
								if _, err := l.s.Replace(t.Context(), []*Entry{e}, l.remember); err != nil {
									t.Fatal(err)
								}
							}
						}
						time.Sleep(time.Duration(1+random.IntN(3*3600)) * time.Second)
						synctest.Wait()
						passed = slots.Later(passed, l.now())
					}
					l.set(passed.Sub(l.now()) + 2*time.Hour) // the clock is past all again
					time.Sleep(2 * l.wake)
					synctest.Wait()
					got, end := l.journal("tick"), l.now()
					var want []string
					slots, _ := e.Timing.Between(start, end, 1_000_000)
					for _, slot := range slots {
						if !e.Timing.Fire(slot).After(end) {
							want = append(want, SlotID(slot))
						}
					}
					if all := got.all(); !slices.Equal(all, want) {
						t.Errorf("%d slots are accounted for, want %d", len(all), len(want))
						for i := range min(len(all), len(want)) {
							if all[i] != want[i] {
								t.Fatalf("first difference: %s, want %s", all[i], want[i])
							}
						}
					}
					if !slices.IsSorted(got.slots) {
						t.Error("slots came out of their order")
					}
					l.end()
				})
			})
		}
	}
}
