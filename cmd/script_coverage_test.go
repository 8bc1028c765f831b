package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"evrun/cmd"
)

// scripted is what the scripts do with each command, as patterns for lines of theirs; NAME is the command's name.
var scripted = map[string]string{
	"right use":   `(exec|eventually \S+|exits [014]|sh -c) .*\bevrun\b.* NAME\b`,
	"wrong use":   `exits 2 .*\bevrun\b.* NAME\b`,
	"use in JSON": `\bevrun\b.* NAME\b.* -o json`,
}

// unscripted are the commands for which a use makes no sense.
var unscripted = map[string]string{
	"completion": "use in JSON", // it prints a script
	"serve":      "use in JSON",
}

// Every command has scripts for its right and its wrong use, and for its JSON. [TestTheSurfaceOfEveryCommand] has what all commands have in common.
func TestEveryCommandHasScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, name := range cmd.Commands() {
		for use, pattern := range scripted {
			pattern = "(?m)^[^#\n]*" + strings.ReplaceAll(pattern, "NAME", regexp.QuoteMeta(name))
			if !regexp.MustCompile(pattern).MatchString(all.String()) && unscripted[name] != use {
				t.Errorf("no script has %s of %s", use, name)
			}
		}
	}
}
