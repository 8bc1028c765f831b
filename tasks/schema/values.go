package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"evrun/events"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func hasType(v any, types jsonschema.Types) bool {
	switch v := v.(type) {
	case nil:
		return has(types, "null")
	case bool:
		return has(types, "boolean")
	case string:
		return has(types, "string")
	case []any:
		return has(types, "array")
	case map[string]any:
		return has(types, "object")
	case int, int64, uint64, float64, json.Number:
		return has(types, "number") || has(types, "integer") && isWhole(v)
	}
	return false
}

// typeBits are the library's bits for each name, which it keeps to itself.
var typeBits = func() map[string]jsonschema.Types {
	bits := map[string]jsonschema.Types{}
	for _, name := range []string{"null", "boolean", "number", "integer", "string", "array", "object"} {
		var t jsonschema.Types
		t.Add(name)
		bits[name] = t
	}
	return bits
}()

func has(types jsonschema.Types, name string) bool { return types&typeBits[name] != 0 }

// isWhole says whether a number has no fraction: 1.0 is an integer to JSON Schema.
func isWhole(v any) bool {
	switch v := v.(type) {
	case float64:
		return v == math.Trunc(v)
	case json.Number:
		if strings.Trim(string(v), "-0123456789") == "" {
			return true
		}
		r := rational(v)
		return r == nil || r.IsInt() // what is too large to look at has no fraction
	}
	return true
}

// maxNumber is how many characters a number may have that is looked at exactly.
const maxNumber = 1000

// rational is a number, exactly as it was written; nil for one that is too large to work with.
func rational(v any) *big.Rat {
	switch v := v.(type) {
	case int:
		return new(big.Rat).SetInt64(int64(v))
	case int64:
		return new(big.Rat).SetInt64(v)
	case uint64:
		return new(big.Rat).SetUint64(v)
	case float64:
		// 0.1 is meant as a tenth, not as the binary fraction next to it.
		if r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'g', -1, 64)); ok {
			return r
		}
	case json.Number:
		text := string(v)
		if i := strings.IndexAny(text, "eE"); i >= 0 {
			if n, err := strconv.Atoi(text[i+1:]); err != nil || n > maxNumber || n < -maxNumber {
				return nil
			}
		}
		if len(text) > maxNumber {
			return nil
		}
		if r, ok := new(big.Rat).SetString(text); ok {
			return r
		}
	}
	return nil
}

// digits counts what it takes to look at a number of many digits exactly.
func (c *checker) digits(v any) {
	if n, ok := v.(json.Number); ok && len(n) > 0 {
		text, exponent := string(n), 0
		if i := strings.IndexAny(text, "eE"); i >= 0 {
			if e, err := strconv.Atoi(text[i+1:]); err == nil {
				exponent = max(e, -e)
			}
		}
		c.step(min(len(text), maxNumber)/8 + min(exponent, maxNumber)/8)
	}
}

// compare holds a number against a schema's; false for one that is too large to work with.
func compare(v any, want *big.Rat) (int, bool) {
	if n, ok := v.(int); ok && want.IsInt() && want.Num().IsInt64() {
		return cmp.Compare(int64(n), want.Num().Int64()), true
	}
	r := rational(v)
	if r == nil {
		return 0, false
	}
	return r.Cmp(want), true
}

func (c *checker) number(s *jsonschema.Schema, v any) bool {
	ok := true
	for _, bound := range [...]struct {
		want    *big.Rat
		fits    func(order int) bool
		problem string
	}{
		{s.Minimum, func(n int) bool { return n >= 0 }, "%s is too small: the minimum is %s"},
		{s.Maximum, func(n int) bool { return n <= 0 }, "%s is too large: the maximum is %s"},
		{s.ExclusiveMinimum, func(n int) bool { return n > 0 }, "%s is too small: it must be over %s"},
		{s.ExclusiveMaximum, func(n int) bool { return n < 0 }, "%s is too large: it must be under %s"},
	} {
		if bound.want == nil {
			continue
		}
		switch order, known := compare(v, bound.want); {
		case !known:
			return c.fail("has too many digits to be compared")
		case !bound.fits(order):
			ok = c.fail(bound.problem, brief(v), decimal(bound.want))
		}
	}
	if s.MultipleOf != nil {
		switch r := rational(v); {
		case r == nil:
			return c.fail("has too many digits to be divided")
		case !r.Quo(r, s.MultipleOf).IsInt():
			ok = c.fail("%s is not a multiple of %s", brief(v), decimal(s.MultipleOf))
		}
	}
	return ok
}

// decimal writes a schema's number as people do.
func decimal(r *big.Rat) string {
	if n, exact := r.FloatPrec(); exact && n < 30 {
		return r.FloatString(n)
	}
	return r.RatString()
}

// equal compares as JSON Schema does: 1 and 1.0 are the same.
func (c *checker) equal(a, b any) bool {
	c.step(1)
	c.digits(a)
	switch a := a.(type) {
	case nil, bool:
		return a == b
	case string:
		b, ok := b.(string)
		return ok && a == b
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, c.equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, c.equal)
	}
	return isNumber(a) && isNumber(b) && (a == b || string(appendNumber(nil, a)) == string(appendNumber(nil, b)))
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, int64, uint64, float64, json.Number:
		return true
	}
	return false
}

func appendNumber(b []byte, v any) []byte {
	if n, ok := v.(int); ok {
		return strconv.AppendInt(b, int64(n), 10)
	}
	if r := rational(v); r != nil {
		return append(b, r.RatString()...)
	}
	return fmt.Append(b, v)
}

// canonical appends a text that two values share when they are equal.
func (c *checker) canonical(b []byte, v any) []byte {
	c.step(1)
	c.digits(v)
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		c.step(len(v) / 64)
		return strconv.AppendQuote(b, v)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(c.canonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = append(strconv.AppendQuote(b, k), ':')
			b = append(c.canonical(b, v[k]), ',')
		}
		return append(b, '}')
	}
	return appendNumber(b, v)
}

// typeNames writes "a string", "an integer or null".
func typeNames(types jsonschema.Types) string {
	articles := map[string]string{"null": "null", "integer": "an integer", "array": "an array", "object": "an object"}
	names := types.ToStrings()
	for i, name := range names {
		if names[i] = articles[name]; names[i] == "" {
			names[i] = "a " + name
		}
	}
	return alternatives(names)
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
	return alternatives(words)
}

func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
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
		return strconv.Quote(clip(v))
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool, int, int64, uint64, json.Number:
		return clip(fmt.Sprint(v))
	}
	b, err := events.MarshalJSON(v)
	if err != nil {
		return describe(v)
	}
	return clip(string(b))
}

func clip(s string) string {
	if r := []rune(s[:min(len(s), 400)]); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
