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
	if instead := guide.Member(src, fault.Offset, fault.Msg); instead != "" && (better.Hint == "" || len(better.Hint) > 11 && better.Hint[:11] == "write data.") {
		if _, fault := compileOnce(instead, s); fault == nil {
			better.Hint = "write " + instead
		}
	}
}

// anywhere is the scope for corrections of expressions that compile, whose own scope is not known.
var anywhere = Scope{names: 1<<32 - 1}

// meant completes the error of an evaluation in the same way.
func (x *Expr) meant(e *Error, message string) {
	if len(x.src) > maxCorrected || e.Offset < 0 {
		return
	}
	if message == "invalid operation: int(string)" { // what the machine says of a name after a text or a list
		e.Msg = brief(x.src) + ": a text or a list has no such name"
		x.suggest(e, guide.Corrected(x.src))
		return
	}
	what, instead := guide.Mismatch(x.src, utf8.RuneCountInString(x.src[:min(e.Offset, len(x.src))]), message, true)
	if what != "" {
		e.Msg = brief(x.src) + ": " + what
	}
	x.suggest(e, instead)
}

func (x *Expr) suggest(e *Error, instead string) {
	if instead == "" || instead == x.src {
		return
	}
	if _, fault := compileOnce(instead, anywhere); fault == nil {
		e.Hint = "write " + instead
	}
}
