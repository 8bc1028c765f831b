package output

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"evrun/cmd/api/shape"
	"evrun/tasks/fault"
)

// nodes are the columns of the daemons that share a store.
func (p *Printer) nodes(all []shape.Node) []Column[shape.Node] {
	columns := []Column[shape.Node]{
		{Title: "NODE", Text: func(n shape.Node) any { return named(n) }},
		{Title: "SLOTS", Text: func(n shape.Node) any { return held(n) }},
		{Title: "LEADS", Text: func(n shape.Node) any { return orDash(strings.Join(n.Leads, ", ")) }},
		{Title: "UP", Text: func(n shape.Node) any { return Duration(time.Since(n.StartedAt)) }, Rank: 2},
		{Title: "VERSION", Text: func(n shape.Node) any { return n.Version }, Rank: 1},
		{Title: "WIRING", Text: func(n shape.Node) any { return orDash(n.Wiring) }, Rank: 3},
	}
	if slices.ContainsFunc(all, func(n shape.Node) bool { return len(n.Labels) > 0 }) {
		columns = append(columns, Column[shape.Node]{Title: "LABELS", Text: func(n shape.Node) any { return orDash(strings.Join(n.Labels, ", ")) }, Rank: 2, Least: 8, Most: 61})
	}
	return columns
}

// named is the name of a node, with its number, since two daemons of a machine may have one name.
func named(n shape.Node) string {
	text := fmt.Sprintf("%s (%d)", n.Name, n.ID)
	if n.Self {
		text += " *"
	}
	return text
}

// held is "0", or "48 of 3 handlers".
func held(n shape.Node) string {
	if n.Slots == 0 {
		return "0"
	}
	return fmt.Sprintf("%d of %s", n.Slots, fault.Plural(len(n.Holds), "handler"))
}
