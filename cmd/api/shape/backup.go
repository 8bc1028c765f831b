package shape

// BackupRequest asks a daemon to copy its store to a file that the client has made. The file contains Proof and nothing else, which shows that both see
// the same file, and that it was made for this.
type BackupRequest struct {
	Path  string `json:"path" needed:"true"`
	Proof string `json:"proof" needed:"true"`
}

// BackupStep is a line of the answer: how far the copy is, and in the last line its end or a problem.
type BackupStep struct {
	Done     int64    `json:"done_bytes,omitempty"`
	All      int64    `json:"bytes,omitempty"`
	Complete bool     `json:"complete,omitempty"`
	Sequence int64    `json:"seq,string,omitempty"` // of the last event in a complete copy
	Problem  *Problem `json:"problem,omitempty"`
}
