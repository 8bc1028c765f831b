package store

import "strings"

// WAL is the state of a store's write-ahead log.
type WAL struct {
	Bytes int64
	Max   int64 // its bound
	Full  bool  // the log is at its bound: writes get [ErrFull]
	Held  bool  // a reader has been open so long that the log's space can't be freed
	// Begun is how often it began anew since the store was opened, because all of it was in the database.
	Begun int64
	// Holders are the processes that may have the log open, such as "process 4711 (sqlite3)"; empty: unknown.
	Holders []string
}

// Reason says who holds the log, as the end of a sentence; empty if nobody does.
func (w WAL) Reason() string {
	switch {
	case !w.Held:
		return ""
	case len(w.Holders) == 0:
		return ": another program has been reading the store for long, end its transaction"
	}
	return ": the store is being read for long, by " + strings.Join(w.Holders, ", ") + "; end that transaction"
}
