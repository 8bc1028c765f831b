package schema

import (
	"net/url"
	"strconv"
	"strings"
)

var pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~")

// Tokens splits a JSON pointer into the keys and indexes that it goes through, each as it is written.
func Tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		tokens[i] = pointerUnescapes.Replace(t)
	}
	return tokens
}

// Lookup follows a JSON pointer into a decoded value.
func Lookup(v any, pointer string) (any, bool) {
	for _, t := range Tokens(pointer) {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[t]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(t)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// unescapeFragment undoes the percent-encoding of a reference's fragment.
func unescapeFragment(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
