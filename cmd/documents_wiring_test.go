package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config"
	"evrun/cmd/drivers"
)

// Each block of `yaml` in .github/docs is a wiring file, and has neither errors nor warnings. A block that is a named file of its document is tried with
// the others of the document. What another tool reads is in blocks of another language, such as `text`.
func TestDocumentsHaveValidWiring(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range passages(t, string(text)) {
			if p.lang == "yaml" && p.name == "" {
				n++
				wiringIsValid(t, file, p.line, p.text)
			}
		}
	}
	if n < 10 {
		t.Errorf("there are %d blocks", n)
	}
}

// wiringIsValid loads a block, beside the programs that it names.
func wiringIsValid(t *testing.T, file string, line int, text string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "evrun.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, config.Options{Getenv: func(string) string { return "" }, Parsers: drivers.Parsers})
	if err != nil {
		t.Errorf("%s:%d: %v", file, line, err)
		return
	}
	for _, w := range c.Warnings {
		if !strings.Contains(w.Message, "there is no program") { // a script that the reader has
			t.Errorf("%s:%d: a warning: %s", file, line, w.String())
		}
	}
}
