package access

import (
	"net/netip"
	"sync"
	"time"

	"evrun/cmd/api/limits"
)

// The bounds of wrong tokens: so many from one address at once, then one in each interval.
const (
	failuresAtOnce = 20
	failureEvery   = 3 * time.Second
	failureSenders = 10_000 // addresses that are remembered; further ones share one limit
	sweepEvery     = 10 * time.Second

	logsAtOnce = 20 // lines of the log about refused requests
	logEvery   = time.Second
)

// Failures limits the wrong tokens of each sender, see [limits.Sender]. The zero value can be used. Safe for concurrent use; its memory is bounded.
type Failures struct {
	mu     sync.Mutex
	of     map[netip.Addr]*limits.Bucket // by mu
	others *limits.Bucket                // by mu: of the senders that found no place
	swept  time.Time                     // by mu: when senders without failures were last forgotten
	logs   *limits.Bucket                // by mu
}

// Note notes a wrong token. ok is false, and retry the time to wait, if too many came from the address.
func (f *Failures) Note(from netip.Addr, now time.Time) (retry time.Duration, ok bool) {
	return f.bucketOf(limits.Sender(from), now).Take(1, now)
}

func (f *Failures) bucketOf(sender netip.Addr, now time.Time) *limits.Bucket {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.of[sender]; b != nil {
		return b
	}
	if len(f.of) >= failureSenders && now.Sub(f.swept) >= sweepEvery {
		f.swept = now
		for known, b := range f.of {
			if b.Idle(now) {
				delete(f.of, known)
			}
		}
	}
	if len(f.of) >= failureSenders {
		if f.others == nil {
			f.others = &limits.Bucket{Interval: failureEvery, Burst: failuresAtOnce}
		}
		return f.others
	}
	if f.of == nil {
		f.of = map[netip.Addr]*limits.Bucket{}
	}
	b := &limits.Bucket{Interval: failureEvery, Burst: failuresAtOnce}
	f.of[sender] = b
	return b
}

// mayLog reports whether a line about a refused request is logged: strangers must not fill the log.
func (f *Failures) mayLog(now time.Time) bool {
	f.mu.Lock()
	if f.logs == nil {
		f.logs = &limits.Bucket{Interval: logEvery, Burst: logsAtOnce}
	}
	logs := f.logs
	f.mu.Unlock()
	_, ok := logs.Take(1, now)
	return ok
}
