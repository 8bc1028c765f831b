// Types checks that evrun and its tests compile for another system, by GOOS and GOARCH: it reads the types of all packages from their source, which takes
// seconds where go vet has to compile SQLite for that system first, for minutes.
package main

import (
	"fmt"
	"os"

	"golang.org/x/tools/go/packages"
)

func main() {
	list, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo,
		Tests: true,
		Env:   append(os.Environ(), "CGO_ENABLED=0"),
	}, "./...")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	seen := map[string]bool{}
	for _, p := range list {
		for _, e := range p.Errors {
			if text := e.Error(); !seen[text] {
				seen[text] = true
				fmt.Fprintln(os.Stderr, text)
			}
		}
	}
	if len(seen) > 0 {
		os.Exit(1)
	}
}
