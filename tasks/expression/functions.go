package expression

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"

	"evrun/store/files"
	"evrun/tasks/expression/functions"
	"evrun/tasks/expression/secrets"
)

// function is a function that we add to the language, or that replaces one of the language.
type function struct {
	name  string
	call  func(b functions.Budget, args []any) (any, error)
	types []any // pointers to the func types that it may be called as; none: not checked
}

// within calls f with the budget that limiter passes as its first argument.
func (f function) within(args ...any) (any, error) { return f.call(args[0].(*Budget), args[1:]) }

// ourFunctions are the functions of the language. The parser knows env() and file() in all scopes; nameCheck refuses them where a scope lacks them.
var ourFunctions = []function{
	{"env", func(_ functions.Budget, args []any) (any, error) { return args[0].(*source).env() }, []any{new(func(string) string)}},
	{"file", func(b functions.Budget, args []any) (any, error) { return args[0].(*source).file(b.(*Budget)) }, []any{new(func(string) string)}},
	{"now", nil, []any{new(func() time.Time)}}, // limiter makes a name of it
	{"uuid", func(b functions.Budget, args []any) (any, error) { return args[0].(*identities).uuid(b) }, []any{new(func() string)}},
	{"header", func(_ functions.Budget, args []any) (any, error) { return args[0].(*Request).header(args[1]), nil }, []any{new(func(string) string)}},
	{"query", func(_ functions.Budget, args []any) (any, error) { return args[0].(*Request).query(args[1]), nil }, []any{new(func(string) string)}},
	{"sprintf", functions.Sprintf, []any{new(func(string, ...any) string)}},
	{"strftime", functions.Strftime, []any{new(func(any, string) string), new(func(any, string, string) string)}},
	{"round", functions.Round, []any{new(func(float64) float64), new(func(float64, int) float64)}},
	{"alike", functions.Alike, []any{new(func(string) string)}},
	{"urlencode", functions.URLEncode, []any{new(func(any) string)}},
	{"sha256", functions.SHA256, []any{new(func(string) string)}},
	{"hmac", functions.HMAC, []any{new(func(string, string, string) string), new(func(string, string, string, string) string)}},
	{"fromJSON", functions.FromJSON, []any{new(func(string) any)}},
	{"toJSON", functions.ToJSON, []any{new(func(any) string)}},
	{"join", functions.Join, []any{
		new(func([]any, string) string), new(func([]any) string), new(func([]string, string) string), new(func([]string) string),
	}},
	{"replace", functions.Replace, []any{new(func(string, string, string) string), new(func(string, string, string, int) string)}},
	{"repeat", functions.Repeat, []any{new(func(string, int) string)}},
	{"trim", functions.Trim, []any{new(func(string) string), new(func(string, string) string)}},
	{"uniq", functions.Uniq, []any{new(func([]any) []any), new(func([]string) []any), new(func([]int) []any)}},
	{"flatten", functions.Flatten, []any{new(func(any) any)}},
	{"keys", functions.Keys, ofMaps},
	{"values", functions.Values, ofMaps},
	{"toPairs", functions.ToPairs, ofMaps},
	{"fromPairs", functions.FromPairs, []any{new(func([]any) map[string]any), new(func([]string) map[string]any)}},
	{"median", functions.Median, []any{new(func(...any) any)}},
}

// ofMaps are the types of a function that makes a list of a map.
var ofMaps = []any{new(func(map[string]any) []any), new(func(map[any][]any) []any)}

// public has the names of functions.
var public = func() map[string]bool {
	names := map[string]bool{}
	for _, f := range ourFunctions {
		names[f.name] = true
	}
	return names
}()

// functionTable has all functions, for the compiler, which only reads it.
var functionTable = sync.OnceValue(func() conf.FunctionsTable {
	config := conf.CreateNew()
	for _, f := range ourFunctions {
		expr.Function(f.name, nil, f.types...)(config) // for the check of types: limiter replaces it by the other
		expr.Function(ours(f.name), f.within)(config)
	}
	for _, f := range counted {
		expr.Function(f.name, f.within)(config)
	}
	return config.Functions
})

// ours is the name of the function that replaces the language's function of that name.
func ours(name string) string { return "$" + name + "()" }

// counted are the functions that limiter adds calls of.
var counted = append([]function{
	{chargeFunction, func(b functions.Budget, args []any) (any, error) { return args[0], b.(*Budget).charge(args[0]) }, nil},
	{readFunction, func(b functions.Budget, args []any) (any, error) { return args[0], b.Read(args[0], args[1].(int)) }, nil},
	{rangeFunction, functions.Range, nil},
	{inFunction, functions.In, nil},
	{matchFunction, functions.Matches, nil},
}, steps[:]...)

// source replaces the literal name in a call of env() or file() when an expression is compiled.
type source struct {
	scope Scope
	name  string
}

// env returns the value of an environment variable, which counts as a secret.
func (s *source) env() (any, error) {
	if s.scope.secrets.Sealed() {
		return secrets.Stand("env", s.name), nil
	}
	v, ok := os.LookupEnv(s.name)
	if !ok {
		return nil, &functions.Error{Msg: fmt.Sprintf("environment variable %s is not set", s.name), Plain: true}
	}
	s.scope.secrets.Add(v)
	return v, nil
}

// file returns the text of a file without the final line end; it counts as a secret.
func (s *source) file(b *Budget) (any, error) {
	if v, ok := b.files[*s]; ok {
		return v, nil
	}
	return s.scope.read(s.name)
}

// maxFile bounds what file() reads.
const maxFile = 1 << 20

// read returns the result of file().
func (s Scope) read(name string) (string, error) {
	if s.secrets.Sealed() {
		return secrets.Stand("file", name), nil
	}
	f, path, err := s.open(name)
	if err == nil {
		defer f.Close()
		var v string
		if v, err = readText(f); err == nil {
			s.secrets.Add(v)
			return v, nil
		}
	}
	return "", fileError(name, path, err)
}

// look returns why a file can't be read, as far as that is known without reading it.
func (s Scope) look(name string) error {
	if s.secrets.Sealed() {
		return nil
	}
	f, path, err := s.open(name)
	if err != nil {
		return fileError(name, path, err)
	}
	return f.Close()
}

func fileError(name, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &functions.Error{Msg: fmt.Sprintf("file(%q): %s: %v", name, path, err), Err: err, Plain: true}
}

// open opens a file by its name, relative to the scope's directory.
func (s Scope) open(name string) (f *os.File, path string, err error) {
	if path = name; !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	if f, err = files.OpenRegular(path); err != nil {
		return nil, path, err
	}
	if info, err := f.Stat(); err == nil && info.Size() > maxFile {
		f.Close()
		return nil, path, errLargeFile
	}
	return f, path, nil
}

var errLargeFile = fmt.Errorf("larger than %d MiB", maxFile>>20)

func readText(f *os.File) (string, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", errLargeFile
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}
