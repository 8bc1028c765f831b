// Package changes compares two wirings: what was added, removed and changed, by name. No goroutines.
package changes

import "log/slog"

// Changes lists the differences between two wirings, by name, in the order of the files.
type Changes struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Changed []string `json:"changed,omitempty"`
}

// None reports whether nothing changed.
func (c Changes) None() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// Shorten returns the first half of each list: see [emitter.Shortenable].
func (c Changes) Shorten() (less any, ok bool) {
	return Changes{c.Added[:len(c.Added)/2], c.Removed[:len(c.Removed)/2], c.Changed[:len(c.Changed)/2]}, !c.None()
}

// LogValue leaves out empty lists.
func (c Changes) LogValue() slog.Value {
	var group []slog.Attr
	for _, part := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}} {
		if len(part.names) > 0 {
			group = append(group, slog.Any(part.what, part.names))
		}
	}
	return slog.GroupValue(group...)
}

// Compare returns the changes from one list to another; same reports whether two entries of one name are equal.
func Compare[E any](was, is []E, name func(E) string, same func(a, b E) bool) Changes {
	var c Changes
	before := make(map[string]E, len(was))
	for _, e := range was {
		before[name(e)] = e
	}
	for _, e := range is {
		switch old, ok := before[name(e)]; {
		case !ok:
			c.Added = append(c.Added, name(e))
		case !same(old, e):
			c.Changed = append(c.Changed, name(e))
		}
		delete(before, name(e))
	}
	for _, e := range was {
		if _, left := before[name(e)]; left {
			c.Removed = append(c.Removed, name(e))
		}
	}
	return c
}
