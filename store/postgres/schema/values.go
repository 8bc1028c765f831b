package schema

import "time"

// Micros is a time as it is stored: microseconds since the Unix epoch.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of [Micros], in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
