package shape

// CheckResult is one thing that evrun looked at, to find what is wrong or soon will be.
type CheckResult struct {
	Check string `json:"check"` // file, store, integrity, space, retention, clock, socket, tcp, tls, daemon, version, reload, runs, handlers, spans, service
	Level Level  `json:"level"` // ok; warning: it works, and may not for long; error
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"` // what to do
}

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and may not for long
	Error   Level = "error"
)

// CheckResults are all that a daemon finds when it looks at itself.
type CheckResults struct {
	Findings []CheckResult `json:"findings"` // ok, too
}
