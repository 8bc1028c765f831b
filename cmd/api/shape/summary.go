package shape

import (
	"evrun/tasks/fault"
	"evrun/tasks/summary"
)

// RunSummary is how many runs are selected, as far as they are counted. Lists have the largest counts first; states are in the order of a run's life.
type RunSummary struct {
	Count    int          `json:"count"`
	States   []Count      `json:"states"`   // by state; states without runs are left out
	Handlers []Count      `json:"handlers"` // by handler
	Types    []Count      `json:"types"`    // by type of event; an empty name: the events were deleted
	Errors   []ErrorGroup `json:"errors"`   // by error, of runs whose last attempt failed
	Done     bool         `json:"done"`     // this is the last line: everything is counted
	Scanned  int64        `json:"scanned"`  // how many events or runs were looked at
	Progress float64      `json:"progress"` // how much of the journal was looked at, from 0 to 1
	Failed   int          `json:"failed,omitempty"`
	Failure  string       `json:"failure,omitempty"`
	Hint     string       `json:"hint,omitempty"` // why nothing has the labels
}

// Count is a number of runs.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// ErrorGroup counts the runs whose errors differ only in numbers, ids and quoted parts.
type ErrorGroup struct {
	Error    string  `json:"error"`   // with # and … in place of what differs
	Example  string  `json:"example"` // the error of one of them
	Count    int     `json:"count"`
	Newest   int64   `json:"newest_seq,string"` // the seq of the newest event
	Handlers []Count `json:"handlers"`          // by handler, 20 at most
	Where    string  `json:"where"`             // a condition that selects exactly this group; it includes the request's own condition
}

// maxExample is how much of an error is shown as the example of its group, in bytes.
const maxExample = 500

// RunSummaryOf returns the shape of a summary, with at most so many counts in each list. where is the condition of the request.
func RunSummaryOf(s *summary.Summary, most int, where string) RunSummary {
	shape := RunSummary{Count: s.Count, States: Each(s.States(), countOf), Handlers: Each(s.Handlers(most), countOf), Types: Each(s.Types(most), countOf),
		Errors: Each(s.Errors(most), func(g summary.Group) ErrorGroup {
			group := ErrorGroup{Error: g.Error, Example: fault.Clip(g.Example, maxExample), Count: g.Count, Newest: g.Newest, Handlers: Each(g.Handlers, countOf), Where: g.Where()}
			if where != "" {
				group.Where = "(" + where + ") and " + group.Where
			}
			return group
		}),
		Done: s.Done, Scanned: s.Scanned, Progress: s.Progress, Failed: s.Failed}
	if s.Failure != nil {
		shape.Failure = s.Failure.Error()
	}
	return shape
}

func countOf(c summary.Count) Count { return Count(c) }
