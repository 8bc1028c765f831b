package queue

import "time"

// pace limits a handler to its rate. An attempt takes a token when it begins, and the next token comes an interval later. Tokens don't accumulate, so
// waiting events don't start in a burst.
type pace struct {
	interval time.Duration // 0: there is no rate
	next     time.Time     // when the next token comes
}

// wait returns the time until the next token; 0 if there is one now.
func (p *pace) wait(now func() time.Time) time.Duration {
	if p.interval == 0 {
		return 0
	}
	return max(0, p.next.Sub(now()))
}

// rest lets no token come before a time.
func (p *pace) rest(until time.Time) {
	if p.interval > 0 && until.After(p.next) {
		p.next = until
	}
}

// take uses a token up.
func (p *pace) take(now time.Time) {
	if p.interval > 0 {
		p.next = now.Add(p.interval)
	}
}
