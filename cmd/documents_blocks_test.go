package cmd_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the pages of this repository that people read.
func documents(t *testing.T) (files []string) {
	for _, pattern := range []string{"../README.md", "../.github/*.md", "../.github/docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// passage is a line of a document, or one of its blocks of code.
type passage struct {
	line  int    // where it begins, from 1
	text  string // with its line ends; of a block without the fences
	block bool

	lang, name string // of a block: "yaml" and "evrun.yaml" of ```yaml evrun.yaml
	open, end  string // of a block: its fences, with their line ends
}

var fence = regexp.MustCompile("^( *)```([a-z]*) ?([^ `]*)$")

// passages splits a document.
func passages(t *testing.T, text string) (list []passage) {
	t.Helper()
	n, inside := 0, passage{}
	for line := range strings.Lines(text) {
		n++
		m := fence.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case inside.block && m == nil:
			inside.text += line
		case inside.block:
			inside.end = line
			list = append(list, inside)
			inside = passage{}
		case m != nil:
			inside = passage{line: n, block: true, lang: m[2], name: m[3], open: line}
		default:
			list = append(list, passage{line: n, text: line})
		}
	}
	if inside.block {
		t.Fatalf("the block from line %d on has no end", inside.line)
	}
	return list
}

// writeBlock writes a block that is a file of this name. One that begins with #! can be run.
func writeBlock(t *testing.T, dir, name, text string) {
	t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}
