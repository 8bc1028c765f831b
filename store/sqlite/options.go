package sqlite

import (
	"evrun/store"
	"time"
)

// Options are what a store is opened with. The zero value is ready.
type Options struct {
	store.Options
	// Synchronous "normal" trades the durability of the last moments before a power cut for speed. Default "full".
	Synchronous string
	// MaxWAL bounds the write-ahead log, in bytes: while a reader is open for so long that it reaches this, writes get [store.ErrFull].
	// Default [DefaultMaxWAL].
	MaxWAL int64
	// Unwatched leaves out the looks at the store's files and at its write-ahead log, one or two a second: for tests in which
	// years pass.
	Unwatched bool
	// At is called by the writer at each [Point] of a transaction, for tests that crash there. Default: nothing.
	At func(Point)
}

// withDefaults are the options as they are used.
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

// DefaultMaxWAL is how large the write-ahead log may become unless the settings say otherwise, in bytes.
const DefaultMaxWAL = 4 << 30

// Point is a moment in the life of a transaction: what a crash there loses, and what it must not, differs.
type Point string

// The points, in the order in which a transaction meets them.
const (
	BeforeBegin   Point = "before begin"
	BeforeCommit  Point = "before commit"  // all effects and settlements are written, none is kept
	AfterCommit   Point = "after commit"   // on disk, and nobody knows
	BeforeAnswers Point = "before answers" // OnCommit was called, the callers have no answers yet
)
