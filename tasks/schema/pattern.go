package schema

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/expression/regex"
)

// pattern is a regular expression of a schema.
type pattern struct {
	*regexp.Regexp
	weight int // approximate number of instructions per byte
}

// maxPatternWeight bounds regular expressions in data (format "regex"); those in a schema count towards [MaxSize].
const maxPatternWeight = 20 * MaxSize

// compilePattern compiles a regular expression for the library.
func compilePattern(text string) (jsonschema.Regexp, error) {
	weight, err := weigh(text)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{re, weight}, nil
}

// weigh returns the approximate number of instructions of a regular expression.
func weigh(text string) (int, error) {
	if len(text) > maxPattern {
		return 0, fmt.Errorf("it has %d bytes: the maximum is %d", len(text), maxPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	weight := regex.Weight(parsed)
	if weight > maxPatternWeight {
		return 0, errors.New("its repetitions make it too large")
	}
	return weight, nil
}

// MatchString implements [jsonschema.Regexp]. A text that is longer than [maxPatternText] doesn't match.
func (p *pattern) MatchString(text string) bool {
	return len(text) <= maxPatternText && p.Regexp.MatchString(text)
}
