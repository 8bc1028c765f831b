package shape

// CheckResult is the result of one check.
type CheckResult struct {
	Check string `json:"check"`          // file, store, integrity, space, retention, clock, socket, tcp, tls, daemon, version, reload, runs, handlers, spans, service; of a PostgreSQL server also server, commits, replicas, rights, upkeep, sessions, wire, pooler
	Level Level  `json:"level"`          // ok, warning (it works, but may fail soon) or error
	Text  string `json:"text"`           // what was found
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

// CheckResults are the results of the checks that a daemon runs on itself.
type CheckResults struct {
	Findings []CheckResult `json:"findings"` // every check, also those that found nothing wrong
}
