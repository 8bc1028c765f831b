package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// comparison are the columns of .github/docs/comparison.md, each a directory beside it.
var comparison = []string{"before", "after", "dagu", "supercronic", "home-assistant"}

// TestComparison: the wiring files of .github/docs/comparison are valid and formatted, those of the old language, too. The table of
// .github/docs/comparison.md has the lines and words of all files; -update writes it anew.
func TestComparison(t *testing.T) {
	t.Parallel()
	base, err := filepath.Abs("../.github/docs/comparison")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]map[string]size{} // by job and column
	for _, column := range comparison {
		paths, err := filepath.Glob(filepath.Join(base, column, "*"))
		if err != nil || len(paths) == 0 {
			t.Fatal(column, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(path)
			job := strings.TrimSuffix(name, filepath.Ext(name))
			if sizes[job] == nil {
				sizes[job] = map[string]size{}
			}
			for _, row := range []string{job, "all ten"} {
				if sizes[row] == nil {
					sizes[row] = map[string]size{}
				}
				s := sizes[row][column]
				sizes[row][column] = size{s.lines + bytes.Count(text, []byte("\n")), s.words + len(bytes.Fields(text))}
			}
			if filepath.Ext(name) != ".yaml" || column != "before" && column != "after" {
				continue
			}
			for _, args := range [][]string{{"validate", path}, {"fmt", "--check", path}} {
				if code, stdout, stderr := ended(t, t.TempDir(), nil, args...); code != 0 {
					t.Errorf("evrun %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
				}
			}
		}
	}
	jobs := []string{"all ten"}
	for job := range sizes {
		if job != "all ten" {
			jobs = append(jobs, job)
		}
	}
	table := comparisonTable(jobs, sizes)
	page := base + ".md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- the table -->\n", "<!-- its end -->\n"
	head, rest, ok := strings.Cut(string(text), begin)
	old, tail, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Fatal("comparison.md has no place for the table")
	case *update:
		if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table:
		t.Errorf("the table of comparison.md has other counts; go test ./cmd -run TestComparison -update writes\n%s", table)
	}
	if before, after := sizes["all ten"]["before"], sizes["all ten"]["after"]; after.lines >= before.lines || after.words >= before.words {
		t.Errorf("%v became %v", before, after)
	}
}

// size are the lines and the words of files, as wc counts them.
type size struct{ lines, words int }

// comparisonTable has a row for each job, and one for all.
func comparisonTable(jobs []string, sizes map[string]map[string]size) string {
	slices.Sort(jobs) // they begin with numbers
	var b strings.Builder
	b.WriteString("| job | before | after | fewer | dagu | supercronic | Home Assistant |\n|---|---|---|---|---|---|---|\n")
	for _, job := range jobs {
		before, after := sizes[job]["before"], sizes[job]["after"]
		fmt.Fprintf(&b, "| %s", job)
		for _, column := range comparison {
			cell := "—"
			if s, ok := sizes[job][column]; ok {
				cell = fmt.Sprintf("%d / %d", s.lines, s.words)
			}
			if fmt.Fprintf(&b, " | %s", cell); column == "after" {
				fmt.Fprintf(&b, " | %d %% / %d %%", 100*(before.lines-after.lines)/before.lines, 100*(before.words-after.words)/before.words)
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
