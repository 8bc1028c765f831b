package schema

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
)

var (
	pointerEscapes   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~")
)

// pointerOf writes a path as a JSON pointer.
func pointerOf(path []any) string {
	var b strings.Builder
	for _, step := range path {
		b.WriteByte('/')
		switch step := step.(type) {
		case int:
			b.WriteString(strconv.Itoa(step))
		case string:
			_, _ = pointerEscapes.WriteString(&b, step)
		}
	}
	return b.String()
}

// pathIn is the path of a JSON pointer into doc, which stands in the fragment of a URL.
func pathIn(doc any, fragment string) []any {
	if plain, err := url.PathUnescape(fragment); err == nil {
		fragment = plain
	}
	if fragment == "" {
		return nil
	}
	tokens := strings.Split(fragment[1:], "/")
	for i, t := range tokens {
		tokens[i] = pointerUnescapes.Replace(t)
	}
	return pathOf(doc, tokens)
}

// pathOf is the path of the library's tokens into v: numbers are indexes where v has a list.
func pathOf(v any, tokens []string) []any {
	path := make([]any, 0, len(tokens))
	for _, t := range tokens {
		step := any(t)
		if _, isList := v.([]any); isList {
			if i, err := strconv.Atoi(t); err == nil {
				step = i
			}
		}
		path = append(path, step)
		v, _ = lookup(v, []any{step})
	}
	return path
}

// lookup follows a path into a decoded value.
func lookup(v any, path []any) (any, bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			obj, _ := v.(map[string]any)
			next, ok := obj[step]
			if !ok {
				return nil, false
			}
			v = next
		case int:
			list, _ := v.([]any)
			if step < 0 || step >= len(list) {
				return nil, false
			}
			v = list[step]
		}
	}
	return v, true
}

// comparePaths orders paths: a value comes before its members, and members are in the order of indexes or keys.
func comparePaths(a, b []any) int {
	for i := range min(len(a), len(b)) {
		order := 0
		switch x := a[i].(type) {
		case int:
			if y, ok := b[i].(int); ok {
				order = cmp.Compare(x, y)
			}
		case string:
			if y, ok := b[i].(string); ok {
				order = cmp.Compare(x, y)
			}
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(a), len(b))
}
