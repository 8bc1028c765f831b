package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// extend replaces the checks of a compiled part that can't be bounded, or that report a wrong place, by our own.
func extend(s *jsonschema.Schema) {
	if s.UniqueItems {
		s.UniqueItems = false
		s.Extensions = append(s.Extensions, uniqueItems{})
	}
	if s.PropertyNames != nil {
		s.Extensions = append(s.Extensions, propertyNames{s.PropertyNames})
		s.PropertyNames = nil
	}
	if s.Format != nil && s.Format.Name == "regex" {
		s.Format = &jsonschema.Format{Name: "regex", Validate: validateRegex}
	}
}

// extension finds one of our extensions.
func extension[T jsonschema.SchemaExt](s *jsonschema.Schema) (ext T, ok bool) {
	for _, e := range s.Extensions {
		if ext, ok = e.(T); ok {
			break
		}
	}
	return ext, ok
}

// propertyNames checks the keys of an object. The library reports them at the wrong place.
type propertyNames struct{ schema *jsonschema.Schema }

// Validate implements [jsonschema.SchemaExt].
func (p propertyNames) Validate(ctx *jsonschema.ValidatorContext, v any) {
	obj, _ := v.(map[string]any)
	for name := range obj {
		var invalid *jsonschema.ValidationError
		if errors.As(p.schema.Validate(name), &invalid) {
			ctx.AddErrors([]*jsonschema.ValidationError{invalid}, &kind.PropertyNames{Property: name})
		}
	}
}

// uniqueItems finds two equal items. The library compares all items with the same hash, and an attacker can make many different items with one hash.
type uniqueItems struct{}

// Validate implements [jsonschema.SchemaExt].
func (uniqueItems) Validate(ctx *jsonschema.ValidatorContext, v any) {
	list, _ := v.([]any)
	if len(list) < 2 {
		return
	}
	var text []byte
	seen := make(map[string]int, len(list))
	for i, v := range list {
		text = canonical(text[:0], v)
		if first, there := seen[string(text)]; there {
			ctx.AddError(&kind.UniqueItems{Duplicates: [2]int{first, i}})
			return
		}
		seen[string(text)] = i
	}
}

// canonical appends a text that is the same for equal values, such as 1 and 1.0.
func canonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case string:
		return strconv.AppendQuote(b, v)
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = append(canonical(b, e), ',')
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = append(strconv.AppendQuote(b, k), ':')
			b = append(canonical(b, v[k]), ',')
		}
		return append(b, '}')
	}
	r, _ := new(big.Rat).SetString(numberText(v)) // the meter allows only small numbers
	return append(b, r.RatString()...)
}

// numberText writes a number as JSON does.
func numberText(v any) string {
	if n, ok := v.(json.Number); ok {
		return string(n)
	}
	return fmt.Sprint(v)
}

// validateRegex is the format "regex". The expression is only parsed: compiling it can take a thousand times as long.
func validateRegex(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	_, err := weigh(text)
	return err
}
