package waterfall

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/shape"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// chain makes chains by hand: times are milliseconds after noon.
type chain struct{ shape.Chain }

func (c *chain) event(seq, cause int64, by, typ string, at int) {
	c.Events = append(c.Events, shape.ChainEvent{Sequence: seq, ID: fmt.Sprint("e", seq), Type: typ, Cause: cause, By: by, Time: noon.Add(time.Duration(at) * time.Millisecond)})
}

func (c *chain) run(handler, state string, from, to int) string {
	e := &c.Events[len(c.Events)-1]
	r := shape.ChainRun{Run: shape.Run{ID: fmt.Sprint(e.Sequence, "-", handler), Handler: handler, State: state, Sequence: e.Sequence}}
	if from >= 0 {
		t := noon.Add(time.Duration(from) * time.Millisecond)
		r.StartedAt = &t
	}
	if to >= 0 {
		t := noon.Add(time.Duration(to) * time.Millisecond)
		r.FinishedAt = &t
	}
	e.Runs = append(e.Runs, r)
	return r.ID
}

func (w Waterfall) String() string {
	var b strings.Builder
	for _, r := range w.Rows {
		b.WriteString(strings.Repeat(" ", r.Depth))
		switch {
		case r.Event != nil:
			fmt.Fprintf(&b, "#%d @%v", r.Event.Sequence, r.Mark)
		case r.Run != nil:
			fmt.Fprintf(&b, "%s %v %v", r.Run.Handler, r.Wait, r.Bar)
		default:
			fmt.Fprintf(&b, "%d × %s %s: %d runs %v %v", r.Fold.Count, r.Fold.Of, r.Fold.Name, r.Fold.Runs, r.Fold.States, r.Bar)
		}
		if r.Slowest {
			b.WriteString(" !")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestAChainIsATreeAndAWaterfall(t *testing.T) {
	c := &chain{}
	c.event(1, 0, "", "order", 0)
	save := c.run("save", "succeeded", 10, 50)
	c.run("audit", "succeeded", 5, 6)
	c.event(2, 1, save, "saved", 50)
	c.run("mail", "succeeded", 60, 100)
	c.run("late", "waiting", -1, -1)
	c.event(3, 1, "", "printed", 20) // by a program: no run is known
	c.Link()
	c.MarkSlowest()
	w := Of(&c.Chain, Options{Now: noon.Add(100 * time.Millisecond)})
	want := `#1 @0 !
 save {0 100} {100 400} !
  #2 @500 !
   mail {500 100} {600 400} !
   late {500 500} {0 0}
 audit {0 50} {50 10}
 #3 @200
`
	if w.String() != want || w.Took != 100*time.Millisecond || w.Runs != 4 || w.Going != 1 || w.Folded != 0 || fmt.Sprint(w.Ticks) != "[0s 25ms 50ms 75ms 100ms]" {
		t.Errorf("%s\n%+v", w, w)
	}
}

func TestAFirstEventLongAgoLeavesRoomForTheRest(t *testing.T) {
	c := &chain{}
	c.event(1, 0, "", "order", -3_600_000)
	c.run("save", "succeeded", 0, 80)
	w := Of(&c.Chain, Options{Now: noon})
	if w.Rows[1].Bar.W < 500 || w.Cut < time.Hour-time.Second || w.Took < time.Hour {
		t.Errorf("%s\n%+v", w, w)
	}
	// A clock that was set back: nothing is outside of the axis.
	c = &chain{}
	c.event(1, 0, "", "order", 100)
	c.run("save", "succeeded", 0, 80)
	for _, r := range Of(&c.Chain, Options{Now: noon}).Rows {
		if r.Bar.X < 0 || r.Bar.X+r.Bar.W > 1000 || r.Mark < 0 || r.Mark > 1000 {
			t.Errorf("%+v", r)
		}
	}
}

// fan is an event whose run emitted n others, each with a run.
func fan(n int) *chain {
	c := &chain{}
	c.event(1, 0, "", "order", 0)
	split := c.run("split", "succeeded", 1, 2)
	for i := range n {
		c.event(int64(i+2), 1, split, "item", 2+i)
		state := "succeeded"
		if i == n/2 {
			state = "dead"
		}
		c.run("pack", state, 3+i, 4+i)
	}
	c.Link()
	c.MarkSlowest()
	return c
}

func TestManyRunsAreFolded(t *testing.T) {
	for _, n := range []int{30, 500, 9000} {
		c := fan(n)
		w := Of(&c.Chain, Options{Focus: int64(n - 3), Now: noon})
		text := w.String()
		if len(w.Rows) > 100 || w.Runs != n+1 {
			t.Fatalf("%d: %d rows, %d runs", n, len(w.Rows), w.Runs)
		}
		shown := 0
		for _, r := range w.Rows {
			switch {
			case r.Fold == nil:
				shown++
			case r.Fold.Key == "" || r.Fold.Runs != r.Fold.Count || r.Fold.States[0] != (State{"succeeded", r.Fold.Runs}):
				t.Errorf("%+v", r.Fold)
			}
		}
		if shown+w.Folded != 2*n+2 {
			t.Errorf("%d: %d shown, %d folded", n, shown, w.Folded)
		}
		// What is dead, what is looked at, and what ended last.
		for _, must := range []string{fmt.Sprintf("  #%d @", n/2+2), fmt.Sprintf("  #%d @", n-3), fmt.Sprintf("  #%d @", n+1)} {
			if !strings.Contains(text, must) {
				t.Errorf("%d: no %q in\n%s", n, must, text)
			}
		}
	}
}

func TestAFoldIsOpened(t *testing.T) {
	c := fan(500)
	w := Of(&c.Chain, Options{Now: noon})
	var key string
	for _, r := range w.Rows {
		if r.Fold != nil {
			key = r.Fold.Key
		}
	}
	opened := Of(&c.Chain, Options{Now: noon, Open: []string{key}})
	if len(opened.Rows) < mostOpened || len(opened.Rows) > 2*mostOpened+most+20 {
		t.Errorf("%d rows, then %d", len(w.Rows), len(opened.Rows))
	}
}

// However a chain branches, its rows are few.
func TestRowsAreBounded(t *testing.T) {
	c := &chain{}
	c.event(1, 0, "", "t", 0)
	parents := []int64{1}
	seq := int64(1)
	for depth := range 6 {
		var next []int64
		for _, p := range parents {
			for i := range 4 {
				seq++
				c.event(seq, p, "", fmt.Sprintf("t%d", i), depth)
				next = append(next, seq)
				for h := range 8 {
					c.run(fmt.Sprintf("h%d", h), "dead", depth, depth+1)
				}
			}
		}
		parents = next
	}
	if w := Of(&c.Chain, Options{Now: noon}); len(w.Rows) > 700 {
		t.Errorf("%d rows of %d runs", len(w.Rows), w.Runs)
	}
	if w := Of(&shape.Chain{}, Options{}); len(w.Rows) != 0 {
		t.Errorf("%+v", w)
	}
}
