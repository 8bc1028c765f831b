// Package schema checks values against JSON Schema 2020-12: what a declared event type requires of its data.
//
//	s, faults := schema.Compile(doc) // a decoded schema: map[string]any, or a bool
//	violations, more := s.Check(v)   // a decoded value, as events.ParseJSON gives it
//	for _, v := range violations {
//		fmt.Println(v.Pointer, v.Message) // /email  "ada" is not a valid email: missing @
//	}
//
// Formats are asserted (email, date-time, date, time, duration, uri, uuid, ipv4, ipv6, hostname and the others that the
// library knows), whole numbers are compared exactly, and patterns are Go's, which take linear time. Violations are sorted by
// their place in the value; at most [MaxViolations] are reported, with a count of the others.
//
// # Limits
//
// A schema is one document: a $ref leads to a place inside it, and nothing is fetched or read. Compile refuses $dynamicRef, a
// schema that refers to itself without end, and a schema that leads back to itself in two ways for the same value, such as
// two alternatives of anyOf that both recurse: each level of the data would double the work.
//
// The library github.com/santhosh-tekuri/jsonschema compiles and validates. It can't be interrupted, so a [meter] first walks
// over schema and value together. It takes every branch, evaluates nothing, allocates nothing, and stops at its limit. What
// it counts is an upper bound of the library's work, and [Schema.CheckWithin] charges it before the library starts: to the
// budget of the writer's transaction where there is one, and never more than [maxUnits]. A value that would need more is
// refused. The meter also bounds the memory that errors can take: the library makes one for each wrong item. A value that
// could need more than [maxMemory] gets a verdict without details.
//
// Two keywords are extensions of our own instead (extensions.go): the library's uniqueItems is quadratic for items that are
// made to share a hash, and its propertyNames reports a wrong place.
package schema

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	doc      any
	root     *jsonschema.Schema
	verdict  *jsonschema.Schema // {"not": root}: with it the library makes no error details
	parts    map[string]*jsonschema.Schema
	literals map[*jsonschema.Schema]int // the size of const and enum, by the part that has them
}

// Doc is the document that the schema was compiled from. Don't change it.
func (s *Schema) Doc() any { return s.doc }

// Violation is one way in which a value doesn't fit a schema.
type Violation struct {
	Path    []any  `json:"-"`       // the keys and indexes that lead to the wrong value; for a missing value, to where it should be
	Pointer string `json:"pointer"` // the same as a JSON pointer
	Message string `json:"message"`
}

// MaxViolations is how many violations of a value are reported.
const MaxViolations = 20

// Check returns the violations of v, sorted by their place: at most MaxViolations, and the number of others. It returns none if v fits the schema. v
// is made of nil, bool, int, int64, uint64, float64, json.Number, string, []any and map[string]any.
func (s *Schema) Check(v any) (violations []Violation, more int) {
	violations, more, _ = s.CheckWithin(v, nil)
	return violations, more
}

// CheckWithin is Check within a budget, which may be nil. If the budget is too small, v is not checked, and the error is the budget's.
func (s *Schema) CheckWithin(v any, b *expression.Budget) (violations []Violation, more int, err error) {
	m := meter{limit: maxUnits, literals: s.literals}
	if b != nil {
		m.limit = min(m.limit, b.Left())
	}
	done := m.visit(s.root, v)
	if err := b.Spend(m.units); err != nil {
		return nil, 0, err
	}
	defer func() {
		if r := recover(); r != nil { // a defect of the library must not stop the daemon: the event is refused
			violations, more, err = []Violation{{Message: fmt.Sprintf("it can't be checked: %v", r)}}, 0, nil
		}
	}()
	switch {
	case m.odd != nil:
		return []Violation{*m.odd}, 0, nil
	case !done:
		return []Violation{{Message: "to check it would take too long: it is too large or too nested for its schema"}}, 0, nil
	case m.memory > maxMemory:
		if s.verdict.Validate(v) == nil {
			return []Violation{{Message: "it doesn't fit, and it is too large to say where"}}, 0, nil
		}
		return nil, 0, nil
	}
	if err := s.root.Validate(v); err != nil {
		violations, more = s.explain(v, err)
	}
	return violations, more, nil
}

// Join writes violations in one line: /email: is missing; /age: must be an integer, not null; and 3 more.
func Join(violations []Violation, more int) string {
	parts := make([]string, len(violations), len(violations)+1)
	for i, v := range violations {
		parts[i] = v.Message
		if v.Pointer != "" {
			parts[i] = v.Pointer + ": " + v.Message
		}
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// violation makes a violation of a place in a value.
func violation(path []any, format string, args ...any) Violation {
	return Violation{Path: path, Pointer: pointerOf(path), Message: fault.Clip(fmt.Sprintf(format, args...), maxMessage)}
}

// maxMessage bounds a message in characters: the library's errors of formats repeat the whole text.
const maxMessage = 500
