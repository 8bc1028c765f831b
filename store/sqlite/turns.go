package sqlite

import "time"

// Most user statements are short and share transactions with all other writes. So that slow statements don't delay others for long, a transaction
// stops taking them when they have used up its time. The rest of their write goes into a later transaction: first the waiting writes of others are
// committed, then one such write in its own transaction, and so on in turn. A statement that is known to be slow, or that was stopped and must be
// repeated, waits for such a turn at once.
//
// A statement that may hold the writer for longer (Settlement.Hold) also has its own turn, and afterwards all others have the writer for as long as
// it was held. So has a step of a backup, which is no transaction.

// shareOfOthers divides the time for user statements in a transaction if others wait: for an event in the transaction, or for the next turn.
const shareOfOthers = 5

// turn says which writes may share a transaction with this one.
type turn int8

const (
	own     turn = iota // only evrun's own statements
	shared              // user statements, shared with all writes
	alone               // a user statement that must be repeated
	holding             // a user statement that may take long, or migrations
	beside              // pruning: its transactions are short, and need not survive a power cut
	outside             // not a write: it uses the connection between two transactions
)

// turns holds the writes that wait for their own transaction.
type turns struct {
	next, holds, pruning []*op
	yieldUntil           time.Time // before, no hold begins
}

func (q *turns) add(o *op) {
	switch o.turn {
	case holding, outside:
		q.holds = append(q.holds, o)
	case beside:
		q.pruning = append(q.pruning, o)
	default:
		q.next = append(q.next, o)
	}
}

// ready reports whether take would return a write. A stopping writer does not wait between holds.
func (q *turns) ready(now time.Time, stopping bool) bool {
	return len(q.next)+len(q.pruning) > 0 || q.mayHold(now, stopping)
}

func (q *turns) mayHold(now time.Time, stopping bool) bool {
	return len(q.holds) > 0 && (stopping || !now.Before(q.yieldUntil))
}

// take returns the write whose turn it is, or nil.
func (q *turns) take(now time.Time, stopping bool) (o *op) {
	switch {
	case len(q.next) > 0:
		o, q.next = q.next[0], q.next[1:]
	case q.mayHold(now, stopping):
		o, q.holds = q.holds[0], q.holds[1:]
	case len(q.pruning) > 0:
		o, q.pruning = q.pruning[0], q.pruning[1:]
	default:
		return nil
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
	alone bool // it is a turn: the first statement runs whatever time it needs
	left  time.Duration
	begun time.Time // the first statement; zero: none so far
	last  time.Time // the end of the last one
	bytes int       // size of their arguments: written data must be synced, too
	over  bool      // no other one may follow
}

// allows reports whether a statement that takes so long may run. If apart is set, a turn is for one statement.
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
