package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// hollow imports every package as an empty package: only the names of this package matter here.
type hollow struct{}

func (hollow) Import(p string) (*types.Package, error) {
	pkg := types.NewPackage(p, path.Base(p))
	pkg.MarkComplete()
	return pkg, nil
}

// No command depends on another: the files of a command (runs.go, runs_logs.go) only use their own names, and those of other packages. Only root.go
// knows the commands.
func TestNoCommandUsesAnotherOnesFile(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: hollow{}, Error: func(error) {}} // errors about names of other packages are expected
	pkg, _ := config.Check("cmd", fset, files, info)
	arrows := map[string]bool{}
	for ident, used := range info.Uses {
		from, to := fset.Position(ident.Pos()).Filename, fset.Position(used.Pos()).Filename
		if used.Pkg() != pkg || to == "" || from == to || from == "root.go" {
			continue
		}
		command, _, _ := strings.Cut(strings.TrimSuffix(from, ".go"), "_")
		other, _, _ := strings.Cut(strings.TrimSuffix(to, ".go"), "_")
		if command != other {
			arrows[from+" uses "+used.Name()+" of "+to] = true
		}
	}
	for arrow := range arrows {
		t.Error(arrow)
	}
	if len(info.Uses) < 1000 {
		t.Errorf("only %d uses of names were found: the test sees nothing", len(info.Uses))
	}
}
