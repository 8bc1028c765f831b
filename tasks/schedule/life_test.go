package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
	"evrun/tasks"
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
		Store: l.store, Emitter: tasks.NewEmitter(l.store, 0), Entries: entries, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
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

// told is what the journal says of a schedule.
type told struct {
	slots  []string            // of the events, in their order
	left   map[string][]string // slots that were left out, by the reason
	counts map[string]int      // how many, by the reason
	manual int
	data   []string
}

// journal reads what was published so far.
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
				if e.ID != slotID(e.Time) {
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
	l := newLife(t) // its folder is no part of the bubble
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

// Whatever happens to the clock and to the daemon, each slot up to the mark is published once, or reported once as left out.
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
							want = append(want, slotID(slot))
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

func TestPoliciesAfterADay(t *testing.T) {
	// Hourly; the clock jumps by a day at half past two, and comes to half past two: 24 slots have passed, the last half an
	// hour ago, over the grace of a minute.
	for _, c := range []struct {
		missed    Missed
		published int
		left      int
	}{{MissedSkip, 0, 24}, {MissedLast, 1, 23}, {MissedAll, 24, 0}} {
		for _, how := range []string{"suspended", "down", "paused"} {
			t.Run(string(c.missed)+" "+how, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, l *life) {
					l.wake = time.Minute
					e := l.entry("tick", slots.Spec{Every: time.Hour})
					e.Missed = c.missed
					l.start(e)
					time.Sleep(150 * time.Minute)
					if got := l.journal("tick"); len(got.slots) != 2 {
						t.Fatalf("%d slots before", len(got.slots))
					}
					reason := "missed"
					switch how {
					case "suspended":
						l.set(24 * time.Hour)
						time.Sleep(l.wake) // it wakes up by itself
					case "down":
						l.end()
						time.Sleep(24 * time.Hour)
						l.start(e)
					case "paused":
						reason = "paused"
						if changed, err := l.s.Pause(t.Context(), "tick"); !changed || err != nil {
							t.Fatal(changed, err)
						}
						time.Sleep(12 * time.Hour)
						l.end() // the pause outlives the daemon
						time.Sleep(6 * time.Hour)
						l.start(e)
						time.Sleep(6 * time.Hour)
						if st, err := l.s.State(t.Context(), "tick"); err != nil || !st.PausedByHand {
							t.Fatal("the pause was forgotten", err)
						}
						if changed, err := l.s.Resume(t.Context(), "tick"); !changed || err != nil {
							t.Fatal(changed, err)
						}
					}
					synctest.Wait()
					got := l.journal("tick")
					if len(got.slots) != 2+c.published || got.counts[reason] != c.left || len(got.left[reason]) != c.left {
						t.Errorf("%d slots published, left out %v; want %d and %d", len(got.slots)-2, got.counts, c.published, c.left)
					}
					time.Sleep(time.Hour)
					if again := l.journal("tick"); len(again.slots) != len(got.slots)+1 {
						t.Errorf("the hour after has %d slots", len(again.slots)-len(got.slots))
					}
					l.end()
				})
			})
		}
	}
}

func TestTheClockIsSetBack(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Minute})
		l.start(e)
		time.Sleep(2*time.Hour + time.Second)
		l.set(-time.Hour)
		time.Sleep(59 * time.Minute)
		if got := l.journal("tick"); len(got.slots) != 120 {
			t.Errorf("%d slots: the hour that came twice has its slots once", len(got.slots))
		}
		l.end()
		l.start(e) // still before the mark
		time.Sleep(11 * time.Minute)
		if got := l.journal("tick"); len(got.slots) != 130 || len(got.counts) != 0 {
			t.Errorf("%d slots, left out %v", len(got.slots), got.counts)
		}
		l.end()
	})
}

func TestTheNewestOfManyMissed(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Minute})
		e.Missed, e.MaxMissed = MissedAll, 1500
		l.start(e)
		time.Sleep(time.Second)
		l.end()
		time.Sleep(5000*time.Minute + 30*time.Second) // the last one is on time
		l.start(e)
		synctest.Wait()
		got := l.journal("tick")
		if len(got.slots) != 1501 || got.counts["missed"] != 3499 || len(got.left["missed"]) != maxListed {
			t.Errorf("%d published, left out %v, of which %d are listed", len(got.slots), got.counts, len(got.left["missed"]))
		}
		l.end()
	})
}

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

// What was missed while nobody was there is not left out for an overlap with runs that have ended long since.
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

func TestReplaceSchedules(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		hourly := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"n": "${ slot.number }", "before": "${ previous?.unix }"})
		hourly.Version, hourly.Missed = "1", MissedAll
		gone := l.entry("gone", slots.Spec{Every: time.Hour})
		l.start(hourly, gone)
		time.Sleep(150 * time.Minute)
		other := *hourly
		other.Version, other.Type = "2", "tock"
		added := l.entry("added", slots.Spec{Every: time.Hour})
		changes, err := l.s.Replace(t.Context(), []*Entry{&other, added}, l.remember)
		if err != nil || fmt.Sprint(changes) != "{[added] [gone] [tick]}" {
			t.Fatalf("%v %v", changes, err)
		}
		time.Sleep(2 * time.Hour)
		got := l.journal("tick")
		if want := `[{"before":null,"n":1} {"before":946688400,"n":2} {"before":946692000,"n":3} {"before":946695600,"n":4}]`; fmt.Sprint(got.data) != want {
			t.Errorf("data %v, want %v", got.data, want)
		}
		if a, g := l.journal("added"), l.journal("gone"); len(a.slots) != 2 || len(g.slots) != 2 {
			t.Errorf("added has %d, gone %d", len(a.slots), len(g.slots))
		}
		// Another timing begins anew: nothing of it was missed.
		l.end()
		time.Sleep(24 * time.Hour)
		half := l.entry("tick", slots.Spec{Every: 30 * time.Minute})
		half.Missed = MissedAll
		l.start(half)
		time.Sleep(time.Minute)
		if again := l.journal("tick"); len(again.all()) != len(got.slots) {
			t.Errorf("%d slots of before, or of another timing", len(again.all())-len(got.slots))
		}
		time.Sleep(time.Hour)
		if again := l.journal("tick"); len(again.slots) != len(got.slots)+2 {
			t.Errorf("%d slots of the new timing", len(again.slots)-len(got.slots))
		}
		// One that was gone for good begins anew too.
		if _, err := l.s.Replace(t.Context(), []*Entry{half, gone}, l.remember); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if g := l.journal("gone"); len(g.all()) != 3 {
			t.Errorf("gone came back with %d slots", len(g.all()))
		}
		l.end()
	})
}

// What is refused elsewhere in the transaction of a replacement leaves the schedules as they are: those that run, and their marks.
func TestARefusedReplacementLeavesTheSchedules(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		hourly, gone := l.entry("tick", slots.Spec{Every: time.Hour}), l.entry("gone", slots.Spec{Every: time.Hour})
		l.start(hourly, gone)
		time.Sleep(90 * time.Minute)
		before, err := l.store.ScheduleMarks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("another handler's migration failed")
		asked := ""
		_, err = l.s.Replace(t.Context(), []*Entry{l.entry("tick", slots.Spec{Every: time.Minute}), l.entry("new", slots.Spec{Every: time.Minute})},
			func(fresh []store.ScheduleMark, gone []string) error {
				asked = fmt.Sprint(len(fresh), gone)
				return refused
			})
		if !errors.Is(err, refused) || asked != "2 [gone]" {
			t.Errorf("%v, of %s", err, asked)
		}
		if after, err := l.store.ScheduleMarks(t.Context()); err != nil || !maps.Equal(before, after) {
			t.Errorf("%v, want %v, %v", after, before, err)
		}
		time.Sleep(time.Hour)
		for name, want := range map[string]int{"tick": 2, "gone": 2, "new": 0} {
			if got := len(l.journal(name).all()); got != want {
				t.Errorf("%s has %d slots, want %d", name, got, want)
			}
		}
		l.end()
	})
}

func TestManualEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"at": "${ slot.unix }"})
		e.Paused = true
		l.start(e)
		time.Sleep(90 * time.Minute)
		ev, err := l.s.Manual(t.Context(), "tick")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.store.Append(t.Context(), []*events.Event{ev}); err != nil {
			t.Fatal(err)
		}
		if want := `{"at":946690200}`; string(ev.Data) != want || ev.Extensions["manual"] != true {
			t.Errorf("%s %v", ev.Data, ev.Extensions)
		}
		time.Sleep(time.Hour)
		if got := l.journal("tick"); len(got.all()) != 0 || got.manual != 1 {
			t.Errorf("%d slots, %d manual", len(got.all()), got.manual)
		}
		if _, err := l.s.Manual(t.Context(), "none"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		if _, err := l.s.Resume(t.Context(), "tick"); !errors.Is(err, ErrPausedByFile) {
			t.Error(err)
		}
		l.end()
	})
}

func TestASlotWhoseDataFails(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.data(l.entry("tick", slots.Spec{Every: time.Hour}), map[string]any{"n": "${ 1 % (slot.number - slot.number) }"})
		l.start(e)
		time.Sleep(3*time.Hour + time.Minute)
		got := l.journal("tick")
		if len(got.slots) != 0 || got.counts["error"] != 3 {
			t.Errorf("%d published, left out %v", len(got.slots), got.counts)
		}
		l.end()
	})
}

func TestALimitHoldsOverRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T, l *life) {
		e := l.entry("tick", slots.Spec{Every: time.Hour, Limit: 5})
		for range 4 {
			l.start(e)
			time.Sleep(2*time.Hour + time.Minute)
			l.end()
		}
		l.start(e)
		if got := l.journal("tick"); len(got.slots) != 5 {
			t.Errorf("%d slots, want 5", len(got.slots))
		}
		if st, err := l.s.State(t.Context(), "tick"); err != nil || len(st.Upcoming(1)) != 0 {
			t.Errorf("more are to come: %v", err)
		}
		l.end()
	})
}
