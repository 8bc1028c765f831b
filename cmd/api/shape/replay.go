package shape

// ReplayRequest asks for single events to be run by a handler again. Selections are replayed by batches.
type ReplayRequest struct {
	Events []string `json:"events" needed:"true"` // each a seq or an id
	To     string   `json:"to" needed:"true"`     // the handler
	Again  bool     `json:"again,omitempty"`
	DryRun bool     `json:"dry_run,omitempty"` // only say what would be done
}

// Replayed is an event with the event that repeats it.
type Replayed struct {
	ReplayOf  int64  `json:"replayof,string"`
	Type      string `json:"type"`
	Handler   string `json:"handler"`
	ID        string `json:"id,omitempty"`
	Source    string `json:"source,omitempty"`
	Sequence  int64  `json:"seq,string,omitempty"` // 0 in a dry run
	Duplicate bool   `json:"duplicate"`            // it was replayed before, as this event
}
