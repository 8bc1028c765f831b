package shape

import (
	"evrun/tasks/search"
)

// PageInfo is what a page of events or runs says about the search: see [search.Page].
type PageInfo struct {
	Next     string  `json:"next,omitempty"` // the next page's ?after=; absent: this is the last one. A page may be empty, and yet have a next one
	Scanned  int64   `json:"scanned"`
	Progress float64 `json:"progress,omitempty"`
	Failed   int     `json:"failed,omitempty"`
	Failure  string  `json:"failure,omitempty"`
	Hint     string  `json:"hint,omitempty"` // why nothing has the labels
}

// PageInfoOf returns the shape of what a page says about its search.
func PageInfoOf[T any](p search.Page[T]) PageInfo {
	info := PageInfo{Next: p.Next, Scanned: p.Scanned, Progress: p.Progress, Failed: p.Failed}
	if p.Failure != nil {
		info.Failure = p.Failure.Error()
	}
	return info
}
