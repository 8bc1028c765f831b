package shape

// LogLine is a line of a run's log: an attempt that begins or has ended, a part of what it printed, or the run, which ends the log.
type LogLine struct {
	Attempt *Attempt `json:"attempt,omitempty"` // its Output has no streams: they come as pieces
	Output  *Piece   `json:"output,omitempty"`
	Run     *Run     `json:"run,omitempty"`
}

// Piece is a part of what an attempt printed.
type Piece struct {
	Attempt int    `json:"attempt"`
	Stream  string `json:"stream"`
	Text    string `json:"text"`
	Omitted int64  `json:"omitted,omitempty"` // bytes that were left out before Text
}
