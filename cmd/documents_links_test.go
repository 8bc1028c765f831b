package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Links between documents lead to files and headings that exist.
func TestDocumentsLinkToWhatExists(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../README.md", "../.github/*.md", "../.github/docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		shown := false
		for i, line := range strings.Split(string(text), "\n") {
			if fence.MatchString(line) {
				shown = !shown
			}
			if shown {
				continue
			}
			for _, m := range documentLink.FindAllStringSubmatch(span.ReplaceAllString(line, "code"), -1) {
				n++
				path, heading, _ := strings.Cut(m[1], "#")
				target := file
				if path != "" {
					target = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
				}
				if wrong := noSuchPlace(target, heading); wrong != "" {
					t.Errorf("%s:%d: %s: %s", file, i+1, m[1], wrong)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("there are %d links", n)
	}
}

var documentLink = regexp.MustCompile(`\]\(([^)\s:]+)\)`)

// noSuchPlace says what is missing of a file and a heading in it; empty: nothing.
func noSuchPlace(file, heading string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		if _, statErr := os.Stat(file); statErr == nil && heading == "" {
			return "" // a directory
		}
		return err.Error()
	}
	if heading == "" {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") && headingAddress(title) == heading {
			return ""
		}
	}
	return "no such heading"
}

// headingAddress is the address of a heading within a page, as GitHub makes it.
func headingAddress(heading string) string {
	kept := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
	return strings.ReplaceAll(kept, " ", "-")
}
