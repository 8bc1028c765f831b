package queue

import "time"

// pace holds a handler to its rate. An attempt takes a token when it begins, and the next token comes an interval later. None
// are saved up, so waiting events don't start in a burst.
type pace struct {
	interval time.Duration // 0: there is no rate
	next     time.Time     // when the next token comes
}

// wait is how long there is no token; 0: there is one.
func (p *pace) wait(now func() time.Time) time.Duration {
	if p.interval == 0 {
		return 0
	}
	return max(0, p.next.Sub(now()))
}

// take uses a token up.
func (p *pace) take(now time.Time) {
	if p.interval > 0 {
		p.next = now.Add(p.interval)
	}
}
