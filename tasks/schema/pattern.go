package schema

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/expression"
)

// pattern is a regular expression of a schema.
type pattern struct {
	*regexp.Regexp
	weight int // about how many instructions may look at each byte
}

// maxPatternWeight bounds the regular expressions that come as data, where the format is "regex"; those of a schema add to its
// [Size].
const maxPatternWeight = 20 * MaxSize

// compilePattern is the library's way to all regular expressions: those of a schema, and those that a value may be.
func compilePattern(text string) (jsonschema.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("it has %d bytes: the maximum is %d", len(text), maxPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	weight := expression.PatternWeight(parsed)
	if weight > maxPatternWeight {
		return nil, fmt.Errorf("its repetitions make it too large")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{re, weight}, nil
}

// match counts what it takes to hold a text against a pattern: the length of the one times that of the other.
func (c *checker) match(re jsonschema.Regexp, text string) {
	weight := maxPatternWeight
	if p, ok := re.(*pattern); ok {
		weight = p.weight
	}
	c.step(1 + (8+len(text))*(8+weight)/32)
}
