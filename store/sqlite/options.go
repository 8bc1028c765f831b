package sqlite

import (
	"time"

	"evrun/store"
)

// Options for opening a store. The zero value is usable.
type Options struct {
	store.Options
	// Synchronous "normal" is faster, but a power cut loses the writes of the last moments. Default "full".
	Synchronous string
	// MaxWAL bounds the write-ahead log, in bytes. If a reader stays open so long that the log reaches the bound, writes get [store.ErrFull]. Default
	// [DefaultMaxWAL].
	MaxWAL int64
	// Unwatched turns off the checks of the store's files and its write-ahead log, one or two per second. It is for tests in which years pass.
	Unwatched bool
	// At is called by the writer at each [Point] of a transaction, for tests that crash there. Default: nothing.
	At func(Point)
}

// withDefaults returns the options with defaults filled in.
func (o Options) withDefaults() Options {
	warn := o.Warn
	o.Warn = func(note string) {
		if note != "" && warn != nil {
			warn(note)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxWAL <= 0 {
		o.MaxWAL = DefaultMaxWAL
	}
	if o.StatementTimeout <= 0 {
		o.StatementTimeout = 50 * time.Millisecond
	}
	if o.Synchronous != "normal" {
		o.Synchronous = "full"
	}
	return o
}

// DefaultMaxWAL is the default limit of the write-ahead log, in bytes.
const DefaultMaxWAL = 4 << 30

// Point is a moment in a transaction. A crash may lose different data at each.
type Point string

// The points, in the order in which a transaction reaches them.
const (
	BeforeBegin   Point = "before begin"
	BeforeCommit  Point = "before commit"  // all effects and settlements are written, none is committed
	AfterCommit   Point = "after commit"   // committed, not yet reported
	BeforeAnswers Point = "before answers" // OnCommit has returned, the callers have no answers yet
)
