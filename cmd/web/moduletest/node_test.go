// Package moduletest tests the dashboard's JavaScript modules, as far as they need no browser: each NAME.test.mjs here, with the test runner of Node.js.
package moduletest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestModules needs Node.js 20 or later. Without it the test is skipped, unless EVRUN_REQUIRE names node.
func TestModules(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVRUN_REQUIRE"), ","), "node") {
			t.Fatal(err)
		}
		t.Skip("NOT PROVEN HERE, for want of node: ", err)
	}
	files, err := filepath.Glob("*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("tests of modules: %q, %v", files, err)
	}
	modules, err := filepath.Glob("../static/lib/*.js")
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules: %q, %v", modules, err)
	}
	for _, name := range modules { // what a test has read is part of what it depends on: go test does not know what node reads
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-timeout=60000"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, text)
	}
}
