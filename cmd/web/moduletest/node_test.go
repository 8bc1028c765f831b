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
	if text, err := exec.CommandContext(t.Context(), "node", append([]string{"--test", "--test-timeout=60000"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, text)
	}
}
