package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"evrun/store"
)

// passes lets time pass, and every attempt that begins succeeds at once.
func (r *rig) passes(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	for {
		for r.work(); len(r.flying) > 0; r.work() {
			for _, seq := range r.sequences() {
				r.end(seq, store.Outcome{State: store.Succeeded})
			}
		}
		_, wait := r.q.Wait()
		if r.now.Add(wait).After(end) {
			r.now = end
			return
		}
		r.now = r.now.Add(wait)
	}
}

// joined returns the sequences of the events of each run, in order.
func (r *rig) joined() (bursts [][]int64) {
	for _, into := range r.in(store.Succeeded) {
		var burst []int64
		for _, e := range r.events {
			if run := r.runs[e.Sequence]; run != nil && run.Joined == into {
				burst = append(burst, e.Sequence)
			}
		}
		bursts = append(bursts, append(burst, into))
	}
	return bursts
}

// Each event restarts the wait, up to the longest.
func TestTheWaitStartsAnewUpToItsBound(t *testing.T) {
	r := newRig(t, Options{Bursts: &Bursts{Wait: 2 * time.Second, MaxWait: 7 * time.Second}})
	began := r.now
	for range 10 { // at 0, 1, … 9 s
		r.emit("")
		r.passes(time.Second)
	}
	r.passes(time.Minute)
	bursts := r.joined()
	if len(bursts) != 2 || len(bursts[0]) != 7 && len(bursts[0]) != 8 {
		t.Fatalf("bursts: %v", bursts)
	}
	// The first is over 7 s after its first event, the second 2 s after its last, at 9 s.
	for i, want := range []time.Duration{7 * time.Second, 11 * time.Second} {
		run := r.runs[bursts[i][len(bursts[i])-1]]
		if late := r.begun[run.Sequence].Sub(began) - want; late < 0 || late > 2*recheckAfter {
			t.Errorf("burst %d began %v after it was over", i, late)
		}
	}
}

// An event that was accepted within the wait belongs to the burst, even if the queue sees it after the wait.
func TestEventsThatCameTogetherStayTogether(t *testing.T) {
	r := newRig(t, Options{Bursts: &Bursts{Wait: time.Second, MaxWait: time.Hour}})
	r.emit("")
	r.passes(time.Second - 1)
	r.emit("")
	r.now = r.now.Add(1)
	r.passes(time.Minute)
	if bursts := r.joined(); len(bursts) != 1 || len(bursts[0]) != 2 {
		t.Errorf("bursts %v", bursts)
	}
}

// A burst that is not over when evrun stops is read again, waits again, and is still one burst.
func TestARestartWaitsAnew(t *testing.T) {
	r := newRig(t, Options{Bursts: &Bursts{Wait: time.Minute, MaxWait: time.Hour, All: true}})
	for range 600 {
		r.emit("")
	}
	r.passes(30 * time.Second)
	r.kill()
	r.open()
	r.passes(45 * time.Second)
	if len(r.runs) != 0 {
		t.Errorf("%d runs before the wait was over", len(r.runs))
	}
	for range 3 {
		r.emit("")
	}
	r.passes(2 * time.Minute)
	if bursts := r.joined(); len(bursts) != 1 || len(bursts[0]) != 603 {
		t.Errorf("%d bursts", len(bursts))
	}
}

// The number of waiting events is limited: with more, the first due ones run at once. The rest are only in the journal, without runs.
func TestTheEventsThatWaitAreBounded(t *testing.T) {
	const n = 25_000
	r := newRig(t, Options{Concurrency: 64, Bursts: &Bursts{Wait: time.Hour, MaxWait: time.Hour, Key: bySubject}})
	for i := range n {
		r.emit(fmt.Sprint(i))
	}
	r.passes(time.Minute)
	if done, want := r.in(store.Succeeded), n-maxGathered+1; len(done) != want || done[want-1] != int64(want) { // one run makes room for the next
		t.Errorf("%d runs within the wait, want the first %d", len(done), want)
	}
	if len(r.runs) != n-maxGathered+1 {
		t.Errorf("%d runs in all", len(r.runs))
	}
}

// The number of large events in one run is limited, and their data is not kept in memory.
func TestABurstHasBoundedData(t *testing.T) {
	r := newRig(t, Options{Bursts: &Bursts{Wait: time.Hour, MaxWait: time.Hour, All: true}})
	large := make([]byte, 1<<20-100)
	for range 11 {
		r.emit("")
		r.events[len(r.events)-1].Data = large
	}
	r.passes(time.Minute)
	for _, u := range r.q.bursts.due {
		if u.last != nil {
			t.Error("an event of 1 MiB waits in memory")
		}
	}
	r.passes(2 * time.Hour)
	bursts := r.joined()
	if len(bursts) != 3 || len(slices.Concat(bursts...)) != 11 || len(bursts[0]) != 5 {
		t.Errorf("bursts %v", bursts)
	}
}

// While a rate delays bursts, more events join them; each run takes one token.
func TestBurstsGatherOnWhileARateHoldsThemUp(t *testing.T) {
	r := newRig(t, Options{Concurrency: 1, Interval: time.Minute, Bursts: &Bursts{Wait: time.Second, MaxWait: time.Second, All: true, Key: bySubject}})
	for i := range 300 {
		r.emit(fmt.Sprint(i % 3))
		r.passes(time.Second)
	}
	r.passes(10 * time.Minute)
	var at []time.Time
	for _, burst := range r.joined() {
		at = append(at, r.begun[burst[len(burst)-1]])
	}
	slices.SortFunc(at, time.Time.Compare)
	if len(at) > 9 { // 5 min of events, 3 keys
		t.Errorf("%d runs", len(at))
	}
	for i := 1; i < len(at); i++ {
		if gap := at[i].Sub(at[i-1]); gap < time.Minute {
			t.Errorf("two attempts began %v apart", gap)
		}
	}
}
