package search

import (
	"slices"
	"strconv"
	"time"

	"evrun/store"
)

// walk makes a page of the store's steps.
type walk[T any] struct {
	q      *Query
	passed int64        // sequences, with the pages before
	want   func(T) bool // nil: all
	scan   func(limit, look int) (store.Part[T], error)
	move   func(to string) error                        // has the next scan begin there
	check  func([]T) (func(i int) (bool, error), error) // reads what the condition needs of items, and returns what evaluates it for one of them
	place  func(T) string                               // of an item
}

const (
	firstLook  = 4096 // sequences of a page's first scan
	candidates = 1000 // items of a scan whose condition is evaluated then
	scanTime   = StepTime / 4
)

// page scans until the page is full, or the step is used up. Without a condition it looks for one item more, so that a last page has no Next.
func (w *walk[T]) page() (page Page[T], err error) {
	limit := w.q.Limit
	if limit <= 0 {
		limit = 100
	}
	begun, look, left := time.Now(), firstLook, int64(0)
	for at := ""; ; {
		want := limit + 1 - len(page.Items)
		if w.q.Where != nil {
			want = candidates
		}
		scanned := time.Now()
		part, err := w.scan(want, look)
		if err != nil {
			return page, err
		}
		page.Scanned += int64(part.Looked)
		w.passed, left = w.passed+part.Passed, part.Left
		if at = strconv.FormatInt(part.Reached, 10); len(part.Items) == want {
			at = w.place(part.Items[want-1])
		}
		items := part.Items
		if w.want != nil {
			items = slices.DeleteFunc(items, func(item T) bool { return !w.want(item) })
		}
		full, place, err := w.keep(&page, items, limit, scanned, begun.Add(StepTime))
		switch {
		case err != nil:
			return page, err
		case full:
			page.Next = place
		case part.End:
			page.Progress = 1
			return page, nil
		case time.Since(begun) >= StepTime, page.Scanned >= StepRows:
			page.Next = at
		}
		if page.Next != "" {
			if w.passed > 0 {
				page.Progress = float64(w.passed) / float64(w.passed+left)
				page.Next += "~" + strconv.FormatInt(w.passed, 10)
			}
			return page, nil
		}
		if err := w.move(at); err != nil {
			return page, err
		}
		switch took := time.Since(scanned); {
		case took < scanTime/2:
			look = min(2*look, StepRows)
		case took > 2*scanTime:
			look = max(look/2, firstLook/4)
		}
	}
}

// keep adds the items of which the condition is true. full says that the page is full, or the time is up, and the next page begins after place.
//
// What was read is evaluated at least as long as reading took, also when the time is up: on a slow disk, a page that ended after its first item
// would read the others again for each of them.
func (w *walk[T]) keep(page *Page[T], items []T, limit int, read, until time.Time) (full bool, place string, err error) {
	if w.q.Where == nil {
		if room := limit - len(page.Items); len(items) > room {
			page.Items = append(page.Items, items[:room]...)
			return true, w.place(page.Items[limit-1]), nil
		}
		page.Items = append(page.Items, items...)
		return false, "", nil
	}
	is, err := w.check(items)
	if err != nil {
		return false, "", err
	}
	now := time.Now()
	if least := now.Add(now.Sub(read)); least.After(until) {
		until = least
	}
	for i := range items {
		if i > 0 && !time.Now().Before(until) {
			return true, w.place(items[i-1]), nil
		}
		ok, err := is(i)
		if err != nil {
			if page.Failed++; page.Failure == nil {
				page.Failure = err
			}
		}
		if !ok {
			continue
		}
		if page.Items = append(page.Items, items[i]); len(page.Items) == limit {
			return true, w.place(items[i]), nil
		}
	}
	return false, "", nil
}
