package wiringtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Difference is one thing that is not as expected.
type Difference struct {
	Place    string `json:"place"` // file:line of the expectation
	What     string `json:"what"`  // `run of announce: with.message`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

const nothing = "nothing"

// compare compares the runs, users and events in the store with the expected ones.
func (b *bench) compare(ctx context.Context) ([]Difference, error) {
	var all []Difference
	check := func(what, title string, want *config.Wants, read func(context.Context) ([]map[string]any, error)) error {
		if want == nil {
			return nil
		}
		got, err := read(ctx)
		if err != nil {
			return err
		}
		for i := range got {
			got[i], _ = normal(got[i]).(map[string]any)
		}
		c := comparison{what: what, title: title, secrets: b.cfg.Secrets}
		all = append(all, c.lists(want, got)...)
		return nil
	}
	if err := check("run of", "handler", b.test.Runs, b.runs); err != nil {
		return nil, err
	}
	if err := check("user", "email", b.test.ExpectedUsers, b.users); err != nil {
		return nil, err
	}
	if err := check("event", "type", b.test.Events, b.events); err != nil {
		return nil, err
	}
	return all, nil
}

// runs returns the runs in the order of their events; those of one event in the order of the file.
func (b *bench) runs(ctx context.Context) ([]map[string]any, error) {
	var all []store.Run
	for before := int64(0); ; {
		page, err := b.store.Runs(ctx, store.RunQuery{Before: before})
		if err != nil {
			return nil, err
		}
		page = slices.DeleteFunc(page, func(r store.Run) bool { return r.Sequence <= b.head })
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		if before = page[len(page)-1].Sequence; len(page) < 1000 {
			break
		}
	}
	slices.Reverse(all)
	var list []map[string]any
	for _, r := range all {
		e, err := b.store.Event(ctx, r.EventID)
		if err != nil {
			return nil, err
		}
		run := map[string]any{"handler": r.Handler, "state": r.State.String(), "type": r.Type, "attempts": r.Attempt}
		if r.State != store.Skipped {
			if run["with"], err = b.rendered(ctx, r, e); err != nil {
				return nil, err
			}
		}
		if r.Error != "" {
			run["error"] = r.Error
		}
		list = append(list, run)
	}
	return list, nil
}

func (b *bench) users(ctx context.Context) ([]map[string]any, error) {
	var list []map[string]any
	for after := int64(0); ; {
		page, err := b.store.ListUsers(ctx, after, 1000)
		if err != nil || len(page) == 0 {
			return list, err
		}
		for _, u := range page {
			user := map[string]any{"name": u.Name, "email": u.Email, "attributes": nil}
			if u.Attributes != nil {
				user["attributes"] = json.RawMessage(u.Attributes)
			}
			list, after = append(list, user), u.ID
		}
	}
}

// events returns the emitted events, without the given ones.
func (b *bench) events(ctx context.Context) ([]map[string]any, error) {
	var list []map[string]any
	for after := b.head; ; {
		page, err := b.store.Events(ctx, store.EventQuery{After: after})
		if err != nil || len(page) == 0 {
			return list, err
		}
		for _, e := range page {
			if after = e.Sequence; b.given[e.Sequence] {
				continue
			}
			event := map[string]any{"type": e.Type, "subject": e.Subject, "data": nil}
			if len(e.Data) > 0 {
				event["data"] = e.Data
			}
			list = append(list, event)
		}
	}
}

// normal converts a value to the types that decoded JSON has, so that values of the file and of the store can be compared.
func normal(v any) any {
	text, err := emitter.MarshalData(v)
	if err != nil || text == nil {
		return nil
	}
	if v, err = events.ParseJSON(text); err != nil {
		return nil
	}
	return v
}

type comparison struct {
	what, title string // "run of", "handler": what an item is called, and the key that names it
	secrets     *expression.Secrets
}

// lists compares expectations with items, in any order: each expectation needs its own item, and each item needs an expectation.
func (c *comparison) lists(want *config.Wants, got []map[string]any) []Difference {
	match := assign(len(want.List), len(got), func(w, g int) bool { return len(c.item(want.List[w], got[g])) == 0 })
	taken := map[int]bool{}
	for _, g := range match {
		taken[g] = true // also -1, of expectations without an item: no item has that index
	}
	var all []Difference
	for w, g := range match {
		if g >= 0 {
			continue
		}
		// The item that was probably meant has the same name and the fewest differences.
		best, fewest := -1, []Difference(nil)
		for g := range got {
			if taken[g] || !equal(normal(want.List[w].Value[c.title]), got[g][c.title]) {
				continue
			}
			if d := c.item(want.List[w], got[g]); best < 0 || len(d) < len(fewest) {
				best, fewest = g, d
			}
		}
		if best < 0 {
			all = append(all, Difference{want.List[w].Place(), c.name(normal(want.List[w].Value)), c.text(want.List[w].Value), nothing})
			continue
		}
		taken[best] = true
		all = append(all, fewest...)
	}
	for g := range got {
		if !taken[g] {
			all = append(all, Difference{want.Place, c.name(got[g]), nothing, c.text(got[g])})
		}
	}
	return all
}

// name names an item in messages: run of announce.
func (c *comparison) name(item any) string {
	m, _ := item.(map[string]any)
	return fmt.Sprintf("%s %v", c.what, m[c.title])
}

func (c *comparison) text(v any) string {
	text, err := emitter.MarshalData(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if text == nil {
		return "null"
	}
	return c.secrets.Redact(string(text))
}

// item returns the differences between an expectation and an item.
func (c *comparison) item(want config.Want, got map[string]any) []Difference {
	expected, _ := normal(want.Value).(map[string]any)
	var all []Difference
	name := c.name(expected)
	diff(expected, got, nil, func(path []any, expected, text string) {
		if why, ok := got["error"].(string); ok && len(path) == 1 && path[0] == "state" {
			text = got["state"].(string) + ": " + c.secrets.Redact(why)
		}
		all = append(all, Difference{want.Place(path...), name + ": " + fault.Path(path), expected, text})
	}, c.text)
	return all
}

// diff calls report for each difference between want and got. A mapping must have the wanted keys and may have others; a list must have the
// wanted length. A run's error must contain the wanted text.
func diff(want, got any, path []any, report func(path []any, want, got string), text func(any) string) {
	path = slices.Clip(path)
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			value, there := g[key]
			switch {
			case !there && w[key] != nil:
				report(append(path, key), text(w[key]), nothing)
			case len(path) == 0 && key == "error" && contains(value, w[key]):
			default:
				diff(w[key], value, append(path, key), report, text)
			}
		}
		return
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			diff(w[i], g[i], append(path, i), report, text)
		}
		return
	}
	if !equal(want, got) {
		report(path, text(want), text(got))
	}
}

func contains(text, part any) bool {
	s, ok := text.(string)
	return ok && strings.Contains(s, fmt.Sprint(part))
}

// equal compares two scalars, numbers by their value.
func equal(a, b any) bool {
	x, y := number(a), number(b)
	if x != nil && y != nil {
		return x.Cmp(y) == 0
	}
	switch a.(type) {
	case map[string]any, []any:
		return false // a mapping or a list against something else
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func number(v any) *big.Rat {
	switch v.(type) {
	case int, float64, json.Number:
		if r, ok := new(big.Rat).SetString(fmt.Sprint(v)); ok {
			return r
		}
	}
	return nil
}

// assign pairs each of n with one of m that fits, and makes as many pairs as possible (augmenting paths); -1 for those without. So a
// general expectation doesn't take the only item that fits a particular one.
func assign(n, m int, fits func(i, j int) bool) []int {
	owner := make([]int, m)
	for j := range owner {
		owner[j] = -1
	}
	var find func(i int, seen []bool) bool
	find = func(i int, seen []bool) bool {
		for j := range m {
			if seen[j] || !fits(i, j) {
				continue
			}
			seen[j] = true
			if owner[j] < 0 || find(owner[j], seen) {
				owner[j] = i
				return true
			}
		}
		return false
	}
	for i := range n {
		find(i, make([]bool, m))
	}
	match := make([]int, n)
	for i := range match {
		match[i] = slices.Index(owner, i)
	}
	return match
}
