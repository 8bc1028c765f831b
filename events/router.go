package events

import (
	"slices"
	"strings"
)

// Router finds the values whose patterns match a type. It is a trie over the patterns' tokens: the cost of a match depends on the type's tokens and
// the wildcards on their path, not on the number of other patterns.
//
// The zero Router is ready to use. Calls of Match may run concurrently; Add and Remove must not run concurrently with any other call.
type Router[T comparable] struct {
	root     routes[T]
	patterns map[T]int // how many patterns a value has
	shared   int       // values with several patterns: only these can match twice
}

// routes is one node of the trie, reached by the tokens before it.
type routes[T comparable] struct {
	next map[string]*routes[T] // by literal token
	any  *routes[T]            // after *
	here []T                   // values of the pattern that ends here
	rest []T                   // values of the pattern that has only > from here
}

// Add puts a value under a pattern. Adding the same pair again changes nothing; neither does the zero Pattern.
func (r *Router[T]) Add(p Pattern, value T) {
	if p.text == "" {
		return
	}
	n := &r.root
	token, rest, more := strings.Cut(p.text, ".")
	for ; token != ">"; token, rest, more = strings.Cut(rest, ".") {
		n = n.child(token)
		if !more {
			break
		}
	}
	at := &n.here
	if token == ">" {
		at = &n.rest
	}
	if slices.Contains(*at, value) {
		return
	}
	*at = append(*at, value)
	if r.patterns == nil {
		r.patterns = map[T]int{}
	}
	if r.patterns[value]++; r.patterns[value] == 2 {
		r.shared++
	}
}

// child returns the node for a token, and creates it if necessary.
func (n *routes[T]) child(token string) *routes[T] {
	if token == "*" {
		if n.any == nil {
			n.any = &routes[T]{}
		}
		return n.any
	}
	c := n.next[token]
	if c == nil {
		if n.next == nil {
			n.next = map[string]*routes[T]{}
		}
		c = &routes[T]{}
		n.next[token] = c
	}
	return c
}

// Remove removes a value from a pattern. Removing an unknown value changes nothing.
func (r *Router[T]) Remove(p Pattern, value T) {
	if p.text == "" || !r.root.remove(p.text, value) {
		return
	}
	switch r.patterns[value]--; r.patterns[value] {
	case 0:
		delete(r.patterns, value)
	case 1:
		r.shared--
	}
}

// remove removes the value and the nodes that become empty.
func (n *routes[T]) remove(pattern string, value T) bool {
	token, rest, more := strings.Cut(pattern, ".")
	if token == ">" {
		return cutValue(&n.rest, value)
	}
	c := n.next[token]
	if token == "*" {
		c = n.any
	}
	if c == nil {
		return false
	}
	var removed bool
	if more {
		removed = c.remove(rest, value)
	} else {
		removed = cutValue(&c.here, value)
	}
	if removed && len(c.next) == 0 && c.any == nil && len(c.here) == 0 && len(c.rest) == 0 {
		if token == "*" {
			n.any = nil
		} else {
			delete(n.next, token)
		}
	}
	return removed
}

// cutValue searches from the end, so that removing in the opposite order of adding costs the same for every value.
func cutValue[T comparable](values *[]T, value T) bool {
	v := *values
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] == value {
			*values = slices.Delete(v, i, i+1)
			return true
		}
	}
	return false
}

// Match appends the values whose patterns match typ to dst, each once, in no particular order. If dst has room, it allocates only when more than 32
// values match and some of them have several patterns.
func (r *Router[T]) Match(typ string, dst []T) []T {
	start := len(dst)
	dst = r.root.match(typ, dst)
	if r.shared > 0 && len(dst)-start > 1 {
		dst = dst[:start+len(unique(dst[start:]))]
	}
	return dst
}

func (n *routes[T]) match(typ string, dst []T) []T {
	if typ == "" {
		return dst
	}
	dst = append(dst, n.rest...)
	token, rest, more := strings.Cut(typ, ".")
	if token == "" {
		return dst
	}
	for _, c := range [...]*routes[T]{n.any, n.next[token]} {
		switch {
		case c == nil:
		case more:
			dst = c.match(rest, dst)
		default:
			dst = append(dst, c.here...)
		}
	}
	return dst
}

// unique moves the first of each value to the front.
func unique[T comparable](values []T) []T {
	kept := values[:0]
	if len(values) <= 32 {
		for _, v := range values {
			if !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
		return kept
	}
	seen := make(map[T]struct{}, len(values))
	for _, v := range values {
		if _, ok := seen[v]; !ok {
			seen[v] = struct{}{}
			kept = append(kept, v)
		}
	}
	return kept
}
