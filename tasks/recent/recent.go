// Package recent knows what a handler did last: its last result and error, and how many runs have ended in the last minute. No goroutines.
package recent

import (
	"strings"
	"time"

	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/emitter"
)

// Runs is what a worker remembers of the runs that it settled, for the status. Its worker's goroutine owns it. It costs one look at the clock for a
// batch.
type Runs struct {
	ended  [60]int // in the last minute, by second
	second int64   // the last second that ended counts
	control.Recent
}

// Settled counts the runs of a batch that ended; last is the state of the last one.
func (r *Runs) Settled(now time.Time, n int, last store.RunState) {
	if n == 0 {
		return
	}
	r.turn(now)
	r.ended[r.second%60] += n
	r.Last = &control.Result{State: last.String(), At: now.UTC().Truncate(time.Microsecond)}
}

// Failed keeps the error of a failed attempt.
func (r *Runs) Failed(now time.Time, text string) {
	r.LastError = &control.Failure{Error: emitter.Cut(firstLine(text), maxError), At: now.UTC().Truncate(time.Microsecond)}
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// maxError is how many bytes of an error a status has.
const maxError = 300

// Rate is the number of runs that ended in the last minute.
func (r *Runs) Rate(now time.Time) (n int) {
	r.turn(now)
	for _, count := range r.ended {
		n += count
	}
	return n
}

// turn forgets the seconds that are more than a minute ago.
func (r *Runs) turn(now time.Time) {
	second := now.Unix()
	if second-r.second >= int64(len(r.ended)) {
		r.ended = [60]int{}
	} else {
		for s := r.second + 1; s <= second; s++ {
			r.ended[s%60] = 0
		}
	}
	r.second = max(r.second, second)
}
