package store

import "strings"

// WAL is the state of a store's write-ahead log.
type WAL struct {
	Bytes int64
	Max   int64 // its bound
	Full  bool  // it is at the bound: writes get [ErrFull]
	Held  bool  // a reader has been open for so long that its space can't be freed
	// Holders are the processes that may have it open, in words: "process 4711 (sqlite3)"; none: unknown.
	Holders []string
}

// Reason says who holds the log, as the end of a sentence; empty: nobody does.
func (w WAL) Reason() string {
	switch {
	case !w.Held:
		return ""
	case len(w.Holders) == 0:
		return ": another program has been reading the store for long, end its transaction"
	}
	return ": the store is being read for long, by " + strings.Join(w.Holders, ", ") + "; end that transaction"
}
