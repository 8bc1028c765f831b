package expression

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/expr-lang/expr/vm/runtime"
)

// function is one that we add to the language, or put in the place of its own.
type function struct {
	name  string
	call  func(args ...any) (any, error)
	types []any // pointers to the func types that it may be called as; none: not checked
}

// functionError is what a function says to the user.
type functionError struct {
	msg, hint string
	err       error
}

func (e *functionError) Error() string { return e.msg }
func (e *functionError) Unwrap() error { return e.err }

var (
	errTooBig  = &functionError{msg: fmt.Sprintf("the expression takes too much memory: its values would be larger than %d MiB", maxBytes>>20)}
	errTooSlow = &functionError{msg: fmt.Sprintf("the expression takes longer than %v", maxTime)}
)

// functions are the scope's own. Those of a scope without env() and file() have them too, so that the parser knows them;
// nameCheck refuses them by name.
func (s Scope) functions() []function {
	return []function{
		{stepFunction, func(args ...any) (any, error) { return nil, args[0].(*limits).step() }, nil},
		{chargeFunction, func(args ...any) (any, error) { return args[1], args[0].(*limits).charge(args[1]) }, nil},
		{"env", s.env, []any{new(func(string) string)}},
		{"file", s.file, []any{new(func(string) string)}},
		{"fromJSON", fromJSON, []any{new(func(string) any)}},
		{"join", join, []any{
			new(func([]any, string) string), new(func([]any) string), new(func([]string, string) string), new(func([]string) string),
		}},
		{"replace", replace, []any{new(func(string, string, string) string), new(func(string, string, string, int) string)}},
		{"repeat", repeat, []any{new(func(string, int) string)}},
		{"uniq", uniq, []any{new(func([]any) []any), new(func([]string) []any), new(func([]int) []any)}},
	}
}

// env is the value of an environment variable, which is taken for a secret.
func (s Scope) env(args ...any) (any, error) {
	name, err := text("env", args[0])
	if err != nil {
		return nil, err
	}
	v, ok := os.LookupEnv(name)
	if !ok {
		return nil, &functionError{msg: fmt.Sprintf("environment variable %s is not set", name)}
	}
	s.secrets.Add(v)
	return v, nil
}

// maxFile bounds what file() reads.
const maxFile = 1 << 20

// file is the text of a file without the line end at its end; it is taken for a secret.
func (s Scope) file(args ...any) (any, error) {
	name, err := text("file", args[0])
	if err != nil {
		return nil, err
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	v, err := readText(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &functionError{msg: fmt.Sprintf("file(%q): %s: %v", name, path, err), err: err}
	}
	s.secrets.Add(v)
	return v, nil
}

func readText(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a pipe or a device might never end
		return "", errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// fromJSON keeps numbers exact, as they are in data.
func fromJSON(args ...any) (any, error) {
	s, err := text("fromJSON", args[0])
	if err != nil {
		return nil, err
	}
	v, err := DecodeJSON([]byte(s))
	if err != nil {
		return nil, &functionError{msg: "fromJSON: " + err.Error()}
	}
	return v, nil
}

// join is expr-lang's, with numbers allowed, and with a look at the size before it is taken.
func join(args ...any) (any, error) {
	var parts []string
	switch list := args[0].(type) {
	case []string:
		parts = list
	case []any:
		parts = make([]string, 0, len(list))
		for i, v := range list {
			s, msg := textOf(v)
			if msg != "" {
				return nil, &functionError{msg: fmt.Sprintf("join: element %d %s", i, msg)}
			}
			parts = append(parts, s)
		}
	default:
		return nil, &functionError{msg: "join needs a list, and there is " + describe(list)}
	}
	glue := ""
	if len(args) == 2 {
		var err error
		if glue, err = text("join", args[1]); err != nil {
			return nil, err
		}
	}
	size := 0
	for _, p := range parts {
		if size += len(p) + len(glue); size > maxBytes {
			return nil, errTooBig
		}
	}
	return strings.Join(parts, glue), nil
}

// replace is expr-lang's, with a look at the size before it is taken.
func replace(args ...any) (any, error) {
	var s [3]string
	for i := range s {
		var err error
		if s[i], err = text("replace", args[i]); err != nil {
			return nil, err
		}
	}
	n := strings.Count(s[0], s[1])
	if len(args) == 4 {
		if limit := runtime.ToInt(args[3]); limit >= 0 {
			n = min(n, limit)
		}
	}
	if len(s[2]) > len(s[1]) && n > (maxBytes-len(s[0]))/(len(s[2])-len(s[1])) {
		return nil, errTooBig
	}
	return strings.Replace(s[0], s[1], s[2], n), nil
}

// repeat is expr-lang's, with a look at the size before it is taken.
func repeat(args ...any) (any, error) {
	s, err := text("repeat", args[0])
	if err != nil {
		return nil, err
	}
	n := runtime.ToInt(args[1])
	switch {
	case n < 0:
		return nil, &functionError{msg: fmt.Sprintf("repeat can't do it %d times", n)}
	case len(s) > 0 && n > maxBytes/len(s):
		return nil, errTooBig
	}
	return strings.Repeat(s, n), nil
}

// maxUniq bounds uniq, which compares each element with all others.
const maxUniq = 10_000

func uniq(args ...any) (any, error) {
	var list []any
	switch l := args[0].(type) {
	case []any:
		list = l
	case []string:
		for _, v := range l {
			list = append(list, v)
		}
	case []int:
		for _, v := range l {
			list = append(list, v)
		}
	default:
		return nil, &functionError{msg: "uniq needs a list, and there is " + describe(l)}
	}
	if len(list) > maxUniq {
		return nil, &functionError{msg: fmt.Sprintf("uniq takes at most %d elements, and there are %d", maxUniq, len(list))}
	}
	out := []any{}
	for _, v := range list {
		if !runtime.In(v, out) {
			out = append(out, v)
		}
	}
	return out, nil
}

// text is an argument that has to be a string.
func text(function string, v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", &functionError{msg: fmt.Sprintf("%s needs a text, and there is %s", function, describe(v))}
	}
	return s, nil
}
