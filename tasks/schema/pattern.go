package schema

import (
	"errors"
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

// maxPatternWeight bounds the regular expressions that come as data, where the format is "regex"; those of a schema count for
// [MaxSize].
const maxPatternWeight = 20 * MaxSize

// compilePattern is how the library compiles a regular expression.
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

// weigh says how many instructions a regular expression has, about.
func weigh(text string) (int, error) {
	if len(text) > maxPattern {
		return 0, fmt.Errorf("it has %d bytes: the maximum is %d", len(text), maxPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	weight := expression.PatternWeight(parsed)
	if weight > maxPatternWeight {
		return 0, errors.New("its repetitions make it too large")
	}
	return weight, nil
}

// MatchString implements [jsonschema.Regexp]. A text that is longer than [maxPatternText] doesn't match.
func (p *pattern) MatchString(text string) bool {
	return len(text) <= maxPatternText && p.Regexp.MatchString(text)
}
