package activity

import (
	"time"

	"evrun/store"
	"evrun/store/meter"
	"evrun/tasks/measure"
)

// totals are counts since the daemon began.
type totals struct {
	accepted, ended, failed, dead int64
	attempts, waits               meter.Counts
}

// totalsOf reads the counts of a handler.
func totalsOf(h *measure.Handler) (t totals) {
	for state := range h.Ended {
		if store.RunState(state).Ended() {
			t.ended += h.Ended[state].Load()
		}
	}
	t.failed, t.dead = h.Failed.Load(), h.Ended[store.Dead].Load()
	t.attempts, t.waits = h.Attempts.Counts(), h.Waits.Counts()
	return t
}

// add adds what came to other totals since they were before.
func (t *totals) add(before, now *totals) {
	t.ended += now.ended - before.ended
	t.failed += now.failed - before.failed
	t.dead += now.dead - before.dead
	t.attempts = t.attempts.Plus(now.attempts.Minus(before.attempts))
	t.waits = t.waits.Plus(now.waits.Minus(before.waits))
}

// backlog is what waits. The zero value: nothing does.
type backlog struct {
	waiting int64
	oldest  time.Duration
	paused  bool // the handler is
}

// series is what is kept of one handler, or of all.
type series struct {
	of      *measure.Handler // nil: all
	seen    int64            // the sample in which the handler was there
	total   totals
	backlog backlog
	levels  []level // in the order of their steps
}

func newSeries(of *measure.Handler, sizes []levelSize) *series {
	s := &series{of: of, levels: make([]level, len(sizes))}
	for i, size := range sizes {
		s.levels[i].levelSize = size
	}
	return s
}

// note takes the totals as they are at a time. Where nothing came to them and nothing waits, it costs no memory.
func (s *series) note(second int64, now *totals) {
	quiet := *now == s.total && s.backlog.waiting == 0
	for i := range s.levels {
		if !quiet || s.of == nil {
			s.levels[i].note(second, &s.total, now, s.backlog)
		}
	}
	s.total = *now
}

// levelSize is how long the buckets of a level are, in seconds, and how many are kept.
type levelSize struct{ step, keep int64 }

// span is how many seconds a level goes back.
func (l levelSize) span() int64 { return l.step * l.keep }

// level keeps buckets of one length, in a ring of blocks: a block is made when something happens in its time.
type level struct {
	levelSize
	blocks  [][]bucket
	current int64  // the number of the bucket that is being filled: its time divided by step
	base    totals // as they were when it began
}

// perBlock is how many buckets a block has.
const perBlock = 36

// bucket is what happened in its time.
type bucket struct {
	number                        uint32 // its time divided by the level's step; another one: the bucket is empty
	accepted, ended, failed, dead uint32
	waiting                       uint32
	oldest                        float32    // seconds
	attempts, waits               [3]float32 // milliseconds: p50, p95, p99; 0: there were none
}

func (l *level) note(second int64, before, now *totals, waits backlog) {
	number := second / l.step
	if number != l.current {
		l.current, l.base = number, *before
	}
	if l.blocks == nil {
		l.blocks = make([][]bucket, l.keep/perBlock)
	}
	block := &l.blocks[number%l.keep/perBlock]
	if *block == nil {
		*block = make([]bucket, perBlock)
	}
	b := &(*block)[number%perBlock]
	*b = bucket{
		number:   uint32(number),
		accepted: uint32(now.accepted - l.base.accepted), ended: uint32(now.ended - l.base.ended),
		failed: uint32(now.failed - l.base.failed), dead: uint32(now.dead - l.base.dead),
		waiting: uint32(min(waits.waiting, 1<<32-1)), oldest: float32(waits.oldest.Seconds()),
	}
	quantiles(&b.attempts, now.attempts.Minus(l.base.attempts))
	quantiles(&b.waits, now.waits.Minus(l.base.waits))
}

// at returns the bucket with a number; nil: it is empty.
func (l *level) at(number int64) *bucket {
	if l.blocks == nil || number < 0 {
		return nil
	}
	block := l.blocks[number%l.keep/perBlock]
	if block == nil || block[number%perBlock].number != uint32(number) {
		return nil
	}
	return &block[number%perBlock]
}

// quantiles sets the median and others of times.
func quantiles(into *[3]float32, counts meter.Counts) {
	var times [3]time.Duration
	if !counts.Quantiles(times[:], .5, .95, .99) {
		return
	}
	for i, d := range times {
		into[i] = max(float32(d.Seconds()*1000), .001)
	}
}
