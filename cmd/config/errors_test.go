package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/drivers"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"
)

// TestBadFiles compares the faults of each file in testdata/bad with its golden text.
func TestBadFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			_, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
			var e *Errors
			if !errors.As(err, &e) {
				t.Fatalf("want *Errors, got %v", err)
			}
			got := withoutKinds.Replace(e.Pretty(false))
			golden := strings.TrimSuffix(path, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			for i := range e.Faults {
				if i > 0 && e.Faults[i].File == e.Faults[i-1].File && (e.Faults[i].Line < e.Faults[i-1].Line || e.Faults[i].Line == e.Faults[i-1].Line && e.Faults[i].Column < e.Faults[i-1].Column) {
					t.Errorf("fault %d stands before the one above it", i)
				}
			}
		})
	}
}

// withoutKinds keeps the list of kinds out of the golden texts, so that a new kind changes none of them.
var withoutKinds = strings.NewReplacer(fault.And(handlers.Names()), "(the kinds)", fault.Or(handlers.Names()), "(a kind)", fault.And(handlers.StubbedNames()), "(the outside kinds)")

func TestTenFaultsAreToldAtOnce(t *testing.T) {
	_, err := Load("testdata/bad/mixed-ten-places.yaml", Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if f := faults(t, err); len(f) != 10 {
		t.Errorf("%d faults:\n%v", len(f), err)
	}
}

func TestErrorIsOneLineAFault(t *testing.T) {
	_, err := Load(write(t, "sotre: a.db\nlgo: {}\n"), Options{Getenv: noEnv, Parsers: drivers.Parsers})
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], `evrun.yaml:1:1: unknown key "sotre" in the wiring file (did you mean "store"?)`) {
		t.Errorf("%q", lines)
	}
}

func TestColorsOnlyWhereWanted(t *testing.T) {
	_, err := Load("testdata/bad/file-control.yaml", Options{Getenv: noEnv, Parsers: drivers.Parsers})
	var e *Errors
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if s := e.Pretty(false); strings.Contains(s, "\x1b") {
		t.Errorf("an escape sequence of the file's own, or a color, in %q", s)
	}
	if s := e.Pretty(true); !strings.Contains(s, "\x1b[1;31m") || strings.Contains(s, "\x1b[31m.db") {
		t.Errorf("no color, or the file's own, in %q", s)
	}
}
