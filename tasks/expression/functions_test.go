package expression

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/builtin"
)

func TestTheTableHasEachFunction(t *testing.T) {
	var described []string
	for _, f := range Functions() {
		described = append(described, f.Name)
	}
	for _, name := range builtin.Names {
		if !slices.Contains(described, name) {
			t.Errorf("%s() is not described", name)
		}
	}
	for name := range public {
		if !slices.Contains(described, name) {
			t.Errorf("%s() is not described", name)
		}
	}
	for i, name := range described {
		if _, known := builtin.Index[name]; !known && !public[name] {
			t.Errorf("%s() is described, and does not exist", name)
		}
		if slices.Contains(described[:i], name) {
			t.Errorf("%s() is described twice", name)
		}
	}
}

func TestTheExamplesOfFunctionsGiveTheirResults(t *testing.T) {
	t.Setenv("API_TOKEN", "t0ken-of-the-api")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "greeting.txt"), []byte("Hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range Functions() {
		if !strings.Contains(f.Example, f.Name+"(") {
			t.Errorf("%s: the example %s doesn't call it", f.Name, f.Example)
		}
		for _, signature := range f.Signatures {
			if !strings.HasPrefix(signature, f.Name+"(") {
				t.Errorf("%s: the signature %s is of another", f.Name, signature)
			}
		}
		if f.Group == "" || len(f.Signatures) == 0 || !strings.HasSuffix(f.Doc, ".") || strings.Contains(f.Doc, ". ") {
			t.Errorf("%s: a group, signatures and one sentence are needed: %+v", f.Name, f)
		}
		scope, env := HandlerWith.In(dir, nil), adaEnv()
		env.In("42-save-user-k3f9x2q7", "save-user", 1)
		if f.Group == "Requests to hooks" {
			scope, env = HookRequest, NewRequestEnv(&Request{Header: http.Header{"X-Github-Event": {"push"}}})
		}
		x, err := CompileTemplate("${ "+f.Example+" }", scope)
		if err != nil {
			t.Errorf("%s: %v", f.Example, err)
			continue
		}
		if got, err := x.Text(env); err != nil || got != f.Result {
			t.Errorf("%s = %s, %v; the table says %s", f.Example, got, err, f.Result)
		}
	}
}

// The order of a Go map must not be seen.
func TestMapsAreListedInTheOrderOfTheirKeys(t *testing.T) {
	for src, want := range map[string]string{
		`${ keys({"c": 1, "a": 2, "b": 3}) }`:                              `["a","b","c"]`,
		`${ values({"c": 1, "a": 2, "b": 3}) }`:                            `[2,3,1]`,
		`${ toPairs({"c": 1, "a": 2, "b": 3}) }`:                           `[["a",2],["b",3],["c",1]]`,
		`${ keys(groupBy([3, 1, 2, 1], #)) }`:                              `[1,2,3]`,
		`${ values(groupBy([3, 1, 2, 1], #)) }`:                            `[[1,1],[2],[3]]`,
		`${ fromPairs(toPairs({"c": 1, "a": 2})) }`:                        `{"a":2,"c":1}`,
		`${ keys(fromPairs([[2, "x"], [1, "y"]])) }`:                       `["1","2"]`,
		`${ join(map(toPairs(data.user), #[0] + "=" + #[1]), "&") }`:       `first name=A`,
		`${ sum(map(toPairs({"c": 1, "a": 2}), #[1])) + len(keys(data)) }`: `15`,
	} {
		x, err := CompileTemplate(src, HandlerWhen)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for range 20 {
			env := adaEnv()
			env.In("42-save-user-k3f9x2q7", "save-user", 1)
			if got, err := x.Text(env); err != nil || got != want {
				t.Fatalf("%s = %s, %v; want %s", src, got, err, want)
			}
		}
	}
	for _, src := range []string{`keys(data.name)`, `values(nil)`, `toPairs(data.tags)`, `fromPairs(data.tags)`, `fromPairs([[[1], 2], [nil, 1]])`} {
		x, err := Compile(src, HandlerWhen)
		if err == nil {
			_, err = x.Eval(adaEnv())
		}
		if err == nil {
			t.Errorf("%s: no error", src)
		}
	}
}
