package shape

import (
	"time"

	"evrun/tasks"
	"evrun/tasks/compare"
)

// Wiring is the running wiring as a graph: what publishes events, their types, and the handlers that get them.
type Wiring struct {
	Types     []WiredType     `json:"types"`     // types of events; patterns and expressions, which stand for several
	Handlers  []WiredHandler  `json:"handlers"`  // in the order of the file
	Schedules []WiredSchedule `json:"schedules"` // in the order of the file
	Hooks     []WiredHook     `json:"hooks"`     // in the order of the file
	Edges     []WiredEdge     `json:"edges"`     // how events flow from node to node
}

// WiredType is a type that the wiring declares, publishes or handles; or a pattern or an expression, which stands for several types.
type WiredType struct {
	ID          string `json:"id"` // in edges: type:NAME, pattern:TEXT or computed:TEXT
	Type        string `json:"type"`
	Pattern     bool   `json:"pattern,omitempty"`  // it is a pattern with wildcards, of a handler's on
	Computed    bool   `json:"computed,omitempty"` // an expression makes the type
	Declared    bool   `json:"declared,omitempty"` // it is declared under events
	Final       bool   `json:"final,omitempty"`    // it is declared as final: it needs no handler
	Own         bool   `json:"own,omitempty"`      // it is one of evrun's own types
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

// WiredEdge is a way that events take from one node to another.
type WiredEdge struct {
	From string `json:"from"` // the id of a node
	To   string `json:"to"`   // the id of a node
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

// Finding is an error in a wiring, or a warning about a probable mistake.
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

// WhatIfRequest has the files of another wiring, as far as they differ from the running ones. A file with an empty path is the wiring file.
type WhatIfRequest struct {
	Files []WiringFile `json:"files" needed:"true"` // the files that differ; all others are the running ones
}

// WhatIf is what another wiring would do with recorded events. Neither wiring gets the values of env() and file(), so differences that depend on these are not seen.
type WhatIf struct {
	Valid     bool          `json:"valid"`              // false: evrun would refuse it, and nothing was compared
	Findings  []Finding     `json:"findings"`           // what validate finds in it: errors, or only warnings
	Types     tasks.Changes `json:"types,omitzero"`     // changes of the types under events
	Schedules tasks.Changes `json:"schedules,omitzero"` // changes of the schedules
	Hooks     tasks.Changes `json:"hooks,omitzero"`     // changes of the hooks
	Handlers  tasks.Changes `json:"handlers,omitzero"`  // changes of the handlers
	Compared  int           `json:"compared"`           // how many events were compared, the newest first
	More      bool          `json:"more"`               // further events exist, which were not compared
	Since     *time.Time    `json:"since,omitempty"`    // when the oldest of them was accepted
	Differ    int           `json:"differ"`             // how many events differ
	Refused   Refused       `json:"refused"`            // how many of the events would not be accepted
	// ByHandler are the handlers with their counts before and after, those of the new wiring first.
	ByHandler   []*compare.Handler `json:"by_handler"`
	Differences []Differing        `json:"differences"` // some differences of each handler
}

// Refused counts the events that would be refused.
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
