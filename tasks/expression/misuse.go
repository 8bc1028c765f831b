package expression

import (
	"strings"
	"unicode/utf8"

	"evrun/tasks/expression/guide"
)

// maxCorrected is the length of the longest expression for which a correction is searched.
const maxCorrected = 1000

// explained returns the fault of an expression with a better message, and with an expression that is probably meant as its hint. That one compiles, so the
// hint leads to no second fault.
func (s Scope) explained(src string, fault *Error) *Error {
	if len(src) > maxCorrected {
		return fault
	}
	if space := len(src) - len(strings.TrimLeft(src, " \t\r\n")); space > 0 && fault.Offset >= space { // as in ${ data.name }
		moved := *fault
		moved.Offset -= space
		better := *s.explained(src[space:], &moved)
		better.Offset += space
		return &better
	}
	src = strings.TrimRight(src, " \t\r\n")
	better, current, original := *fault, fault, src
	for range 3 {
		next := guide.Corrected(src)
		if next == src {
			what, instead := guide.Mismatch(src, utf8.RuneCountInString(src[:max(0, min(current.Offset, len(src)))]), current.Msg, s.condition)
			if what != "" && current == fault {
				better.Msg = what
			}
			if next = instead; next == "" {
				s.member(original, fault, &better)
				return &better
			}
		}
		if _, current = compileOnce(next, s); current == nil {
			better.Hint = "write " + next
			if list := guide.ForLists(original); list != next {
				if _, fault := compileOnce(list, s); fault == nil {
					better.Hint += ", or for a list " + list
				}
			}
			return &better
		}
		src = next
	}
	return &better
}

// member completes the fault of an unknown name that is one of the data, such as email in place of data.email.
func (s Scope) member(src string, fault, better *Error) {
	if instead := guide.Member(src, fault.Offset, fault.Msg); instead != "" && (better.Hint == "" || strings.HasPrefix(better.Hint, "write data.")) {
		if _, fault := compileOnce(instead, s); fault == nil {
			better.Hint = "write " + instead
		}
	}
}

// anywhere is the scope for corrections of expressions that compile, whose own scope is not known.
var anywhere = Scope{names: 1<<32 - 1}

// meant completes the error of an evaluation in the same way.
func (x *Expr) meant(e *Error, message string) {
	if e.Offset < 0 {
		return
	}
	x.advise(e, e.Offset, message, func() (what, instead string) {
		if message == "invalid operation: int(string)" { // what the machine says of a name after a text or a list
			return "a text or a list has no such name", guide.Corrected(x.src)
		}
		return guide.Mismatch(x.src, utf8.RuneCountInString(x.src[:min(e.Offset, len(x.src))]), message, true)
	})
}

// advice is what is said about an expression whose evaluation failed with a message at an offset.
type advice struct {
	offset     int
	message    string
	what, hint string
}

// advise completes an error with what find returns for the message: a clearer one, and an expression that is probably meant. The last advice is kept,
// because a search may fail alike at each of a million events, and to parse and to compile take longer than an evaluation.
func (x *Expr) advise(e *Error, offset int, message string, find func() (what, instead string)) {
	if len(x.src) > maxCorrected {
		return
	}
	a := x.advice.Load()
	if a == nil || a.offset != offset || a.message != message {
		a = &advice{offset: offset, message: message}
		instead := ""
		if a.what, instead = find(); instead != "" && instead != x.src {
			if _, fault := compileOnce(instead, anywhere); fault == nil {
				a.hint = "write " + instead
			}
		}
		x.advice.Store(a)
	}
	if a.what != "" {
		e.Msg = brief(x.src) + ": " + a.what
	}
	if a.hint != "" {
		e.Hint = a.hint
	}
}
