package schema

import "time"

// Micros is a time as the tables have it.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of [Micros].
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }
