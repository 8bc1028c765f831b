package cmd_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"evrun/cmd/reference"
)

// provenElsewhere are the recipes that evrun test can't test: by their titles, the scripts that do.
var provenElsewhere = map[string]string{"When the machine starts": "testdata/script/started.txt"}

// TestRecipes runs each recipe of .github/docs/recipes.md: its files are valid, without a warning, and formatted, and it has tests, which pass.
func TestRecipes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.github/docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	introduction, rest, _ := strings.Cut(string(text), "\n## ")
	for recipe := range strings.SplitSeq(rest, "\n## ") {
		title, _, _ := strings.Cut(recipe, "\n")
		if anchor := reference.Anchor(title); !strings.Contains(introduction, "("+anchor+")") {
			t.Errorf("the table has no line for %s (%s)", title, anchor)
		}
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			dir, tests := t.TempDir(), false
			var wiring []string
			for name, text := range namedBlocks(t, recipe) {
				writeBlock(t, dir, name, text)
				if strings.HasSuffix(name, ".yaml") {
					wiring, tests = append(wiring, name), tests || strings.Contains(text, "\ntests:")
				}
			}
			steps := [][]string{{"validate", "--strict"}, append([]string{"fmt", "--diff", "--check"}, wiring...), {"test"}}
			if script, ok := provenElsewhere[title]; ok {
				steps = steps[:2]
				if _, err := os.Stat(script); err != nil || tests {
					t.Error(script, err)
				}
			} else if !tests {
				t.Error("it has no tests")
			}
			for _, args := range steps {
				c := exec.Command(link(t, dir), args...)
				c.Dir, c.Env = dir, append(os.Environ(), "NTFY_TOPIC=none", "SMTP_PASSWORD=none", "CRM_TOKEN=none", "SHOP_SECRET=none")
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("evrun %s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}

// namedBlocks returns the blocks of a document, which are files, as ```yaml evrun.yaml is.
func namedBlocks(t *testing.T, text string) map[string]string {
	t.Helper()
	blocks := map[string]string{}
	for _, p := range passages(t, text) {
		if !p.block {
			continue
		}
		if _, twice := blocks[p.name]; twice || p.name == "" {
			t.Errorf("a block of %s is without a name, or there are two: %q", p.lang, p.name)
		}
		blocks[p.name] = p.text
	}
	return blocks
}
