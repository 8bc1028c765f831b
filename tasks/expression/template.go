package expression

import (
	"encoding/json"
	"fmt"
	"strings"

	"evrun/tasks/expression/format"
	"evrun/tasks/expression/guide"
)

// Template is a string with expressions in it, each in ${ … }; $${ stands for a literal ${. It is safe for concurrent use.
type Template struct {
	src   string
	parts []part
	sole  *Expr // the template is one ${ … } and nothing else
	text  any   // the string, if there is no ${ … }
}

// part is a piece of literal text, or an expression.
type part struct {
	literal string
	expr    *Expr
	offset  int // of the expression in the template
}

// CompileTemplate checks and compiles a template. Its error is an [*Error], with offsets from the start of src.
func CompileTemplate(src string, s Scope) (*Template, error) {
	t, err := compileTemplate(src, s)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func compileTemplate(src string, s Scope) (*Template, *Error) {
	t := &Template{src: src}
	var literal strings.Builder
	for i := 0; i < len(src); {
		dollar := strings.IndexByte(src[i:], '$')
		if dollar < 0 {
			literal.WriteString(src[i:])
			break
		}
		literal.WriteString(src[i : i+dollar])
		i += dollar
		switch rest := src[i:]; {
		case strings.HasPrefix(rest, "$${"):
			literal.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			end, fault := endOfExpression(src, i)
			if fault != nil {
				return nil, fault
			}
			x, fault := compile(src[i+2:end], s.below(len(t.parts)))
			if fault != nil {
				if fault.Hint == "" && guide.OfShell(src[i+2:end]) {
					fault.Hint = `if a shell's variable is meant, write $${ in place of ${`
				}
				return nil, within(fault, i+2)
			}
			if literal.Len() > 0 {
				t.parts = append(t.parts, part{literal: literal.String()})
				literal.Reset()
			}
			t.parts = append(t.parts, part{expr: x, offset: i + 2})
			i = end + 1
		default:
			literal.WriteByte('$')
			i++
		}
	}
	switch {
	case len(t.parts) == 0:
		t.text = literal.String()
	case literal.Len() > 0:
		t.parts = append(t.parts, part{literal: literal.String()})
	case len(t.parts) == 1:
		t.sole = t.parts[0].expr
	}
	return t, nil
}

// EndOf finds the } that closes the ${ at an offset of a template's text.
func EndOf(src string, start int) (int, *Error) { return endOfExpression(src, start) }

// endOfExpression finds the } that closes the ${ at start: braces nest, and those in strings and comments don't count.
func endOfExpression(src string, start int) (int, *Error) {
	depth, hint := 0, `close it with "}", or write "$${" for a plain "${"`
	for i := start + 2; i < len(src); i++ {
		switch c := src[i]; c {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i, nil
			}
			depth--
		case '"', '\'', '`':
			end := endOfText(src, i)
			if end < 0 {
				return 0, &Error{Offset: i, Msg: fmt.Sprintf("a text that begins with %c is not closed, so neither is its \"${\"", c),
					Hint: "it needs the same quote at its end"}
			}
			i = end
		case '/':
			switch {
			case strings.HasPrefix(src[i:], "//"):
				hint = `"//" begins a comment, which goes to the end of the line`
				if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
					i += n
				} else {
					i = len(src)
				}
			case strings.HasPrefix(src[i:], "/*"):
				if n := strings.Index(src[i+2:], "*/"); n >= 0 {
					i += n + 3
				} else {
					i = len(src)
				}
			}
		}
	}
	return 0, &Error{Offset: start, Msg: `"${" is not closed`, Hint: hint}
}

// endOfText finds the quote that ends the text at start; -1 when there is none. Between backquotes, two of them are one.
func endOfText(src string, start int) int {
	quote := src[start]
	for i := start + 1; i < len(src); i++ {
		switch {
		case src[i] == '\\' && quote != '`':
			i++
		case src[i] == quote && quote == '`' && i+1 < len(src) && src[i+1] == '`':
			i++
		case src[i] == quote:
			return i
		}
	}
	return -1
}

// String is the source.
func (t *Template) String() string { return t.src }

// Constant is the text of a template that has no ${ … }.
func (t *Template) Constant() (string, bool) {
	s, ok := t.text.(string)
	return s, ok
}

// Eval returns the value of a template that is one ${ … }, with its type; otherwise a text. An error is an [*Error].
func (t *Template) Eval(env *Env) (any, error) {
	switch {
	case t.text != nil:
		return t.text, nil
	case t.sole != nil:
		v, err := t.sole.Eval(env)
		if err != nil {
			return nil, within(err, t.parts[0].offset)
		}
		return v, nil
	}
	s, err := t.Text(env)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Text returns the template as text: strings unchanged, numbers exactly, lists and maps as compact JSON. A part that is nil is an error that names
// it.
func (t *Template) Text(env *Env) (string, error) { return t.render(env, false) }

// Word is Text for what names something: a part that is neither a text nor a number is an error that names it.
func (t *Template) Word(env *Env) (string, error) { return t.render(env, true) }

func (t *Template) render(env *Env, word bool) (string, error) {
	if s, ok := t.text.(string); ok {
		return s, nil
	}
	var buffer [256]byte
	b := buffer[:0]
	if t.sole != nil {
		v, err := t.sole.Eval(env)
		if err != nil {
			return "", within(err, t.parts[0].offset)
		}
		if s, ok := v.(string); ok {
			return s, nil
		}
		if b, err = t.parts[0].appendText(b, v, env, word); err != nil {
			return "", err
		}
		return string(b), nil
	}
	for i := range t.parts {
		p := &t.parts[i]
		if p.expr == nil {
			b = append(b, p.literal...)
			continue
		}
		var err error
		if b, err = p.appendValue(b, env, word); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

// appendValue evaluates the expression in p, and appends the text of its value.
func (p *part) appendValue(b []byte, env *Env, word bool) ([]byte, error) {
	v, err := p.expr.Eval(env)
	if err != nil {
		return b, within(err, p.offset)
	}
	return p.appendText(b, v, env, word)
}

// appendText appends the text of the expression's value v; a word must be a text or a number.
func (p *part) appendText(b []byte, v any, env *Env, word bool) ([]byte, error) {
	if err := env.budget.SpendOn(v); err != nil {
		return b, within(err, p.offset)
	}
	b, msg := format.Append(b, v)
	if msg == "" && (!word || isWord(v)) {
		return b, nil
	}
	if msg == "" {
		msg = "is " + format.Describe(v) + ", and must be a text or a number"
	}
	fault := &Error{Offset: p.offset, Msg: brief(p.expr.src) + " " + msg}
	if v == nil {
		fault.Hint = fmt.Sprintf("${ %s ?? \"…\" } gives it a default", brief(p.expr.src))
	}
	return b, fault
}

func isWord(v any) bool {
	switch v.(type) {
	case string, int, int64, float64, json.Number:
		return true
	}
	return false
}
