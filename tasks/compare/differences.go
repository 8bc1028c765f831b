package compare

import (
	"fmt"
	"maps"
	"slices"

	"evrun/events"
	"evrun/tasks/explain"
)

func (n *Counts) add(h *explain.Handler) {
	if h.Matches {
		n.Matches++
	}
	switch h.Would {
	case "run":
		n.Run++
	case "skip":
		n.Skip++
	case "fail":
		n.Fail++
	}
}

// would returns what a handler would do; empty if it doesn't match, or doesn't exist (nil).
func would(h *explain.Handler) string {
	if h == nil {
		return ""
	}
	return h.Would
}

// matched returns a handler, or nil if it doesn't match.
func matched(h *explain.Handler) *explain.Handler {
	if would(h) == "" {
		return nil
	}
	return h
}

// refused says whether only one of the wirings would accept the event.
func (c *Comparison) refused(e *events.Event) string {
	before, after := c.before.Refuses(e), c.after.Refuses(e)
	if before != nil {
		c.Refused.Before++
	}
	if after != nil {
		c.Refused.After++
	}
	switch {
	case before == nil && after != nil:
		return "would be refused: " + after.Error()
	case before != nil && after == nil:
		return "would be accepted; today it is refused: " + before.Error()
	}
	return ""
}

// differences says in words what two handlers do differently about an event; a nil one doesn't exist.
func differences(before, after *explain.Handler) (what []string) {
	is := func(name string, a, b any) {
		if x, y := text(a), text(b); x != y {
			what = append(what, name+": "+x+" → "+y)
		}
	}
	switch a, b := would(before), would(after); {
	case a != b:
		return []string{verdict(before) + " → " + verdict(after) + reason(after)}
	case a == "":
		return nil
	}
	is("do", before.Kind, after.Kind)
	if before.OrderBy != nil || after.OrderBy != nil {
		is("order_by", key(before.OrderBy), key(after.OrderBy))
	}
	is("debounce", before.Debounce, after.Debounce)
	if before.Would == "skip" {
		return what
	}
	names := maps.Clone(before.With)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, after.With)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		is("with "+name, before.With[name], after.With[name])
	}
	for i := range max(len(before.Errors), len(after.Errors)) {
		is("error", at(before.Errors, i), at(after.Errors, i))
	}
	for i := range max(len(before.Emits), len(after.Emits)) {
		is("emits", at(before.Emits, i), at(after.Emits, i))
	}
	is("on_dead", before.OnDead, after.OnDead)
	return what
}

func at[T any](list []T, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func key(o *explain.Order) any {
	switch {
	case o == nil:
		return nil
	case o.Error != "":
		return o.Error
	}
	return o.Key
}

func verdict(h *explain.Handler) string {
	switch {
	case h == nil:
		return "no such handler"
	case h.Would == "":
		return "no match"
	case h.Would == "skip":
		return "would be skipped"
	}
	return "would " + h.Would
}

// reason says why a handler skips an event, or fails.
func reason(h *explain.Handler) string {
	switch {
	case h == nil || h.Would == "run":
	case h.When != nil && h.When.Error != "":
		return " (" + h.When.Error + ")"
	case h.Would == "skip":
		return " (when: " + h.When.Text + ")"
	case len(h.Errors) > 0:
		return " (" + h.Errors[0] + ")"
	}
	return ""
}

// text returns a value as JSON; "nothing" for none.
func text(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := events.MarshalJSON(v)
	switch {
	case err != nil:
		return fmt.Sprint(v)
	case string(b) == "null":
		return "nothing"
	}
	return string(b)
}
