package expression

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/file"

	"evrun/tasks/expression/guide"
)

// Error is a fault in an expression's text, or in its evaluation. The same event leads to the same error again, unless Err is an external cause, such
// as a file that can't be read.
type Error struct {
	Offset int    // in the source (an expression, or a whole template), in bytes; -1 when unknown
	Msg    string // what is wrong
	Hint   string // what to do about it; may be empty
	Err    error  // the cause, where there is one
}

// Error gives the message and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fault is for [fault.Of].
func (e *Error) Fault() (offset int, message, hint string) { return e.Offset, e.Msg, e.Hint }

// within moves an error of an expression to its place in a template.
func within(err error, offset int) *Error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Offset: offset, Msg: err.Error(), Err: err}
	}
	moved := *e
	if moved.Offset >= 0 {
		moved.Offset += offset
	}
	return &moved
}

// compileError translates expr-lang's errors about a text. They have only a place and a message, so this function, unknownField, nilMember and
// runMessage compare messages to replace them by clearer ones. An unknown message stays unchanged.
func compileError(src string, err error) *Error {
	e := &Error{Offset: -1, Msg: err.Error()}
	var fe *file.Error
	if !errors.As(err, &fe) {
		e.Msg, _, _ = strings.Cut(e.Msg, "\n") // the compiler appends a stack
		return e
	}
	e.Offset = byteOffset(src, fe.From)
	e.Msg = strings.TrimSpace(plainTypes.Replace(fe.Message))
	switch {
	case fe.Message == "unexpected token EOF", fe.Message == "unexpected end of expression":
		e.Msg = "the expression ends too early"
	case fe.Message == "literal not terminated":
		e.Msg, e.Hint = "the text is not closed", `it needs the same quote at its end`
	case fe.Message == `unexpected token Operator("=")`:
		e.Msg, e.Hint = `unexpected "="`, `"==" compares`
		if strings.HasPrefix(src[e.Offset:], "=>") {
			e.Msg, e.Hint = `unexpected "=>"`, "# is the element of a list, as in map(data.items, #.price)"
		}
	case strings.HasPrefix(fe.Message, "unexpected token "):
		e.Msg, e.Hint = guide.Unexpected(strings.TrimPrefix(fe.Message, "unexpected token "))
	default:
		if what, hint := guide.Argument(e.Msg); what != "" {
			e.Msg, e.Hint = what, hint
		}
	}
	return e
}

// plainTypes replaces the names of Go's types by the language's.
var plainTypes = strings.NewReplacer(
	"map[string]interface {}", "map",
	"[]interface {}", "list",
	"interface {}", "value",
	"<nil>", "nil",
	"float64", "number",
	"json.Number", "very large number",
)

// byteOffset turns expr-lang's count of runes into bytes.
func byteOffset(src string, runes int) int {
	offset := 0
	for ; runes > 0 && offset < len(src); runes-- {
		_, size := utf8.DecodeRuneInString(src[offset:])
		offset += size
	}
	return offset
}
