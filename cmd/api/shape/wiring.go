package shape

import (
	"time"

	"evrun/tasks"
	"evrun/tasks/compare"
)

// Wiring is the running wiring as a graph: what publishes events, their types, and the handlers that get them.
type Wiring struct {
	Types     []WiredType     `json:"types"`     // and patterns
	Handlers  []WiredHandler  `json:"handlers"`  // in the order of the file
	Schedules []WiredSchedule `json:"schedules"` // in the order of the file
	Hooks     []WiredHook     `json:"hooks"`     // in the order of the file
	Edges     []WiredEdge     `json:"edges"`     // which way events go
}

// WiredType is a type that the wiring declares, publishes or waits for; or a text that several types fit.
type WiredType struct {
	ID          string `json:"id"` // in edges: type:NAME, pattern:TEXT or computed:TEXT
	Type        string `json:"type"`
	Pattern     bool   `json:"pattern,omitempty"`  // of a handler's on, with wildcards
	Computed    bool   `json:"computed,omitempty"` // an expression makes the type
	Declared    bool   `json:"declared,omitempty"` // under events
	Final       bool   `json:"final,omitempty"`    // declared as one that needs no handler
	Own         bool   `json:"own,omitempty"`      // evrun's
	Description string `json:"description,omitempty"`
}

// WiredHandler is a handler of the wiring.
type WiredHandler struct {
	ID          string            `json:"id"` // in edges: handler:NAME
	Name        string            `json:"name"`
	Do          string            `json:"do"`
	On          []string          `json:"on"`
	When        string            `json:"when,omitempty"`     // its condition
	OrderBy     string            `json:"order_by,omitempty"` // what makes its order
	Timeout     string            `json:"timeout,omitempty"`  // of an attempt
	Attempts    int               `json:"attempts"`           // at most
	Schedule    bool              `json:"schedule,omitempty"` // it belongs to the schedule of its name
	Disabled    bool              `json:"disabled,omitempty"` // by enabled: false
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// WiredSchedule is a schedule of the wiring.
type WiredSchedule struct {
	ID          string            `json:"id"` // in edges: schedule:NAME
	Name        string            `json:"name"`
	Emit        string            `json:"emit"` // the type of its events
	When        string            `json:"when"` // in words
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// WiredHook is a hook of the wiring.
type WiredHook struct {
	ID          string            `json:"id"` // in edges: hook:NAME
	Name        string            `json:"name"`
	Path        string            `json:"path"`
	Type        string            `json:"type"` // as it is written
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// WiredEdge says that events go one way.
type WiredEdge struct {
	From string `json:"from"` // an id
	To   string `json:"to"`   // an id
	How  string `json:"how"`  // publishes, emits, on_dead, on; or matches: a type fits a pattern, or may be made by an expression
}

// WiringFiles are the texts that a wiring is made of. REDACTED stands for secrets that are written out in them.
type WiringFiles struct {
	Path     string       `json:"path"`            // of the wiring file
	Of       string       `json:"of"`              // running or disk
	Valid    bool         `json:"valid"`           // false: evrun would refuse them
	Changed  bool         `json:"changed"`         // the files on disk are not those that run
	Files    []WiringFile `json:"files"`           // the wiring file first
	Findings []Finding    `json:"findings"`        // what validate finds in them
	Notes    []string     `json:"notes,omitempty"` // checks that were left out
}

// WiringFile is one of the files of a wiring.
type WiringFile struct {
	Path string `json:"path" needed:"true"` // relative to the directory of the wiring file, if it is below that
	Text string `json:"text" needed:"true"`
}

// Finding is a fault of a wiring, or probably a mistake.
type Finding struct {
	Severity string `json:"severity"`         // error or warning
	File     string `json:"file"`             // the path of the file, or the variable that it is about
	Line     int    `json:"line,omitempty"`   // from 1
	Column   int    `json:"column,omitempty"` // from 1, in characters
	Width    int    `json:"width,omitempty"`  // of the text that it is about, in bytes
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"` // what to do about it
	Source   string `json:"source,omitempty"`
}

// WhatIfRequest has the files of a wiring that are other than those that run. One without a path is the wiring file.
type WhatIfRequest struct {
	Files []WiringFile `json:"files" needed:"true"` // the files that are other
}

// WhatIf is what another wiring would do. Neither wiring is given the values of env() and file(), so that differences of these are not seen.
type WhatIf struct {
	Valid     bool          `json:"valid"`              // false: evrun would refuse it, and nothing was compared
	Findings  []Finding     `json:"findings"`           // what validate finds in it: errors, or warnings
	Types     tasks.Changes `json:"types,omitzero"`     // those under events
	Schedules tasks.Changes `json:"schedules,omitzero"` // of the file
	Hooks     tasks.Changes `json:"hooks,omitzero"`     // of the file
	Handlers  tasks.Changes `json:"handlers,omitzero"`  // of the file
	Compared  int           `json:"compared"`           // events, the newest first
	More      bool          `json:"more"`               // there are further ones, which were not compared
	Since     *time.Time    `json:"since,omitempty"`    // when the oldest of them was accepted
	Differ    int           `json:"differ"`             // events with a difference
	Refused   Refused       `json:"refused"`            // how many of the events would not be accepted
	// ByHandler are the handlers with their counts before and after, those of the new wiring first.
	ByHandler   []*compare.Handler `json:"by_handler"`
	Differences []Differing        `json:"differences"` // some for each handler
}

// Refused counts the events that would be refused, by the wiring before and by the one after.
type Refused struct {
	Before int `json:"before"` // by the wiring that runs
	After  int `json:"after"`  // by the other one
}

// Differing is an event with which a handler would do something else.
type Differing struct {
	Sequence int64    `json:"seq,string"`
	EventID  string   `json:"event_id"`
	Type     string   `json:"type"`
	Handler  string   `json:"handler,omitempty"` // missing: the event itself is accepted by one wiring only
	What     []string `json:"what"`              // in words
}
