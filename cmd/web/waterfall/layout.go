package waterfall

import (
	"slices"
	"strings"
	"time"
)

// layout makes the rows of one waterfall.
type layout struct {
	w     *Waterfall
	o     Options
	begin time.Time // of the axis
	whole float64   // its length in nanoseconds
	root  time.Time // the first event
}

const (
	thousand = 1000
	thinnest = 2 // thousandths: a shorter bar would not be seen
	farAway  = 8 // so many times the rest: a longer wait at the beginning is cut
)

// measure finds the axis: from the first event to the last end. A first event that was long before everything else, such as one with a time of its
// sender's, would leave no room for the rest: then the axis begins shortly before that.
func (l *layout) measure(all []*node) {
	begin, first, end := all[0].event.Time, time.Time{}, all[0].event.Time
	note := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(end) {
			end = t
		}
	}
	for _, n := range all[1:] {
		switch {
		case n.event != nil:
			note(n.event.Time)
		case n.run.StartedAt != nil:
			note(*n.run.StartedAt)
			if n.run.FinishedAt != nil {
				note(*n.run.FinishedAt)
			} else if n.run.State == "running" {
				note(l.o.Now)
			}
		case n.run.State == "waiting":
			note(l.o.Now)
		}
	}
	if first.IsZero() {
		first = begin
	}
	l.w.Took = max(0, end.Sub(begin))
	if rest := end.Sub(first); first.Before(begin) || rest > 0 && first.Sub(begin) > farAway*rest && first.Sub(begin) > time.Minute {
		start := first.Add(-rest / 8)
		l.w.Cut, begin = start.Sub(begin), start
		if l.w.Cut < 0 {
			l.w.Cut, begin = 0, first
		}
	}
	l.root = all[0].event.Time
	l.begin, l.whole = begin, float64(max(end.Sub(begin), time.Microsecond))
	for i := range 5 {
		l.w.Ticks = append(l.w.Ticks, time.Duration(l.whole*float64(i)/4))
	}
}

// at is the place of a time on the axis.
func (l *layout) at(t time.Time) float64 {
	x := float64(t.Sub(l.begin)) / l.whole * thousand
	return round(min(max(x, 0), thousand))
}

func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }

func (l *layout) span(from, to time.Time) Span {
	s := Span{X: l.at(from)}
	if s.W = round(l.at(to) - s.X); s.W < thinnest {
		s.W, s.X = thinnest, min(s.X, thousand-thinnest)
	}
	return s
}

// rows adds the row of a node that has one, and those below it.
func (l *layout) rows(n *node, depth int) {
	r := Row{Depth: depth, Event: n.event, Run: n.run, Slowest: n.slowest(), Focus: n.focused(l.o)}
	if n.event != nil {
		r.Mark, r.At = l.at(n.event.Time), n.event.Time.Sub(l.root)
	} else if r.Bar = l.bar(n); r.Bar.W > 0 || n.run.State == "waiting" {
		since := n.parent.event.Time
		until := l.o.Now
		if n.run.StartedAt != nil {
			until = *n.run.StartedAt
			r.At = until.Sub(l.root)
		}
		if x := l.at(since); until.After(since) && l.at(until) > x {
			r.Wait = Span{x, round(l.at(until) - x)}
		}
	}
	l.w.Rows = append(l.w.Rows, r)
	folds, groups := []string{}, map[string][]*node{}
	for _, child := range n.children {
		if child.own {
			l.rows(child, depth+1)
			continue
		}
		key := child.key()
		if groups[key] == nil {
			folds = append(folds, key)
		}
		groups[key] = append(groups[key], child)
	}
	if len(folds) > mostFolds {
		var rest []*node
		for _, key := range folds[mostFolds-1:] {
			rest = append(rest, groups[key]...)
		}
		folds = append(folds[:mostFolds-1], "")
		groups[""] = rest
	}
	for _, key := range folds {
		l.fold(groups[key], key, depth+1)
	}
}

// bar is the last attempt of a run: until now while it goes on.
func (l *layout) bar(n *node) Span {
	switch {
	case n.run == nil || n.run.StartedAt == nil:
		return Span{}
	case n.run.FinishedAt != nil:
		return l.span(*n.run.StartedAt, *n.run.FinishedAt)
	case n.run.State == "running":
		return l.span(*n.run.StartedAt, l.o.Now)
	}
	return l.span(*n.run.StartedAt, *n.run.StartedAt)
}

// fold adds one row for several siblings, with all that they caused.
func (l *layout) fold(list []*node, key string, depth int) {
	f := &Fold{Count: len(list), Key: key}
	if key != "" {
		f.Of, f.Name, _ = strings.Cut(list[0].kind(), " ")
	}
	var from, to float64 = thousand, 0
	states := map[string]int{}
	var count func(n *node)
	count = func(n *node) {
		if n.run != nil {
			f.Runs++
			states[n.run.State]++
			if b := l.bar(n); b.W > 0 {
				from, to = min(from, b.X), max(to, b.X+b.W)
			}
		}
		for _, child := range n.children {
			count(child)
		}
	}
	for _, n := range list {
		count(n)
	}
	for name, n := range states {
		f.States = append(f.States, State{name, n})
	}
	slices.SortFunc(f.States, func(a, b State) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Name, b.Name)
	})
	r := Row{Depth: depth, Fold: f}
	if to > from {
		r.Bar = Span{from, round(to - from)}
	}
	l.w.Rows = append(l.w.Rows, r)
}
