package sqlite

import "time"

// User statements are short for the most part, and then share transactions with all other writes. So that slow
// ones don't hold up others for long, a transaction stops taking them when they have used up its time. The rest of their write
// goes into a later one: first the waiting writes of others, then one such write in a transaction of its own, and so on
// in turn. A statement that is known to be slow, or that was stopped and must be repeated, waits for such a turn at once.
//
// A statement that may hold the writer for longer (Settlement.Hold) has a turn of its own, too, and then all others have
// the writer for as long as it was held.

// shareOfOthers divides the time that user statements have in a transaction if others wait for it: for an event in it, or for the
// turn that comes next.
const shareOfOthers = 5

// turn says which writes may share a transaction with this one.
type turn int8

const (
	own     turn = iota // evrun's own statements alone
	shared              // user statements, with everybody
	alone               // one of them that must be repeated
	holding             // one of them that may take long, or migrations
)

// turns are the writes that wait for a transaction of their own.
type turns struct {
	next, holds []*op
	yieldUntil  time.Time // before, no hold begins
}

func (q *turns) add(o *op) {
	if o.turn == holding {
		q.holds = append(q.holds, o)
	} else {
		q.next = append(q.next, o)
	}
}

// ready reports whether take would return a write. A writer that is stopping does not yield.
func (q *turns) ready(now time.Time, stopping bool) bool {
	return len(q.next) > 0 || len(q.holds) > 0 && (stopping || !now.Before(q.yieldUntil))
}

// take gives the write whose turn it is, or nil.
func (q *turns) take(now time.Time, stopping bool) (o *op) {
	switch {
	case !q.ready(now, stopping):
		return nil
	case len(q.next) > 0:
		o, q.next = q.next[0], q.next[1:]
	default:
		o, q.holds = q.holds[0], q.holds[1:]
	}
	o.declined = false
	return o
}

// wake fires when the next hold may begin.
func (q *turns) wake(now time.Time) (c <-chan time.Time, stop func()) {
	if len(q.holds) == 0 {
		return nil, func() {}
	}
	t := time.NewTimer(q.yieldUntil.Sub(now))
	return t.C, func() { t.Stop() }
}

// budget is the time that a transaction has for user statements.
type budget struct {
	clock func() time.Time
	alone bool // it is a turn: the first statement runs however long it may take
	left  time.Duration
	begun time.Time // the first statement; zero: none so far
	last  time.Time // the end of the last one
	bytes int       // of their arguments: what is written must be synced, too
	over  bool      // no other one may follow
}

// allows reports whether a statement that takes so long may run. A turn is for one statement, where apart is set.
func (b *budget) allows(takes time.Duration, apart bool) bool {
	first := b.begun.IsZero()
	ok := !b.over && (first && b.alone || !apart && b.bytes < maxBatchBytes && b.last.Sub(b.begun)+takes <= b.left)
	if ok && first {
		b.begun = b.clock()
		b.last = b.begun
	}
	b.over = b.over || apart
	return ok
}

// spent notes the end of a statement, and returns how long it took.
func (b *budget) spent() time.Duration {
	now := b.clock()
	took := now.Sub(b.last)
	b.last = now
	return took
}
