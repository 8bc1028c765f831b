package schedule

import "time"

// Skew sets the scheduler's clock ahead of others, before its Run.
func (s *Scheduler) Skew(by time.Duration) { s.now = func() time.Time { return time.Now().Add(by) } }
