package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"evrun/events"
	"evrun/tasks/fault"
)

// decimal writes a schema's number as people do.
func decimal(r *big.Rat) string {
	if n, exact := r.FloatPrec(); exact && n < 30 {
		return r.FloatString(n)
	}
	return r.RatString()
}

// typeNames writes "a string", "an integer or null".
func typeNames(names []string) string {
	articles := map[string]string{"null": "null", "integer": "an integer", "array": "an array", "object": "an object"}
	words := make([]string, len(names))
	for i, name := range names {
		if words[i] = articles[name]; words[i] == "" {
			words[i] = "a " + name
		}
	}
	return fault.Or(words)
}

// oneOf writes the values of an enum.
func oneOf(values []any) string {
	const most = 10
	words := make([]string, 0, min(len(values), most+1))
	for _, v := range values[:min(len(values), most)] {
		words = append(words, brief(v))
	}
	if n := len(values) - most; n > 0 {
		words = append(words, fmt.Sprintf("one of %d more", n))
	}
	return fault.Or(words)
}

// describe names a value and its type.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return "the string " + brief(v)
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	case nil, bool:
		return brief(v)
	}
	return "the number " + brief(v)
}

// brief writes a value as JSON, short.
func brief(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fault.Quote(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool, int, int64, uint64, json.Number:
		return fault.Clip(fmt.Sprint(v), 60)
	}
	b, err := events.MarshalJSON(v)
	if err != nil {
		return describe(v)
	}
	return fault.Clip(string(b), 60)
}
