// Package schema checks values against JSON Schema 2020-12: what a declared type of event says of its data.
//
//	s, faults := schema.Compile(doc) // a decoded schema: map[string]any, or a bool
//	violations, more := s.Check(v)   // a decoded value, as expression.DecodeJSON gives it
//	for _, v := range violations {
//		fmt.Println(v.Pointer, v.Message) // /email  "ada" is not a valid email: missing @
//	}
//
// Formats are asserted (email, date-time, date, time, duration, uri, uuid, ipv4, ipv6, hostname and what else the library
// knows), whole numbers are compared exactly, and patterns are Go's, which take linear time.
//
// # Limits
//
// A schema is one document: a $ref leads to a place inside it and nowhere else, nothing is fetched or read. $dynamicRef is
// refused, and so is a schema that refers to itself without end. A check takes [maxSteps] steps at most, whatever schema and
// value are; a value that would need more doesn't fit.
//
// The library compiles a schema: it knows the meta schema, and resolves references. Checking is our own, over what it
// compiled, since its validator can't be bounded (two recursive alternatives take 2ⁿ steps on n nested values), makes an
// error of each wrong item however many there are, and tells them in the random order of Go's maps. A fuzz test holds the
// two verdicts together.
package schema

import (
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	doc  any
	root *jsonschema.Schema
}

// Doc is the document that the schema was compiled from. Don't change it.
func (s *Schema) Doc() any { return s.doc }

// Violation is one way in which a value doesn't fit a schema.
type Violation struct {
	Pointer string `json:"pointer"` // a JSON pointer into the value; of what is missing, to where it should be
	Message string `json:"message"`
}

// MaxViolations is how many violations of a value are told.
const MaxViolations = 20

// Check gives the violations of v, in the order of its keys: MaxViolations at most, and how many more there are. It gives
// none when v fits. v is made of nil, bool, int, int64, uint64, float64, json.Number, string, []any and map[string]any.
func (s *Schema) Check(v any) (violations []Violation, more int) {
	steps := 0
	return s.check(v, maxSteps, &steps)
}

// CheckSteps is Check with another bound than [maxSteps]. steps is what it took: more than limit where that was too little, and
// then what it gives says nothing.
func (s *Schema) CheckSteps(v any, limit int) (violations []Violation, more, steps int) {
	violations, more = s.check(v, min(limit, maxSteps), &steps)
	return violations, more, steps
}

// CheckWithin is Check with a bound on its work: *left is how many steps it may take, and what remains of them. One that
// runs out of them gives no violations, which says nothing.
func (s *Schema) CheckWithin(v any, left *int) []Violation {
	if *left <= 0 {
		return nil
	}
	steps := 0
	violations, _ := s.check(v, *left, &steps)
	if *left -= steps; *left <= 0 {
		return nil
	}
	return violations
}

func (s *Schema) check(v any, limit int, steps *int) (violations []Violation, more int) {
	c := checkers.Get().(*checker)
	c.limit = limit
	defer c.release()
	defer func() {
		r := recover()
		*steps += c.steps
		msg := fmt.Sprintf("it can't be checked: %v", r) // a defect of ours or of the library: the event is refused, and nothing else stops
		switch {
		case r == nil:
			return
		case r == errSteps && c.out != nil:
			msg = fmt.Sprintf("it doesn't fit, and to say why would take more than %d steps", maxSteps)
		case r == errSteps:
			msg = fmt.Sprintf("to check it would take more than %d steps: it is too large or too nested for its schema", maxSteps)
		}
		violations, more = []Violation{{Message: msg}}, 0
	}()
	// Nearly all values fit: whether they do is found out without noting places or sorting keys.
	if c.check(s.root, v, nil) {
		return nil, 0
	}
	*steps += c.steps
	c.steps, c.out = 0, &report{}
	c.check(s.root, v, nil)
	return c.out.list, c.out.total - len(c.out.list)
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

// checker is one check under way.
type checker struct {
	steps int     // taken
	limit int     // and how many may be
	out   *report // nil: only the verdict is wanted, as soon as it is known
	path  []token // of the value that is looked at; kept only where out is
	keys  []byte  // scratch
}

// token is a step into a value.
type token struct {
	key   string
	index int // where key is not used
	isKey bool
}

var checkers = sync.Pool{New: func() any { return new(checker) }}

func (c *checker) release() {
	*c = checker{path: c.path[:0], keys: c.keys[:0]}
	if cap(c.keys) <= 64<<10 {
		checkers.Put(c)
	}
}

// maxSteps bounds a check: one is a subschema on a value, or work of that size. They take under a second in all.
const maxSteps = 5_000_000

type stepsError struct{}

var errSteps any = stepsError{}

func (c *checker) step(n int) {
	if c.steps += n; c.steps > c.limit {
		panic(errSteps)
	}
}

// report collects what is wrong.
type report struct {
	list  []Violation
	total int
	depth int  // of the path where it begins
	alien bool // the value where it begins has another type than is wanted
}

// fail notes a violation of the value that is looked at, and is false.
func (c *checker) fail(format string, args ...any) bool {
	if c.out == nil {
		return false
	}
	if c.out.total++; len(c.out.list) < MaxViolations {
		c.step(20 + len(c.path)) // alternatives have reports of their own, and there may be many
		c.out.list = append(c.out.list, Violation{c.pointer(), fmt.Sprintf(format, args...)})
	}
	return false
}

// failAt notes a violation of a member of the value that is looked at.
func (c *checker) failAt(key, format string, args ...any) bool {
	if c.out == nil {
		return false
	}
	c.path = append(c.path, token{key: key, isKey: true})
	c.fail(format, args...)
	c.path = c.path[:len(c.path)-1]
	return false
}

func (c *checker) pointer() string {
	var b strings.Builder
	for _, t := range c.path {
		if t.isKey {
			b.WriteString("/" + escape(t.key))
		} else {
			fmt.Fprintf(&b, "/%d", t.index)
		}
	}
	return b.String()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escape makes a part of a JSON pointer.
func escape(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return pointerEscapes.Replace(key)
}
