// Package regex compiles regular expressions, and says how much work they are.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// maxWeight bounds the instructions of a pattern's program.
const maxWeight = 5000

// Pattern is a compiled regular expression.
type Pattern struct {
	*regexp.Regexp
	Weight int // approximate number of instructions per byte
}

// Compile compiles a regular expression of limited length.
func Compile(text string, most int) (*Pattern, error) {
	if len(text) > most {
		return nil, fmt.Errorf("the regular expression has %d bytes, and the maximum is %d", len(text), most)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	weight := Weight(parsed)
	if weight > maxWeight {
		return nil, errors.New("the regular expression is too large: its repetitions are too many")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &Pattern{re, weight}, nil
}

// Weight returns the approximate number of instructions that a regular expression compiles to.
func Weight(re *syntax.Regexp) int {
	n := 1
	for _, sub := range re.Sub {
		n += Weight(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n += len(re.Rune) / 16
	case syntax.OpRepeat:
		n *= max(re.Min, re.Max, 1)
	}
	return n
}
