package stream

import "time"

// How fast readers are woken.
const (
	// Readers that have something to read are woken at this pace, so that a thousand of them don't take the processors from those who publish. Until its
	// turn comes more events are there, which it then gets with one write.
	wakes     = 1 // reader
	wakeEvery = time.Millisecond

	// After readers were written to, the next ones wait for restFor times as long as that took: it takes a tenth of one processor at most. One write counts
	// as mostWrite at most, since it may be waiting for its reader, and no rest is longer than mostRest.
	restFor   = 9
	mostWrite = time.Millisecond
	mostRest  = 100 * time.Millisecond
)

// wakeSome wakes as many readers as may be woken now, and reports whether others wait.
func (l *live) wakeSome() (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if n := int(min(now.Sub(l.credited)/wakeEvery, 2)); n > 0 {
		l.credit, l.credited = min(l.credit+n*wakes, 2*wakes), now
	}
	if now.Before(l.rest) {
		return l.ready != nil
	}
	n := min(l.credit, len(l.ready))
	for _, r := range l.ready[:n] {
		r.notify()
	}
	l.credit -= n
	clear(l.ready[:n])
	if l.ready = l.ready[n:]; len(l.ready) == 0 {
		l.ready = nil
	}
	return l.ready != nil
}

// wakeTouched needs mu. It has the readers of all lines woken that something was passed on to.
func (l *live) wakeTouched() {
	for _, ln := range l.touched {
		ln.touched = false
		ln.wakeAll()
	}
	clear(l.touched)
	l.touched = l.touched[:0]
}

// wrote needs mu. It has others rest after a write to a reader.
func (l *live) wrote(took time.Duration) {
	now := time.Now()
	if l.rest.Before(now) {
		l.rest = now
	}
	if l.rest = l.rest.Add(restFor * min(took, mostWrite)); l.rest.Sub(now) > mostRest {
		l.rest = now.Add(mostRest)
	}
}

// notify needs live.mu.
func (r *reader) notify() {
	r.ready = false
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
