package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/fault"
)

// The bounds of a printed chain.
const (
	treeSiblings = 6   // of more, only these are drawn, the rest is counted
	treeLines    = 300 // a larger tree is cut
)

// tree draws a chain: events, under each its runs, and under each run the events that it published. The path to the run that ended last has a star
// before its lines.
type tree struct {
	p      *Printer
	chain  *api.Chain
	asked  int64
	under  map[string][]*api.ChainEvent // by the run, or the event (#seq), that published them
	keeps  map[int64]bool               // the events on the way to the asked one
	states map[string]int
	out    strings.Builder
	lines  int
	cut    bool
}

// node is an event or a run.
type node struct {
	event *api.ChainEvent
	run   *api.ChainRun
}

// Tree writes a chain; asked is the seq of the event that was asked for.
func (p *Printer) Tree(c *api.Chain, asked int64) error {
	t := &tree{p: p, chain: c, asked: asked, under: map[string][]*api.ChainEvent{}, keeps: map[int64]bool{}, states: map[string]int{}}
	causes := map[int64]int64{}
	var roots []node
	for i := range c.Events {
		e := &c.Events[i]
		for _, r := range e.Runs {
			t.states[r.State]++
		}
		_, known := causes[e.Cause]
		switch causes[e.Sequence] = e.Cause; {
		case !known:
			roots = append(roots, node{event: e})
		case e.By != "":
			t.under[e.By] = append(t.under[e.By], e)
		default:
			t.under[key(e.Cause)] = append(t.under[key(e.Cause)], e)
		}
	}
	for at := asked; at != 0 && !t.keeps[at]; at = causes[at] {
		t.keeps[at] = true
	}
	runs := 0
	for _, n := range t.states {
		runs += n
	}
	head := fmt.Sprintf("chain of %s and %s", fault.Plural(len(c.Events), "event"), fault.Plural(runs, "run"))
	if c.TookMS > 0 {
		head += fmt.Sprintf(", took %s (* slowest path)", Duration(msDuration(c.TookMS)))
	}
	if c.More {
		head += "; it has more, which were not read"
	}
	if err := p.wrapped("", head); err != nil {
		return err
	}
	t.siblings(roots, "", true)
	if err := p.printf("%s", t.out.String()); err != nil || !t.cut {
		return err
	}
	return p.wrapped("  ", fmt.Sprintf("… cut after %d lines; the runs are %s", treeLines, counted(t.states)))
}

func key(sequence int64) string { return fmt.Sprintf("#%d", sequence) }

// siblings draws nodes under one parent. Of many, those on a marked path come first, then failed ones, and the rest is folded.
func (t *tree) siblings(list []node, before string, top bool) {
	shown, folded := list, []node(nil)
	if len(list) > treeSiblings+1 {
		shown, folded = t.choose(list)
	}
	for i, n := range shown {
		last := i == len(shown)-1 && len(folded) == 0
		branch, below := before+"├─ ", before+"│  "
		switch {
		case top:
			branch, below = before, before
		case last:
			branch, below = before+"└─ ", before+"   "
		}
		t.node(n, branch, below)
		if t.cut {
			return
		}
	}
	if len(folded) > 0 {
		t.line(false, before+"└─ ", Cell{Text: t.summary(folded), Color: Dim})
	}
}

// choose picks the siblings that are drawn, in their order.
func (t *tree) choose(list []node) (shown, folded []node) {
	keep := map[int]bool{}
	for _, wanted := range []func(node) bool{
		func(n node) bool {
			return n.slowest() || n.event != nil && t.keeps[n.event.Sequence] || n.run != nil && t.asks(n.run)
		},
		func(n node) bool { return t.fails(n) },
		func(node) bool { return true },
	} {
		for i, n := range list {
			if len(keep) < treeSiblings && wanted(n) {
				keep[i] = true
			}
		}
	}
	for i, n := range list {
		if keep[i] {
			shown = append(shown, n)
		} else {
			folded = append(folded, n)
		}
	}
	return shown, folded
}

func (n node) slowest() bool {
	return n.event != nil && n.event.Slowest || n.run != nil && n.run.Slowest
}

// asks reports whether a run published an event on the way to the asked one.
func (t *tree) asks(r *api.ChainRun) bool {
	return slices.ContainsFunc(t.under[r.ID], func(e *api.ChainEvent) bool { return t.keeps[e.Sequence] })
}

// fails reports whether a node is a dead run, or an event with one.
func (t *tree) fails(n node) bool {
	if n.run != nil {
		return n.run.State == "dead"
	}
	return slices.ContainsFunc(n.event.Runs, func(r api.ChainRun) bool { return r.State == "dead" })
}

// summary counts folded nodes, with everything below them.
func (t *tree) summary(folded []node) string {
	kinds, states := map[string]int{}, map[string]int{}
	direct := len(folded)
	for open := slices.Clone(folded); len(open) > 0; {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		if n.run != nil {
			states[n.run.State]++
		} else {
			kinds[n.event.Type]++
		}
		open = append(open, t.children(n)...)
	}
	text := fmt.Sprintf("… %d more", direct)
	if part := counted(kinds); part != "" {
		text += ": " + part
	}
	if part := counted(states); part != "" {
		text += "; runs: " + part
	}
	return text
}

// counted is "3 dead, 2 succeeded".
func counted(numbers map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%d %s", numbers[name], name))
	}
	if len(parts) > 6 {
		parts = append(parts[:6], "…")
	}
	return strings.Join(parts, ", ")
}

// children are the nodes below a node: of a run the events that it published; of an event its runs, and the events of which only the cause is known, not
// the run that published them.
func (t *tree) children(n node) (list []node) {
	published := ""
	if n.run != nil {
		published = n.run.ID
	} else {
		published = key(n.event.Sequence)
		for i := range n.event.Runs {
			list = append(list, node{run: &n.event.Runs[i]})
		}
	}
	for _, e := range t.under[published] {
		list = append(list, node{event: e})
	}
	return list
}

func (t *tree) node(n node, branch, below string) {
	if n.run != nil {
		t.line(n.slowest(), branch, t.run(n.run)...)
	} else {
		t.line(n.slowest(), branch, t.event(n.event)...)
	}
	t.siblings(t.children(n), below, false)
}

func (t *tree) event(e *api.ChainEvent) []Cell {
	cells := []Cell{{Text: key(e.Sequence) + " ", Color: Dim}, {Text: e.Type, Color: Cyan}}
	if e.Sequence == t.asked && len(t.chain.Events) > 1 {
		cells = append(cells, Cell{Text: " (this one)", Color: Bold})
	}
	return cells
}

func (t *tree) run(r *api.ChainRun) []Cell {
	about := took(r.Run)
	if r.WaitMS != nil && *r.WaitMS >= 1 && r.Failed == 0 {
		about += ", waited " + Duration(msDuration(*r.WaitMS))
	}
	switch {
	case r.Failed == 1 && r.State == "dead":
		about += ", 1 attempt"
	case r.Failed > 0:
		about += fmt.Sprintf(", %s failed", fault.Plural(r.Failed, "attempt"))
		if r.WaitMS != nil && r.TookMS != nil {
			about += ", " + Duration(msDuration(*r.WaitMS+*r.TookMS)) + " in all"
		}
	}
	if text := why(r.Run); text != "" {
		about += ": " + text
	}
	if about = strings.TrimPrefix(about, ", "); about != "" && !strings.HasPrefix(about, ": ") {
		about = " " + about
	}
	return []Cell{{Text: r.Handler + " "}, State(r.State), {Text: about, Color: Dim}}
}

// line writes a line that fits the terminal. Of a long way down, the end is kept.
func (t *tree) line(slowest bool, branch string, cells ...Cell) {
	if t.cut = t.cut || t.lines == treeLines; t.cut {
		return
	}
	t.lines++
	star := "  "
	if slowest {
		star = "* "
	}
	left := t.p.Width - len(star)
	if most := left / 2; t.p.Width > 0 && runewidth.StringWidth(branch) > most {
		wide := []rune(branch)
		branch = "…" + string(wide[len(wide)-max(most-1, 3):])
	}
	left -= runewidth.StringWidth(branch)
	t.out.WriteString(t.p.Paint(Yellow, star) + t.p.Paint(Dim, branch))
	for _, c := range cells {
		c.Text = events.EscapeControl(c.Text)
		if t.p.Width > 0 {
			c.Text = clip(c.Text, max(left, 0))
			left -= runewidth.StringWidth(c.Text)
		}
		t.out.WriteString(t.p.painted(c))
	}
	t.out.WriteByte('\n')
}
