package output

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"evrun/cmd/api"
)

// chainOf is a chain in which each event has one run, which published the next one: deep levels, with wide events of other runs at the end.
func chainOf(deep, wide int) *api.Chain {
	ms := 1500.0
	c := &api.Chain{Root: 1, TookMS: 90_000}
	for i := int64(1); i <= int64(deep); i++ {
		e := api.ChainEvent{Sequence: i, Type: "order.placed", Time: time.Unix(1, 0), Cause: i - 1, Slowest: true}
		if i > 1 {
			e.By = fmt.Sprintf("%d-next", i-1)
		}
		e.Runs = []api.ChainRun{{Run: api.Run{ID: fmt.Sprintf("%d-next", i), Handler: "next", State: "succeeded", Sequence: i, TookMS: &ms}, WaitMS: &ms, Slowest: i < int64(deep)}}
		c.Events = append(c.Events, e)
	}
	for i := range int64(wide) {
		state := "succeeded"
		if i == int64(wide)-1 {
			state = "dead"
		}
		n := int64(deep) + 1 + i
		c.Events = append(c.Events, api.ChainEvent{Sequence: n, Type: "part", Cause: int64(deep), By: fmt.Sprintf("%d-next", deep),
			Runs: []api.ChainRun{{Run: api.Run{ID: fmt.Sprintf("%d-p", n), Handler: "p", State: state, Sequence: n}}}})
	}
	return c
}

// A tree fits the terminal, however deep it is, and has a bounded number of lines, however wide: failed runs and the asked event are drawn.
func TestTreesFitAndAreFolded(t *testing.T) {
	for _, width := range []int{0, 80, 40} {
		var b strings.Builder
		p := &Printer{Out: &b, Width: width}
		if err := p.Tree(chainOf(33, 5000), 33+2000); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		for _, line := range lines {
			if width > 0 && runewidth.StringWidth(line) > width {
				t.Errorf("%d cells: %q", width, line)
			}
		}
		if len(lines) > 90 || len(lines) < 75 {
			t.Errorf("%d cells: %d lines", width, len(lines))
		}
		text := b.String()
		for _, want := range []string{"chain of 5033 events and 5033 runs", "* #1 order.placed", "#2033 part", "p dead", "… 4994 more"} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
				t.Errorf("%d cells: no %q in\n%s", width, want, text)
			}
		}
	}
}

// A tree of many branches ends, and says so.
func TestTreesEnd(t *testing.T) {
	c := chainOf(1, 0)
	for n := int64(2); n < 3000; n++ {
		parent := n / 5
		if parent == 0 {
			parent = 1
		}
		c.Events = append(c.Events, api.ChainEvent{Sequence: n, Type: "part", Cause: parent, Runs: []api.ChainRun{{Run: api.Run{Handler: "p", State: "succeeded"}}}})
	}
	var b strings.Builder
	if err := (&Printer{Out: &b}).Tree(c, 1); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != treeLines+2 || !strings.HasSuffix(b.String(), "… cut after 300 lines; the runs are 2999 succeeded\n") {
		t.Errorf("%d lines, the end is %q", n, b.String()[b.Len()-100:])
	}
}
