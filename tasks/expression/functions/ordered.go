package functions

import (
	"cmp"
	"fmt"
	"slices"

	"evrun/tasks/expression/format"
)

// pair is a key of a map, its text, and its value.
type pair struct {
	key, value any
	text       string
}

// pairsOf returns the pairs of a map of any type of the language, in the order of their keys.
func pairsOf(b Budget, function string, v any) ([]pair, error) {
	if err := b.Read(v, 2); err != nil { // it sorts
		return nil, err
	}
	var pairs []pair
	add := func(key, value any) {
		text, _ := format.Text(key)
		pairs = append(pairs, pair{key, value, text})
	}
	switch m := v.(type) {
	case map[string]any:
		for key, value := range m {
			add(key, value)
		}
	case map[any][]any:
		for key, value := range m {
			add(key, value)
		}
	default:
		return nil, &Error{Msg: function + " needs a map, and there is " + format.Describe(v)}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(format.Describe(a.key), format.Describe(b.key)))
	})
	return pairs, nil
}

// Keys are those of a map, in order.
func Keys(b Budget, args []any) (any, error) {
	return listOfPairs(b, "keys", args[0], func(p pair) any { return p.key })
}

// Values are those of a map, in the order of its keys.
func Values(b Budget, args []any) (any, error) {
	return listOfPairs(b, "values", args[0], func(p pair) any { return p.value })
}

// ToPairs makes a list of [key, value].
func ToPairs(b Budget, args []any) (any, error) {
	return listOfPairs(b, "toPairs", args[0], func(p pair) any { return []any{p.key, p.value} })
}

func listOfPairs(b Budget, function string, v any, of func(pair) any) (any, error) {
	pairs, err := pairsOf(b, function, v)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(pairs))
	for i, p := range pairs {
		list[i] = of(p)
	}
	return list, nil
}

// FromPairs is expr-lang's, but its keys are texts, as those of all maps that can be written as JSON.
func FromPairs(b Budget, args []any) (any, error) {
	list, err := elements("fromPairs", args[0])
	if err != nil {
		return nil, err
	}
	if err := b.Read(list, 1); err != nil {
		return nil, err
	}
	m := make(map[string]any, len(list))
	for i, v := range list {
		p, ok := ListOf(v)
		if !ok || len(p) != 2 {
			return nil, &Error{Msg: fmt.Sprintf("fromPairs: element %d is %s, not [key, value]", i, format.Describe(v))}
		}
		key, msg := format.Text(p[0])
		if msg != "" {
			return nil, &Error{Msg: fmt.Sprintf("fromPairs: the key of element %d %s", i, msg)}
		}
		m[key] = p[1]
	}
	return m, nil
}
