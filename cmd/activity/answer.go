package activity

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api/shape"
	"evrun/tasks/fault"
)

// Query is what somebody wants to know.
type Query struct {
	Since    time.Time     // zero: 15 minutes ago
	Step     time.Duration // zero: the shortest that goes back so far
	Handler  string        // empty: all
	Handlers bool          // each of them, too
}

// Answer returns what happened. An error says what is wrong with the query. A handler that never did anything has zeros.
func (s *Sampler) Answer(q Query) (shape.Activity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = time.Now()
	sizes, long := ofAll, ofAll[2]
	if q.Handler != "" || q.Handlers {
		sizes, long = ofEach, ofEach[1]
	}
	fine := sizes[0]
	since := q.Since.Unix()
	if q.Since.IsZero() {
		since = s.through - fine.span()
	}
	since = max(since, s.began)
	step, err := stepOf(q.Step, since < s.through-fine.span(), fine.step, long.step)
	if err != nil {
		return shape.Activity{}, err
	}
	w := window{sampler: s, step: step, end: s.through - s.through%step}
	span := sizes[levelOf(step, len(sizes), func(i int) int64 { return sizes[i].step })].span()
	since = max(since, s.through-span)
	w.begin = min(since-since%step, w.end)
	if w.begin < since && w.begin < s.through-span { // its first part is not kept
		w.begin = min(w.begin+step, w.end)
	}
	a := w.of(q.Handler)
	if q.Handlers {
		a.Handlers = w.each()
	}
	return a, nil
}

// stepOf checks a step, or chooses one; in seconds.
func stepOf(wanted time.Duration, long bool, fine, coarse int64) (int64, error) {
	step := int64(wanted / time.Second)
	switch {
	case wanted == 0 && long:
		return coarse, nil
	case wanted == 0:
		return fine, nil
	case wanted%time.Second != 0 || step%fine != 0:
		return 0, fmt.Errorf("must be a multiple of %s", fault.Plural(int(fine), "second"))
	case step < 0 || step > int64(24*time.Hour/time.Second):
		return 0, fmt.Errorf("must be between %s and a day", fault.Plural(int(fine), "second"))
	}
	return step, nil
}

// window is the time that an answer is about, in seconds.
type window struct {
	sampler          *Sampler
	begin, end, step int64
}

func (w window) steps() int { return int((w.end - w.begin) / w.step) }

// levelOf returns which of n levels with steps in order answers in steps of a length: the last one whose steps make up these.
func levelOf(step int64, n int, steps func(int) int64) int {
	for i := n - 1; i > 0; i-- {
		if step%steps(i) == 0 {
			return i
		}
	}
	return 0
}

func (w window) level(s *series) *level {
	return &s.levels[levelOf(w.step, len(s.levels), func(i int) int64 { return s.levels[i].step })]
}

// of is what happened to a handler, or to all.
func (w window) of(handler string) shape.Activity {
	n := w.steps()
	counts := func() []int64 { return make([]int64, n) }
	a := shape.Activity{
		Since: time.Unix(w.begin, 0).UTC(), Step: int(w.step), Handler: handler, Ended: counts(), Failed: counts(), Dead: counts(),
		Waiting: make([]*int64, n), Oldest: make([]*float64, n),
		Attempts: quantilesOf(n), Waits: quantilesOf(n),
	}
	s := w.sampler.all
	if handler != "" {
		s = w.sampler.handlers[handler]
	} else {
		a.Accepted = counts()
	}
	for i := range n {
		t := w.begin + int64(i)*w.step
		if w.sampler.looked && w.any(w.sampler.all, t) {
			a.Waiting[i] = new(int64)
		}
		if s == nil {
			continue
		}
		w.buckets(s, t, func(b *bucket) {
			if a.Accepted != nil {
				a.Accepted[i] += int64(b.accepted)
			}
			a.Ended[i] += int64(b.ended)
			a.Failed[i] += int64(b.failed)
			a.Dead[i] += int64(b.dead)
			if a.Waiting[i] != nil {
				*a.Waiting[i] = int64(b.waiting)
				if a.Oldest[i] = nil; b.waiting > 0 && b.oldest > 0 {
					a.Oldest[i] = number(b.oldest)
				}
			}
			highest(a.Attempts, i, b.attempts)
			highest(a.Waits, i, b.waits)
		})
	}
	return a
}

// buckets calls f with the buckets of a step that have something.
func (w window) buckets(s *series, t int64, f func(*bucket)) {
	l := w.level(s)
	for number := t / l.step; number < (t+w.step)/l.step; number++ {
		if b := l.at(number); b != nil {
			f(b)
		}
	}
}

// any reports whether something was measured in a step.
func (w window) any(s *series, t int64) (measured bool) {
	w.buckets(s, t, func(*bucket) { measured = true })
	return measured
}

// each is what happened to each handler, in the order of the names.
func (w window) each() []*shape.HandlerActivity {
	list := make([]*shape.HandlerActivity, 0, len(w.sampler.handlers))
	for name, s := range w.sampler.handlers {
		h := &shape.HandlerActivity{Name: name, Ended: make([]int64, w.steps()), Failed: make([]int64, w.steps())}
		for i := range h.Ended {
			w.buckets(s, w.begin+int64(i)*w.step, func(b *bucket) {
				h.Ended[i] += int64(b.ended)
				h.Failed[i] += int64(b.failed)
			})
		}
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *shape.HandlerActivity) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func quantilesOf(n int) shape.Quantiles {
	return shape.Quantiles{P50: make([]*float64, n), P95: make([]*float64, n), P99: make([]*float64, n)}
}

// highest takes the quantiles of a bucket, where they are higher than those of the same step before.
func highest(q shape.Quantiles, i int, times [3]float32) {
	for k, list := range [3][]*float64{q.P50, q.P95, q.P99} {
		if ms := times[k]; ms > 0 && (list[i] == nil || float64(ms) > *list[i]) {
			list[i] = number(ms)
		}
	}
}

// number is a number with three digits, or to a thousandth.
func number(f float32) *float64 {
	scale := max(math.Pow(10, 2-math.Floor(math.Log10(float64(f)))), 1)
	v := math.Round(float64(f)*min(scale, 1000)) / min(scale, 1000)
	return &v
}
