package functions

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"

	"evrun/events"
	"evrun/tasks/expression/format"
	"evrun/tasks/expression/regex"
)

// In is the operator.
func In(b Budget, args []any) (any, error) {
	times := 1
	switch list := args[1].(type) {
	case []any:
		times += len(list)
	case []string:
		times += len(list)
	case []int:
		times += len(list)
	}
	if err := b.Read(args[0], times); err != nil {
		return nil, err
	}
	return runtime.In(args[0], args[1]), nil
}

// Range is the operator `..`.
func Range(b Budget, args []any) (any, error) {
	from, to := runtime.ToInt(args[0]), runtime.ToInt(args[1])
	n := to - from + 1
	if n > MaxElements {
		return nil, ErrTooBig
	}
	if err := b.Take(max(1, n/8)); err != nil {
		return nil, err
	}
	return runtime.MakeRange(from, to), nil
}

const maxPattern = 1000 // bytes of a computed regular expression

// Matches is the operator. Matching takes time proportional to the length of the text times that of the pattern; compiling a pattern of the payload
// takes time, too.
func Matches(b Budget, args []any) (any, error) {
	if args[0] == nil || args[1] == nil {
		return false, nil
	}
	s, err := Text("matches", args[0])
	if err != nil {
		return nil, err
	}
	p, ok := args[1].(*regex.Pattern)
	if !ok {
		src, err := Text("matches", args[1])
		if err != nil {
			return nil, err
		}
		// A class of letters is large, however short its name.
		if err := b.Take(20*len(src) + 5000*(strings.Count(src, `\p`)+strings.Count(src, `\P`))); err != nil {
			return nil, err
		}
		if p, err = regex.Compile(src, maxPattern); err != nil {
			return nil, &Error{Msg: err.Error()}
		}
		if err := b.Take(16 * p.Weight); err != nil {
			return nil, err
		}
	}
	if err := b.Take((len(s) + 8) * (p.Weight + 8) / 2); err != nil {
		return nil, err
	}
	return p.MatchString(s), nil
}

// FromJSON keeps numbers exact, as they are in data.
func FromJSON(b Budget, args []any) (any, error) {
	s, err := Text("fromJSON", args[0])
	if err != nil {
		return nil, err
	}
	if err := b.Take(len(s) / 4); err != nil {
		return nil, err
	}
	v, err := events.ParseJSON([]byte(s))
	if err != nil {
		return nil, &Error{Msg: "fromJSON: the text is not valid JSON: " + err.Error()}
	}
	return v, nil
}

// ToJSON is expr-lang's with a check of the size of the result beforehand: each level of a value indents everything below it.
func ToJSON(b Budget, args []any) (any, error) {
	if err := b.Read(args[0], 2); err != nil {
		return nil, err
	}
	space := indented(args[0], 0, 0)
	if space > MaxBytes {
		return nil, ErrTooBig
	}
	if err := b.Take(space / 16); err != nil {
		return nil, err
	}
	var out strings.Builder
	if err := events.IndentJSON(&out, args[0]); err != nil {
		return nil, &Error{Msg: "toJSON: " + err.Error()}
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// indented adds the white space of v to sum, and stops when that is too much.
func indented(v any, depth, sum int) int {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if sum = indented(e, depth+1, sum+2*depth+3); sum > MaxBytes {
				break
			}
		}
	case map[string]any:
		for _, e := range v {
			if sum = indented(e, depth+1, sum+2*depth+3); sum > MaxBytes {
				break
			}
		}
	}
	return sum
}

// Join is expr-lang's, but allows numbers, and checks the size of the result beforehand.
func Join(b Budget, args []any) (any, error) {
	if err := b.Read(args[0], 1); err != nil {
		return nil, err
	}
	var parts []string
	switch list := args[0].(type) {
	case []string:
		parts = list
	case []any:
		parts = make([]string, 0, len(list))
		for i, v := range list {
			s, msg := format.Text(v)
			if msg != "" {
				return nil, &Error{Msg: fmt.Sprintf("join: element %d %s", i, msg)}
			}
			parts = append(parts, s)
		}
	default:
		return nil, &Error{Msg: "join needs a list, and there is " + format.Describe(list)}
	}
	glue := ""
	if len(args) == 2 {
		var err error
		if glue, err = Text("join", args[1]); err != nil {
			return nil, err
		}
	}
	size := 0
	for _, p := range parts {
		if size += len(p) + len(glue); size > MaxBytes {
			return nil, ErrTooBig
		}
	}
	if err := b.Take(size / 64); err != nil {
		return nil, err
	}
	return strings.Join(parts, glue), nil
}

// Replace is expr-lang's with a check of the size of the result beforehand.
func Replace(b Budget, args []any) (any, error) {
	var s [3]string
	for i := range s {
		var err error
		if s[i], err = Text("replace", args[i]); err != nil {
			return nil, err
		}
	}
	if err := b.Take(len(s[0]) / 16); err != nil {
		return nil, err
	}
	n := strings.Count(s[0], s[1])
	if len(args) == 4 {
		if limit := runtime.ToInt(args[3]); limit >= 0 {
			n = min(n, limit)
		}
	}
	if longer := len(s[2]) - len(s[1]); longer > 0 {
		if n > (MaxBytes-len(s[0]))/longer {
			return nil, ErrTooBig
		}
		if err := b.Take(n * longer / 64); err != nil {
			return nil, err
		}
	}
	return strings.Replace(s[0], s[1], s[2], n), nil
}

// Repeat is expr-lang's with a check of the size of the result beforehand.
func Repeat(b Budget, args []any) (any, error) {
	s, err := Text("repeat", args[0])
	if err != nil {
		return nil, err
	}
	n := runtime.ToInt(args[1])
	switch {
	case n < 0:
		return nil, &Error{Msg: fmt.Sprintf("repeat can't do it %d times", n)}
	case len(s) > 0 && n > MaxBytes/len(s):
		return nil, ErrTooBig
	}
	if err := b.Take(len(s) * n / 64); err != nil {
		return nil, err
	}
	return strings.Repeat(s, n), nil
}

// Trim is expr-lang's, counted: each letter at an end of the text is searched in the set of letters to remove.
func Trim(b Budget, args []any) (any, error) {
	s, err := Text("trim", args[0])
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return strings.TrimSpace(s), b.Take(len(s) / 64)
	}
	cutset, err := Text("trim", args[1])
	if err != nil {
		return nil, err
	}
	if err := b.Take((1 + len(s)/16) * (1 + len(cutset)/16)); err != nil {
		return nil, err
	}
	return strings.Trim(s, cutset), nil
}

// ListOf converts a list of any type of the language to a []any.
func ListOf(v any) ([]any, bool) {
	switch l := v.(type) {
	case []any:
		return l, true
	case []string:
		return anys(l), true
	case []int:
		return anys(l), true
	case []float64:
		return anys(l), true
	}
	return nil, false
}

// list returns the argument of a function that must be a list.
func elements(function string, v any) ([]any, error) {
	l, ok := ListOf(v)
	if !ok {
		return nil, &Error{Msg: function + " needs a list, and there is " + format.Describe(v)}
	}
	return l, nil
}

func anys[E any](list []E) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// maxUniq bounds uniq, which compares each element with all others.
const maxUniq = 10_000

// Uniq leaves out elements that were there before.
func Uniq(b Budget, args []any) (any, error) {
	list, err := elements("uniq", args[0])
	if err != nil {
		return nil, err
	}
	if len(list) > maxUniq {
		return nil, &Error{Msg: fmt.Sprintf("uniq takes at most %d elements, and there are %d", maxUniq, len(list))}
	}
	out := []any{}
	for _, v := range list {
		if err := b.Read(v, 1+len(out)); err != nil {
			return nil, err
		}
		if !runtime.In(v, out) {
			out = append(out, v)
		}
	}
	return out, nil
}

// Flatten is expr-lang's, without a copy of all for each level.
func Flatten(b Budget, args []any) (any, error) {
	list, err := elements("flatten", args[0])
	if err != nil {
		return nil, err
	}
	if err := b.Read(list, 2); err != nil {
		return nil, err
	}
	return flat([]any{}, list), nil
}

func flat(out, list []any) []any {
	for _, v := range list {
		if inner, ok := ListOf(v); ok {
			out = flat(out, inner)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// Median is expr-lang's, without a copy of all for each level.
func Median(b Budget, args []any) (any, error) {
	if err := b.Read(args, 20); err != nil { // it sorts
		return nil, err
	}
	return builtin.Builtins[builtin.Index["median"]].Func(flat([]any{}, args))
}
