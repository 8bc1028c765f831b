package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWarnedFiles compares the warnings of each file in testdata/warned with its golden text. Beside it is the file of somebody who has followed the
// hints: it has no warning, and no fault.
func TestWarnedFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/warned/*.yaml")
	if err != nil || len(paths) < 6 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".fixed.yaml") {
			continue
		}
		base := strings.TrimSuffix(path, ".yaml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			c, err := loadFiles(path)
			if err != nil {
				t.Fatal(err)
			}
			got := inPlace(t, (&Errors{Faults: c.Warnings}).Pretty(false))
			if *update {
				if err := os.WriteFile(base+".warn", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".warn")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			cleanly(t, base+".fixed.yaml")
		})
	}
}

// TestFollowedHints loads the files of testdata/followed: each is the file of the same name in testdata/bad, changed as the hints there say.
func TestFollowedHints(t *testing.T) {
	paths, err := filepath.Glob("testdata/followed/*.yaml")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			if _, err := os.Stat(filepath.Join("testdata/bad", filepath.Base(path))); err != nil {
				t.Error(err)
			}
			cleanly(t, path)
		})
	}
}

// cleanly loads a file that has no fault and no warning left.
func cleanly(t *testing.T, path string) {
	t.Helper()
	c, err := loadFiles(path)
	if err != nil {
		t.Fatalf("who follows the hints meets\n%v", err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("who follows the hints is warned of\n%s", (&Errors{Faults: c.Warnings}).Pretty(false))
	}
}

// inPlace keeps the place of the tests out of the golden texts.
func inPlace(t *testing.T, text string) string {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, dir, "DIR")
}

// TestNoFalseAlarms: the files that people are given, and those that other tests and importers make, have none of the warnings about texts, programs,
// schedules and statements.
func TestNoFalseAlarms(t *testing.T) {
	n := 0
	for _, pattern := range []string{"../../config.example.yaml", "../starter/*.yaml", "../crontab/testdata/*.yaml", "../testdata/*/*.yaml", "../../.github/docs/recipes/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			c, err := loadFiles(path)
			if err != nil {
				continue // a part of a file, or one that says who may write it
			}
			n++
			for _, w := range c.Warnings {
				if !ofTypes.MatchString(w.Message) && !strings.HasPrefix(w.Message, "there is no ") { // of the machine that it is for
					t.Error(w.String())
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d files were read", n)
	}
}

// ofTypes matches the warnings about types and handlers, which such files may have on purpose.
var ofTypes = regexp.MustCompile(`no handler is wired|no known type matches|has no timeout|without an end|may hold the store|sends to where the event says`)
