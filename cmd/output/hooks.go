package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"evrun/cmd/hook"
	"evrun/events"
)

// Hooks are the columns of a list of hooks.
func Hooks() []Column[hook.Traffic] {
	return []Column[hook.Traffic]{
		{Title: "HOOK", Text: func(h hook.Traffic) any { return h.Name }},
		{Title: "ACCEPTED", Text: func(h hook.Traffic) any { return h.Accepted }},
		{Title: "REFUSED", Text: func(h hook.Traffic) any {
			if h.Rejected == 0 {
				return int64(0)
			}
			return Cell{Text: fmt.Sprint(h.Rejected), Color: State("dead").Color}
		}},
		{Title: "LAST", Text: func(h hook.Traffic) any {
			if h.AcceptedAt == nil {
				return ""
			}
			return Ago(*h.AcceptedAt)
		}},
		{Title: "VERIFY", Text: func(h hook.Traffic) any { return h.Verify }, Rank: 2, Least: 8},
		{Title: "EMITS", Text: func(h hook.Traffic) any { return h.Type }, Rank: 1, Least: 12},
	}
}

// Hook writes one hook with what it refused.
func (p *Printer) Hook(h hook.Traffic) error {
	if p.JSON {
		return p.Object(h)
	}
	t := p.Table()
	t.Field("hook", "%s", h.Name)
	about(t, h.Description, h.Labels)
	t.Field("path", "%s", h.Path)
	t.Field("emits", "%s", h.Type)
	t.Field("verify", "%s", h.Verify)
	if len(h.Allow) > 0 {
		t.Field("allow", "%s", strings.Join(h.Allow, ", "))
	}
	if h.Rate != "" {
		t.Field("rate", "%s", h.Rate)
	}
	t.Field("accepted", "%d", h.Accepted)
	for _, n := range []struct {
		name  string
		count int64
	}{{"duplicates", h.Duplicates}, {"ignored", h.Ignored}, {"challenges", h.Challenges}} {
		if n.count > 0 {
			t.Field(n.name, "%d", n.count)
		}
	}
	if h.AcceptedAt != nil {
		t.Value("last", Ago(*h.AcceptedAt))
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(h.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, h.Reasons[reason]))
	}
	refused := fmt.Sprint(h.Rejected)
	if len(reasons) > 0 {
		refused += " (" + strings.Join(reasons, ", ") + ")"
	}
	t.Field("refused", "%s", refused)
	if err := t.Flush(); err != nil || len(h.Rejections) == 0 {
		return err
	}
	if err := p.printf("\nrefused requests, the newest first\n"); err != nil {
		return err
	}
	for i := range h.Rejections {
		if err := p.rejection(&h.Rejections[i]); err != nil {
			return err
		}
	}
	return nil
}

// rejection writes a refused request with the whole reason: below the rest where a terminal has no room beside it.
func (p *Printer) rejection(r *hook.Rejection) error {
	from := cmp.Or(r.Client, "the socket")
	head, why := fmt.Sprintf("  %s  %d  %s", p.Ago(r.At), r.Status, from), events.EscapeControl(r.Detail)
	if p.Width == 0 || runewidth.StringWidth(head)+2+runewidth.StringWidth(why) <= p.Width {
		return p.printf("%s  %s\n", head, why)
	}
	const indent = "    "
	return p.printf("%s\n%s%s\n", head, indent, strings.Join(p.lines(why, len(indent), narrowest), "\n"+indent))
}
