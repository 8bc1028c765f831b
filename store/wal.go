package store

import "strings"

// WAL is how a store's write-ahead log is.
type WAL struct {
	Bytes int64
	Max   int64 // its bound
	Full  bool  // it is at the bound: writes get [ErrFull]
	Held  bool  // somebody reads it for so long that its space can't be given back
	// Holders are the processes that may do so, in words: "process 4711 (sqlite3)"; none: it is not known.
	Holders []string
}

// Reason says who holds the log, as the rest of a sentence; empty: nobody does.
func (w WAL) Reason() string {
	switch {
	case !w.Held:
		return ""
	case len(w.Holders) == 0:
		return ": another program has been reading the store for long, end its transaction"
	}
	return ": the store is being read for long, by " + strings.Join(w.Holders, ", ") + "; end that transaction"
}
