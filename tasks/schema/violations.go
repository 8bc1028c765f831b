package schema

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"evrun/tasks/fault"
)

// finding is a violation without its message: only the first ones get messages.
type finding struct {
	at  []string // the library's place, with the key that is missing or not allowed
	err *jsonschema.ValidationError
}

// explain makes violations of the library's error.
func (s *Schema) explain(v any, err error) (violations []Violation, more int) {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []Violation{violation(nil, "%v", err)}, 0
	}
	found := findings(nil, invalid)
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(slices.CompareFunc(a.at, b.at, compareSteps), cmp.Compare(a.err.SchemaURL, b.err.SchemaURL),
			slices.Compare(a.err.ErrorKind.KeywordPath(), b.err.ErrorKind.KeywordPath()))
	})
	for _, f := range found[:min(len(found), MaxViolations)] {
		violations = append(violations, violation(pathOf(v, f.at), "%s", s.message(v, f)))
	}
	return violations, len(found) - len(violations)
}

// compareSteps orders indexes by number, and keys by text.
func compareSteps(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// findings appends the violations in e.
func findings(found []finding, e *jsonschema.ValidationError) []finding {
	add := func(keys ...string) {
		for _, key := range keys {
			found = append(found, finding{at: slices.Concat(e.InstanceLocation, []string{key}), err: e})
		}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			found = findings(found, cause)
		}
	case *kind.AnyOf, *kind.OneOf:
		found = append(found, finding{at: e.InstanceLocation, err: e})
		found = append(found, closest(e)...)
	case *kind.Required:
		add(k.Missing...)
	case *kind.DependentRequired:
		add(k.Missing...)
	case *kind.AdditionalProperties:
		add(k.Properties...)
	case *kind.PropertyNames:
		add(k.Property)
	default:
		found = append(found, finding{at: e.InstanceLocation, err: e})
	}
	return found
}

// closest returns the violations of the alternative that was probably meant: of the alternatives for the value's type, the one with the fewest
// violations.
func closest(e *jsonschema.ValidationError) (best []finding) {
	for _, cause := range e.Causes {
		found := findings(nil, cause)
		alien := slices.ContainsFunc(found, func(f finding) bool {
			_, isType := f.err.ErrorKind.(*kind.Type)
			return isType && len(f.at) == len(e.InstanceLocation)
		})
		if !alien && (best == nil || len(found) < len(best)) {
			best = found
		}
	}
	return best
}

// message returns the message of a violation.
func (s *Schema) message(root any, f finding) string {
	v, _ := lookup(root, pathOf(root, f.err.InstanceLocation))
	switch k := f.err.ErrorKind.(type) {
	case *kind.Required:
		return "is missing"
	case *kind.DependentRequired:
		return fmt.Sprintf("is missing: it is required where %q is given", fault.Clip(k.Prop, 60))
	case *kind.AdditionalProperties:
		return s.notAllowed(v, f)
	case *kind.FalseSchema:
		return "is not allowed"
	case *kind.PropertyNames:
		if found := findings(nil, f.err.Causes[0]); len(found) > 0 {
			return "the key isn't allowed: " + s.message(k.Property, found[0])
		}
		return "the key isn't allowed"
	case *kind.AnyOf:
		return fmt.Sprintf("fits none of the %d alternatives of %q", len(f.err.Causes), "anyOf")
	case *kind.OneOf:
		if len(k.Subschemas) == 2 {
			return fmt.Sprintf("fits alternatives %d and %d of %q: it must fit only one", k.Subschemas[0]+1, k.Subschemas[1]+1, "oneOf")
		}
		return fmt.Sprintf("fits none of the %d alternatives of %q", len(f.err.Causes), "oneOf")
	case *kind.Not:
		return "is excluded by \"not\""
	case *kind.Contains:
		return fmt.Sprintf("has 0 items that %q asks for: the minimum is 1", "contains")
	case *kind.MinContains:
		return fmt.Sprintf("has %s that %q asks for: the minimum is %d", fault.Plural(len(k.Got), "item"), "contains", k.Want)
	case *kind.MaxContains:
		return fmt.Sprintf("has %s that %q asks for: the maximum is %d", fault.Plural(len(k.Got), "item"), "contains", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("items %d and %d are the same: each may be given once", k.Duplicates[0], k.Duplicates[1])
	}
	return cmp.Or(sizeMessage(f.err.ErrorKind), valueMessage(v, f.err.ErrorKind), f.err.ErrorKind.LocalizedString(english))
}

// notAllowed suggests the key that was probably meant, among those that the object doesn't have.
func (s *Schema) notAllowed(v any, f finding) string {
	obj, _ := v.(map[string]any)
	var free []string
	if part := s.parts[f.err.SchemaURL]; part != nil {
		for _, key := range slices.Sorted(maps.Keys(part.Properties)) {
			if _, there := obj[key]; !there {
				free = append(free, key)
			}
		}
	}
	if hint := fault.DidYouMean(f.at[len(f.at)-1], free); hint != "" {
		return "is not allowed; " + hint
	}
	return "is not allowed"
}

// sizeMessage is for the keywords that bound a size; empty for others.
func sizeMessage(k jsonschema.ErrorKind) string {
	message := func(got int, thing, bound string, want int) string {
		return fmt.Sprintf("has %s: the %s is %d", fault.Plural(got, thing), bound, want)
	}
	switch k := k.(type) {
	case *kind.MinProperties:
		return message(k.Got, "key", "minimum", k.Want)
	case *kind.MaxProperties:
		return message(k.Got, "key", "maximum", k.Want)
	case *kind.MinItems:
		return message(k.Got, "item", "minimum", k.Want)
	case *kind.MaxItems:
		return message(k.Got, "item", "maximum", k.Want)
	case *kind.MinLength:
		return message(k.Got, "character", "minimum", k.Want)
	case *kind.MaxLength:
		return message(k.Got, "character", "maximum", k.Want)
	}
	return ""
}

// valueMessage is for the keywords that are about the value itself; empty for others.
func valueMessage(v any, k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s, not %s", typeNames(k.Want), describe(v))
	case *kind.Const:
		return fmt.Sprintf("must be %s, not %s", brief(k.Want), describe(v))
	case *kind.Enum:
		return fmt.Sprintf("must be %s, not %s", oneOf(k.Want), describe(v))
	case *kind.Format:
		return fmt.Sprintf("%s is not a valid %s: %v", brief(v), k.Want, k.Err)
	case *kind.Pattern:
		if len(k.Got) > maxPatternText {
			return fmt.Sprintf("is too long to be matched against a pattern: the maximum is %d bytes", maxPatternText)
		}
		return fmt.Sprintf("%s doesn't match the pattern %s", brief(v), fault.Clip(k.Want, 60))
	case *kind.Minimum:
		return fmt.Sprintf("%s is too small: the minimum is %s", brief(v), decimal(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("%s is too large: the maximum is %s", brief(v), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("%s is too small: it must be over %s", brief(v), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("%s is too large: it must be under %s", brief(v), decimal(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("%s is not a multiple of %s", brief(v), decimal(k.Want))
	}
	return ""
}
