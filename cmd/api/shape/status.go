package shape

import (
	"time"

	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/retention"
)

// Status is what GET /v1/status answers.
type Status struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Config    string    `json:"config"`
	LoadedAt  time.Time `json:"loaded_at"`        // when the current wiring was read
	Reload    *Reloaded `json:"reload,omitempty"` // the last reload that changed something or was refused
	Store     string    `json:"store"`
	StoreSize int64     `json:"store_bytes"` // with the write-ahead log
	WAL       WAL       `json:"wal"`
	Socket    string    `json:"socket"`
	TCP       *Port     `json:"tcp,omitempty"` // the TCP port; absent: none is open
	Head      int64     `json:"head,string"`   // the last sequence of the journal

	Retention retention.Status `json:"retention"`
	Space     retention.Space  `json:"space"`

	Problems  []Trouble               `json:"problems"` // what needs somebody's attention, the worst first; empty: nothing
	Handlers  []control.HandlerStatus `json:"handlers"`
	Schedules []Schedule              `json:"schedules"`

	Nodes []Node `json:"nodes,omitempty"` // the daemons that share the store; absent: this one has it to itself
}

// Port is the daemon's TCP port.
type Port struct {
	URL         string     `json:"url"`               // with the address that it listens on
	Connections int64      `json:"connections"`       // how many are open
	Refused     int64      `json:"refused"`           // how many were refused since the start, because there were too many
	Expires     *time.Time `json:"expires,omitempty"` // when its certificate expires, or one between it and the root; absent: it has no TLS
	Problem     string     `json:"problem,omitempty"` // what is wrong with the certificate, or soon will be
}

// WAL is the state of the store's write-ahead log.
type WAL struct {
	Bytes   int64    `json:"bytes"`
	Max     int64    `json:"max"`
	Held    bool     `json:"held,omitempty"`    // a reader keeps it from being emptied
	Full    bool     `json:"full,omitempty"`    // it is at its limit: nothing is accepted
	Holders []string `json:"holders,omitempty"` // who may hold it
}

// Reason says who holds the log: see [store.WAL.Reason].
func (w WAL) Reason() string { return store.WAL{Held: w.Held, Holders: w.Holders}.Reason() }
