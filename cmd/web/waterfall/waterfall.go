// Package waterfall lays out the chain of an event as rows that are a tree and a waterfall at once: each event, the runs on it, the events that those
// emitted, each with its place on a common axis of time. No goroutines, and nothing is read.
//
// A chain may have thousands of runs. Beyond [most] rows only some are rows of their own: the path to the run that ended last, the event that is looked
// at with its causes and its runs, runs that are dead or go on, then the first ones of each kind. All others are folded: a row for each kind below the same
// parent, which says how many they are and how they ended. A folded row has a key; who names it gets its parts as rows.
package waterfall

import (
	"cmp"
	"slices"
	"time"

	"evrun/cmd/api/shape"
)

// The bounds of a layout.
const (
	most        = 80  // rows, if nothing is folded; beyond them: rows of their own
	mostTrouble = 25  // runs that are shown as they are dead or go on
	mostFocused = 40  // the event that is looked at, and runs on it
	mostAlike   = 3   // rows of the same kind below one parent, unless they matter
	mostOpened  = 300 // rows that an opened one becomes
	mostFolds   = 5   // folded rows below one parent; more become one
)

// Waterfall is a chain as rows.
type Waterfall struct {
	Rows    []Row
	Ticks   []time.Duration // at 0, ¼, ½, ¾ and the whole axis
	Took    time.Duration   // from the first event to the end of what has ended, or until now while runs go on
	Cut     time.Duration   // so long before the axis begins was the first event; 0: the axis begins with it
	Folded  int             // events and runs that have no rows of their own
	Runs    int
	Going   int // runs that have not ended
	Longest Longest
}

// Longest is the step of the path to the run that ended last that took longest: a run's last attempt, or the wait for it.
type Longest struct {
	Run    *shape.ChainRun // nil: no run has ended
	TookMS float64
	Waited bool
}

// add notes a run of the path.
func (l *Longest) add(r *shape.ChainRun) {
	if r.TookMS != nil && (l.Run == nil || *r.TookMS > l.TookMS) {
		*l = Longest{Run: r, TookMS: *r.TookMS}
	}
	if r.WaitMS != nil && *r.WaitMS > l.TookMS {
		*l = Longest{Run: r, TookMS: *r.WaitMS, Waited: true}
	}
}

// Row is an event, a run or several of one kind.
type Row struct {
	Depth   int
	Event   *shape.ChainEvent // of a row of an event
	Run     *shape.ChainRun   // of a row of a run
	Fold    *Fold             // of a row of several siblings
	Slowest bool              // on the path to the run that ended last
	Focus   bool              // the event that is looked at, and its runs
	Wait    Span              // from the event to the start of the last attempt
	Bar     Span              // the last attempt; of a fold from the first start to the last end
	Mark    float64           // of an event: when it was, in thousandths of the axis
	At      time.Duration     // when it was, or began, after the first event
}

// Span is a part of the axis, in thousandths of it.
type Span struct{ X, W float64 }

// Fold is what a row stands for.
type Fold struct {
	Name   string // the type or the handler that all have; empty: they differ
	Of     string // "event" or "run"
	Count  int    // of them
	Runs   int    // of them and all that they caused
	States []State
	Key    string // opens it
}

// State is how many runs are in a state.
type State struct {
	Name  string
	Count int
}

// Options say what matters.
type Options struct {
	Focus int64    // the sequence of the event that is looked at
	Open  []string // the keys of folds that are opened
	Now   time.Time
}

// node is an event or a run of the chain, in a tree.
type node struct {
	event    *shape.ChainEvent
	run      *shape.ChainRun
	parent   *node
	children []*node
	own      bool // it has a row of its own
}

// Of lays out a chain. It keeps parts of the chain.
func Of(c *shape.Chain, o Options) Waterfall {
	root, all := tree(c)
	w := Waterfall{}
	if root == nil {
		return w
	}
	for _, n := range all {
		if n.run != nil {
			w.Runs++
			if n.run.FinishedAt == nil {
				w.Going++
			}
			if n.run.Slowest {
				w.Longest.add(n.run)
			}
		}
	}
	choose(all, o)
	l := layout{w: &w, o: o}
	l.measure(all)
	l.rows(root, 0)
	for _, n := range all {
		if !n.own {
			w.Folded++
		}
	}
	return w
}

// tree links the events and runs of a chain, in the order of their sequences. Events whose cause is missing are children of the first one.
func tree(c *shape.Chain) (root *node, all []*node) {
	events, runs := make(map[int64]*node, len(c.Events)), map[string]*node{}
	for i := range c.Events {
		e := &c.Events[i]
		n := &node{event: e}
		switch by, cause := runs[e.By], events[e.Cause]; {
		case root == nil:
			root = n
		case e.By != "" && by != nil:
			n.parent = by
		case cause != nil:
			n.parent = cause
		default:
			n.parent = root
		}
		if n.parent != nil {
			n.parent.children = append(n.parent.children, n)
		}
		events[e.Sequence] = n
		all = append(all, n)
		for j := range e.Runs {
			r := &node{run: &e.Runs[j], parent: n}
			n.children = append(n.children, r)
			runs[r.run.ID] = r
			all = append(all, r)
		}
	}
	return root, all
}

func (n *node) slowest() bool {
	if n.run != nil {
		return n.run.Slowest
	}
	return n.event.Slowest
}

// kind is what siblings must share to be folded into one row.
func (n *node) kind() string {
	if n.run != nil {
		return "run " + n.run.Handler
	}
	return "event " + n.event.Type
}

func (n *node) focused(o Options) bool {
	return n.event != nil && n.event.Sequence == o.Focus || n.run != nil && n.run.Sequence == o.Focus
}

// key names the fold of a node's kind below its parent.
func (n *node) key() string {
	if n.parent == nil {
		return ""
	}
	return n.parent.name() + " " + n.kind()
}

func (n *node) name() string {
	if n.run != nil {
		return n.run.ID
	}
	return n.event.ID
}

// trouble is how much a run asks for attention; 0: it doesn't.
func (n *node) trouble() int {
	if n.run == nil {
		return 0
	}
	switch n.run.State {
	case "dead":
		return 3
	case "retrying":
		return 2
	case "running":
		return 1
	}
	return 0
}

// choose says which nodes have rows of their own.
func choose(all []*node, o Options) {
	if len(all) <= most {
		for _, n := range all {
			n.own = true
		}
		return
	}
	c := chooser{all: all}
	focused := 0
	for _, n := range all {
		if n.focused(o) {
			focused++
		}
		if n.parent == nil || n.slowest() || n.focused(o) && focused <= mostFocused {
			c.take(n)
		}
	}
	c.troubled()
	c.each(mostOpened, func(n *node, key string) bool { return slices.Contains(o.Open, key) })
	c.each(mostAlike, func(n *node, _ string) bool { return c.own < most && n.parent != nil && n.parent.own })
}

// chooser gives rows to nodes.
type chooser struct {
	all []*node
	own int // rows so far
}

// take gives a row to a node, and to those that caused it.
func (c *chooser) take(n *node) {
	for ; n != nil && !n.own; n = n.parent {
		n.own = true
		c.own++
	}
}

// troubled takes the runs that ask for attention most.
func (c *chooser) troubled() {
	var list []*node
	for _, n := range c.all {
		if n.trouble() > 0 {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(b.trouble(), a.trouble()) })
	for _, n := range list[:min(len(list), mostTrouble)] {
		c.take(n)
	}
}

// each takes so many more nodes of each kind below one parent that are wanted.
func (c *chooser) each(limit int, wanted func(n *node, key string) bool) {
	taken := map[string]int{}
	for _, n := range c.all {
		if key := n.key(); !n.own && taken[key] < limit && wanted(n, key) {
			taken[key]++
			c.take(n)
		}
	}
}
