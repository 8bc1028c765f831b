// Package functions has the functions of the expression language that evrun adds to expr-lang's, and those that replace one of them: where the work does
// not follow from the length of one operand, where it must be counted beforehand, and where the result would be in the order of Go's maps, since the same
// event must always give the same value. Package format writes values as texts; what calls it here counts the work.
package functions

import (
	"fmt"

	"evrun/tasks/expression/format"
)

// Budget counts the work of an evaluation. Its errors say that it is used up.
type Budget interface {
	Take(n int) error            // takes so many units of work
	Read(v any, times int) error // takes what reading all of v so many times costs
}

// The bounds of an evaluation's memory.
const (
	MaxElements = 2 << 20  // the lists that the virtual machine makes
	MaxBytes    = 64 << 20 // all texts, lists and maps that an evaluation makes
)

// ErrTooBig is the error of an evaluation that makes too large values.
var ErrTooBig = &Error{Msg: fmt.Sprintf("the expression takes too much memory: its values would be larger than %d MiB", MaxBytes>>20), Plain: true}

// Error is the error of a function, for the user.
type Error struct {
	Msg, Hint string
	Err       error
	Plain     bool // it contains no part of a value
}

// Error gives the message.
func (e *Error) Error() string { return e.Msg }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Text is an argument that must be a text.
func Text(function string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", &Error{Msg: fmt.Sprintf("%s needs a text, not %s", function, format.Describe(v))}
	}
	return s, nil
}
