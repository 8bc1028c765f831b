package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/fault"
)

// evaluated is what of an object or an array some schema has looked at, for unevaluatedProperties and unevaluatedItems.
type evaluated struct {
	keys     map[string]bool
	indexes  map[int]bool
	items    int // the first so many
	allKeys  bool
	allItems bool
}

func (e *evaluated) key(name string) {
	if e.keys == nil {
		e.keys = map[string]bool{}
	}
	e.keys[name] = true
}

func (e *evaluated) index(i int) {
	if e.indexes == nil {
		e.indexes = map[int]bool{}
	}
	e.indexes[i] = true
}

func (e *evaluated) merge(o *evaluated) {
	for k := range o.keys {
		e.key(k)
	}
	for i := range o.indexes {
		e.index(i)
	}
	e.items, e.allKeys, e.allItems = max(e.items, o.items), e.allKeys || o.allKeys, e.allItems || o.allItems
}

// check says whether v fits s. Where out is, it goes on to the last violation. What it has looked at goes into ev, unless
// that is nil; it counts only where v fits.
func (c *checker) check(s *jsonschema.Schema, v any, ev *evaluated) bool {
	c.step(1)
	c.digits(v)
	if s.Bool != nil {
		return *s.Bool || c.fail("is not allowed")
	}
	// What fails here would only fail again, in other words, further down.
	switch {
	case s.Types != nil && !s.Types.IsEmpty() && !hasType(v, *s.Types):
		if c.out != nil && len(c.path) == c.out.depth {
			c.out.alien = true
		}
		return c.fail("must be %s, not %s", typeNames(*s.Types), describe(v))
	case s.Const != nil && !c.equal(v, *s.Const):
		return c.fail("must be %s, not %s", brief(*s.Const), describe(v))
	case s.Enum != nil && !slices.ContainsFunc(s.Enum.Values, func(want any) bool { return c.equal(v, want) }):
		return c.fail("must be %s, not %s", oneOf(s.Enum.Values), describe(v))
	}
	own := ev
	if s.UnevaluatedProperties != nil || s.UnevaluatedItems != nil {
		own = new(evaluated)
	}
	ok := c.assertions(s, v, own)
	if !ok && c.out == nil {
		return false
	}
	if !c.applied(s, v, own) {
		ok = false
	}
	// Where something is wrong already, nobody knows what was looked at.
	if ok && own != ev {
		ok = c.unevaluated(s, v, own)
		if ev != nil {
			ev.merge(own)
		}
	}
	return ok
}

// assertions are the keywords for one type of value each.
func (c *checker) assertions(s *jsonschema.Schema, v any, ev *evaluated) bool {
	ok := true
	if s.Format != nil {
		if text, isText := v.(string); isText {
			c.step(len(text) / 16)
		}
		if err := s.Format.Validate(v); err != nil {
			ok = c.fail("%s is not a valid %s: %v", brief(v), s.Format.Name, err)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return c.object(s, v, ev) && ok
	case []any:
		return c.array(s, v, ev) && ok
	case string:
		return c.text(s, v) && ok
	case int, int64, uint64, float64, json.Number:
		return c.number(s, v) && ok
	}
	return ok
}

// applied are the schemas that are applied to the same value.
func (c *checker) applied(s *jsonschema.Schema, v any, ev *evaluated) bool {
	ok := s.Ref == nil || c.check(s.Ref, v, ev)
	for _, sub := range s.AllOf {
		if !ok && c.out == nil {
			return false
		}
		ok = c.check(sub, v, ev) && ok
	}
	if !ok && c.out == nil {
		return false
	}
	if len(s.AnyOf) > 0 {
		ok = c.anyOf(s.AnyOf, v, ev) && ok
	}
	if len(s.OneOf) > 0 {
		ok = c.oneOf(s.OneOf, v, ev) && ok
	}
	if s.Not != nil && c.fits(s.Not, v, nil) {
		ok = c.fail("is what the schema excludes with \"not\"")
	}
	if s.If != nil {
		branch, next := branchOf(ev), s.Else
		if c.fits(s.If, v, branch) {
			next = s.Then
			join(ev, branch)
		}
		ok = (next == nil || c.check(next, v, ev)) && ok
	}
	if obj, isObject := v.(map[string]any); isObject {
		for _, name := range order(c, s.DependentSchemas) {
			if _, there := obj[name]; there {
				ok = c.check(s.DependentSchemas[name], v, ev) && ok
			}
		}
	}
	return ok
}

// fits is check without a report.
func (c *checker) fits(s *jsonschema.Schema, v any, ev *evaluated) bool {
	out := c.out
	c.out = nil
	ok := c.check(s, v, ev)
	c.out = out
	return ok
}

// branchOf is for a schema that may fail without the whole failing.
func branchOf(ev *evaluated) *evaluated {
	if ev == nil {
		return nil
	}
	return new(evaluated)
}

func join(ev, branch *evaluated) {
	if ev != nil {
		ev.merge(branch)
	}
}

// attempt checks one of several alternatives, with a report of its own.
func (c *checker) attempt(s *jsonschema.Schema, v any, ev *evaluated) (ok bool, r *report) {
	if c.out == nil {
		return c.check(s, v, ev), nil
	}
	out := c.out
	c.out = &report{depth: len(c.path)}
	ok = c.check(s, v, ev)
	r, c.out = c.out, out
	return ok, r
}

func (c *checker) anyOf(list []*jsonschema.Schema, v any, ev *evaluated) bool {
	found := false
	var closest *report
	for _, s := range list {
		branch := branchOf(ev)
		ok, r := c.attempt(s, v, branch)
		if !ok {
			closest = closer(closest, r)
			continue
		}
		if ev == nil {
			return true
		}
		found = true
		ev.merge(branch)
	}
	return found || c.none("anyOf", len(list), closest)
}

func (c *checker) oneOf(list []*jsonschema.Schema, v any, ev *evaluated) bool {
	first := -1
	var closest *report
	for i, s := range list {
		if first >= 0 {
			if c.fits(s, v, nil) {
				return c.fail("fits alternatives %d and %d of \"oneOf\": it has to fit only one", first+1, i+1)
			}
			continue
		}
		branch := branchOf(ev)
		ok, r := c.attempt(s, v, branch)
		if !ok {
			closest = closer(closest, r)
			continue
		}
		first = i
		join(ev, branch)
	}
	return first >= 0 || c.none("oneOf", len(list), closest)
}

// closer is the report of the alternative that was rather meant: of the value's own type, and with less that is wrong.
func closer(a, b *report) *report {
	if a == nil || b != nil && (a.alien && !b.alien || a.alien == b.alien && b.total < a.total) {
		return b
	}
	return a
}

// none notes that no alternative fits, and what keeps the closest from it.
func (c *checker) none(keyword string, alternatives int, closest *report) bool {
	if c.out == nil {
		return false
	}
	c.fail("fits none of the %d alternatives of %q", alternatives, keyword)
	if !closest.alien {
		c.out.list = append(c.out.list, closest.list[:min(len(closest.list), MaxViolations-len(c.out.list))]...)
		c.out.total += closest.total
	}
	return false
}

// order gives the keys of a map: sorted where somebody reads what is wrong.
func order[V any](c *checker, m map[string]V) []string {
	switch {
	case len(m) == 0:
		return nil
	case c.out == nil:
		return slices.Collect(maps.Keys(m))
	}
	return slices.Sorted(maps.Keys(m))
}

// sorted gives the keys of a value.
func (c *checker) sorted(obj map[string]any) []string {
	c.step(2 * len(obj))
	return slices.Sorted(maps.Keys(obj))
}

func (c *checker) object(s *jsonschema.Schema, obj map[string]any, ev *evaluated) bool {
	ok := true
	if s.MinProperties != nil && len(obj) < *s.MinProperties {
		ok = c.fail("has %s: the minimum is %d", plural(len(obj), "key"), *s.MinProperties)
	}
	if s.MaxProperties != nil && len(obj) > *s.MaxProperties {
		ok = c.fail("has %s: the maximum is %d", plural(len(obj), "key"), *s.MaxProperties)
	}
	for _, name := range s.Required {
		if _, there := obj[name]; !there {
			ok = c.failAt(name, "is missing")
		}
	}
	if !ok && c.out == nil {
		return false
	}
	for _, name := range order(c, s.DependentRequired) {
		if _, there := obj[name]; !there {
			continue
		}
		for _, other := range s.DependentRequired[name] {
			if _, there := obj[other]; !there {
				ok = c.failAt(other, "is missing: it must be there where %q is", name)
			}
		}
	}
	if s.Properties != nil || s.PatternProperties != nil || s.AdditionalProperties != nil || s.PropertyNames != nil {
		if c.out == nil {
			for name, v := range obj {
				if !c.member(s, obj, name, v, ev) {
					return false
				}
			}
		} else {
			for _, name := range c.sorted(obj) {
				c.path = append(c.path, token{key: name, isKey: true})
				ok = c.member(s, obj, name, obj[name], ev) && ok
				c.path = c.path[:len(c.path)-1]
			}
		}
	}
	return ok
}

// member checks one key of an object and its value.
func (c *checker) member(s *jsonschema.Schema, obj map[string]any, name string, v any, ev *evaluated) bool {
	ok, known := true, false
	if sub, has := s.Properties[name]; has {
		known = true
		ok = c.check(sub, v, nil)
	}
	if len(s.PatternProperties) > 0 {
		for re, sub := range s.PatternProperties {
			c.match(re, name)
			// Only one may tell what is wrong: which of them comes first is chance.
			if re.MatchString(name) {
				known = true
				ok = ok && c.check(sub, v, nil)
			}
		}
	}
	if !known {
		switch more := s.AdditionalProperties.(type) {
		case bool:
			known = true
			if !more {
				ok = c.unknownKey(s, obj, name)
			}
		case *jsonschema.Schema:
			known = true
			ok = c.check(more, v, nil) && ok
		}
	}
	if known && ev != nil {
		ev.key(name)
	}
	if s.PropertyNames != nil && !c.fits(s.PropertyNames, name, nil) {
		why := ""
		if c.out != nil {
			_, r := c.attempt(s.PropertyNames, name, nil)
			why = ": " + r.list[0].Message
		}
		ok = c.fail("the key isn't allowed%s", why)
	}
	return ok
}

// unknownKey notes a key that is not allowed, and which one of those that aren't there may have been meant.
func (c *checker) unknownKey(s *jsonschema.Schema, obj map[string]any, name string) bool {
	if c.out == nil {
		return false
	}
	var free []string
	for k := range s.Properties {
		if _, there := obj[k]; !there {
			free = append(free, k)
		}
	}
	slices.Sort(free)
	if hint := fault.DidYouMean(name, free); hint != "" {
		return c.fail("is not allowed; %s", hint)
	}
	return c.fail("is not allowed")
}

func (c *checker) array(s *jsonschema.Schema, list []any, ev *evaluated) bool {
	ok := true
	if s.MinItems != nil && len(list) < *s.MinItems {
		ok = c.fail("has %s: the minimum is %d", plural(len(list), "item"), *s.MinItems)
	}
	if s.MaxItems != nil && len(list) > *s.MaxItems {
		ok = c.fail("has %s: the maximum is %d", plural(len(list), "item"), *s.MaxItems)
	}
	if !ok && c.out == nil {
		return false
	}
	if s.UniqueItems {
		if i, j := c.twins(list); j > 0 {
			ok = c.fail("items %d and %d are the same: each may be there once", i, j)
		}
	}
	for i, v := range list {
		sub := s.Items2020
		if i < len(s.PrefixItems) {
			sub = s.PrefixItems[i]
		}
		if sub == nil {
			break
		}
		if !c.item(sub, i, v) {
			if ok = false; c.out == nil {
				return false
			}
		}
	}
	if ev != nil {
		ev.items = max(ev.items, min(len(s.PrefixItems), len(list)))
		ev.allItems = ev.allItems || s.Items2020 != nil
	}
	if s.Contains != nil {
		ok = c.contains(s, list, ev) && ok
	}
	return ok
}

func (c *checker) item(s *jsonschema.Schema, i int, v any) bool {
	if c.out == nil {
		return c.check(s, v, nil)
	}
	c.path = append(c.path, token{index: i})
	ok := c.check(s, v, nil)
	c.path = c.path[:len(c.path)-1]
	return ok
}

func (c *checker) contains(s *jsonschema.Schema, list []any, ev *evaluated) bool {
	least, found := 1, 0
	if s.MinContains != nil {
		least = *s.MinContains
	}
	for i, v := range list {
		if c.fits(s.Contains, v, nil) {
			found++
			if ev != nil {
				ev.index(i)
			}
		}
	}
	switch {
	case found < least:
		return c.fail("has %s that %q asks for: the minimum is %d", plural(found, "item"), "contains", least)
	case s.MaxContains != nil && found > *s.MaxContains:
		return c.fail("has %s that %q asks for: the maximum is %d", plural(found, "item"), "contains", *s.MaxContains)
	}
	return true
}

// twins finds two items that are equal.
func (c *checker) twins(list []any) (first, second int) {
	if len(list) < 2 {
		return 0, 0
	}
	seen := make(map[string]int, len(list))
	for i, v := range list {
		c.keys = c.canonical(c.keys[:0], v)
		if j, there := seen[string(c.keys)]; there {
			return j, i
		}
		seen[string(c.keys)] = i
	}
	return 0, 0
}

// maxPatternText is how long a text may be that is held against a pattern: some patterns take a microsecond for each byte.
const maxPatternText = 64 << 10

func (c *checker) text(s *jsonschema.Schema, text string) bool {
	ok := true
	if s.MinLength != nil || s.MaxLength != nil {
		c.step(len(text) / 64)
		n := utf8.RuneCountInString(text)
		if s.MinLength != nil && n < *s.MinLength {
			ok = c.fail("has %s: the minimum is %d", plural(n, "character"), *s.MinLength)
		}
		if s.MaxLength != nil && n > *s.MaxLength {
			ok = c.fail("has %s: the maximum is %d", plural(n, "character"), *s.MaxLength)
		}
	}
	if s.Pattern != nil && (ok || c.out != nil) {
		if len(text) > maxPatternText {
			ok = c.fail("is too long to be matched against a pattern: the maximum is %d bytes", maxPatternText)
		} else if c.match(s.Pattern, text); !s.Pattern.MatchString(text) {
			ok = c.fail("%s doesn't match the pattern %s", brief(text), clip(s.Pattern.String()))
		}
	}
	return ok
}

func (c *checker) unevaluated(s *jsonschema.Schema, v any, ev *evaluated) bool {
	ok := true
	switch v := v.(type) {
	case map[string]any:
		if s.UnevaluatedProperties == nil || ev.allKeys {
			return true
		}
		for _, name := range c.sorted(v) {
			if ev.keys[name] {
				continue
			}
			c.path = append(c.path, token{key: name, isKey: true})
			ok = c.check(s.UnevaluatedProperties, v[name], nil) && ok
			c.path = c.path[:len(c.path)-1]
		}
		ev.allKeys = true
	case []any:
		if s.UnevaluatedItems == nil || ev.allItems {
			return true
		}
		for i := ev.items; i < len(v); i++ {
			if !ev.indexes[i] {
				ok = c.item(s.UnevaluatedItems, i, v[i]) && ok
			}
		}
		ev.allItems = true
	}
	return ok
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
