package starter

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/config"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// Each key of a wiring file and each input of a kind occurs in the full example, if only in a comment.
func TestTheFullExampleHasEachKey(t *testing.T) {
	text, err := files.ReadFile("full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	has := func(where, text, path, name string) {
		if !regexp.MustCompile(`(?m)(^|[\s{("])` + regexp.QuoteMeta(name) + `\b`).MatchString(text) {
			t.Errorf("%s has no %s%s", where, path, name)
		}
	}
	var all func(where, text, path string, list []fields.Field)
	all = func(where, text, path string, list []fields.Field) {
		for _, f := range list {
			has(where, text, path, f.Name)
			all(where, text, path+f.Name+".", f.Fields)
		}
	}
	all("full.yaml", string(text), "", config.Keys())
	for _, k := range handlers.Kinds() {
		with := "" // of all handlers of this kind
		for _, h := range regexp.MustCompile(`(?m)^  (# )?- name:`).Split(string(text), -1) {
			if strings.Contains(h, "do: "+k.Name+"\n") || strings.Contains(h, "do: "+k.Name+" ") {
				with += h
			}
		}
		all("do: "+k.Name, with, "", k.Inputs)
	}
}

// The keys that are left out of the demo are for later: it is what a newcomer reads first.
func TestTheDemoIsShort(t *testing.T) {
	text, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 80 {
		t.Errorf("config.example.yaml has %d lines", n)
	}
	if names := Names(); !slices.Contains(names, "demo") || !slices.Contains(names, "full") {
		t.Errorf("the examples are %v", names)
	}
}
