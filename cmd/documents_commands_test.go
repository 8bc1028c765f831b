package cmd_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"evrun/cmd"
	"evrun/cmd/config"
	"evrun/cmd/drivers"
	"evrun/cmd/reference"
)

// TestDocumentsNameCommandsThatExist looks at the commands that documents name without their output: those of evrun must exist, with their flags, and a
// "go test" must have something to run.
func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	n := 0
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		check := func(line int, command string) {
			n++
			if wrong := wrongCommand(command); wrong != "" {
				t.Errorf("%s:%d: %s: %s", file, line, command, wrong)
			}
		}
		for _, p := range passages(t, string(text)) {
			switch {
			case p.lang == "sh":
				for i, command := range strings.Split(strings.TrimSuffix(p.text, "\n"), "\n") {
					check(p.line+1+i, command)
				}
			case !p.block:
				for _, m := range span.FindAllStringSubmatch(p.text, -1) {
					check(p.line, m[1])
				}
			}
		}
	}
	if n == 0 {
		t.Error("no document names a command")
	}
}

var span = regexp.MustCompile("`([^`]+)`")

// wrongCommand says what is wrong with a command in a document; empty: nothing, or it is none of ours.
func wrongCommand(command string) string {
	command, _, _ = strings.Cut(command, " # ")
	for part := range strings.SplitSeq(command, "&&") {
		words := wordsOf(part)
		for len(words) > 0 && strings.Contains(words[0], "=") { // a variable
			words = words[1:]
		}
		if len(words) < 2 {
			continue
		}
		var err error
		switch {
		case words[1] == "COMMAND": // any
		case words[0] == "evrun" || words[0] == "./evrun":
			err = cmd.Understands(placeless(words[1:]))
		case words[0] == "go" && words[1] == "run" && len(words) > 3 && words[2] == ".":
			err = cmd.Understands(placeless(words[3:]))
		case words[0] == "go" && words[1] == "test":
			err = wrongTest(words[2:])
		}
		if err != nil && !strings.HasPrefix(err.Error(), "flag needs an argument") { // a flag may be named without one
			return err.Error()
		}
	}
	return ""
}

// placeless leaves out the marks of words that a reader chooses or leaves out, up to the end of the command: [--keep N], FILE|DIR, ….
func placeless(words []string) []string {
	var kept []string
	for _, word := range words {
		if word == "|" || word == ">" || word == "<" || word == "…" {
			break
		}
		if word = strings.Trim(word, "[]…"); word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

// wordsOf splits a command as a shell does, without its variables.
func wordsOf(command string) (words []string) {
	for _, m := range shellWord.FindAllString(command, -1) {
		words = append(words, strings.NewReplacer(`'`, "", `"`, "").Replace(m))
	}
	return words
}

var shellWord = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// wrongTest looks for what a "go test" would run.
func wrongTest(args []string) error {
	flags := flag.NewFlagSet("go test", flag.ContinueOnError)
	run, bench := flags.String("run", "", ""), flags.String("bench", "", "")
	for _, name := range []string{"benchtime", "timeout", "count", "fuzz", "fuzztime"} {
		flags.String(name, "", "")
	}
	for _, name := range []string{"v", "race", "benchmem", "update", "short"} {
		flags.Bool(name, false, "")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	for i := 1; i < flags.NArg(); i++ { // flags after the package are the tests' own, as -update
		if strings.HasPrefix(flags.Arg(i), "-") && flags.Lookup(strings.TrimLeft(flags.Arg(i), "-")) == nil {
			return fmt.Errorf("no flag %s", flags.Arg(i))
		}
	}
	dir := flags.Arg(0)
	if strings.Contains(dir, "...") || dir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text.Write(source)
	}
	for prefix, pattern := range map[string]string{"Test": *run, "Benchmark": *bench} {
		if pattern == "" || pattern == "-" || pattern == "^$" {
			continue
		}
		first, _, _ := strings.Cut(pattern, "/")
		named, err := regexp.Compile(first)
		if err != nil {
			return err
		}
		found := false
		for _, m := range regexp.MustCompile(`(?m)^func (`+prefix+`\w*)\(`).FindAllStringSubmatch(text.String(), -1) {
			found = found || named.MatchString(m[1])
		}
		if !found {
			return fmt.Errorf("nothing in %s is named %s", dir, pattern)
		}
	}
	return nil
}

// The entries in the README's first table are schedules and handlers that can be used as they are.
func TestTheFirstTableHasWorkingEntries(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| You want | Write this | under |")
	table, _, end := strings.Cut(table, "\n\n")
	if !ok || !end {
		t.Fatal("no such table")
	}
	lists := map[string]string{"schedules:": "schedules:\n", "handlers:": "handlers:\n"}
	n := 0
	for line := range strings.Lines(table) {
		if m := span.FindAllStringSubmatch(line, -1); len(m) == 2 {
			lists[m[1][1]] += "  - " + m[0][1] + "\n"
			n++
		}
	}
	file := filepath.Join(t.TempDir(), "evrun.yaml")
	if err := os.WriteFile(file, []byte(lists["schedules:"]+lists["handlers:"]), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, config.Options{Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	jobs := strings.Count(lists["schedules:"], " do: ")
	if got := len(cfg.Wiring.Schedules) + len(cfg.Wiring.Handlers) - jobs; got != n || n < 8 {
		t.Errorf("%d of %d entries", got, n)
	}
}

// TestDocumentsLinkToWhatExists follows the links of documents to files of this repository, and to headings in them.
func TestDocumentsLinkToWhatExists(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inlineLink.FindAllStringSubmatch(string(text), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := file
			if target != "" {
				path = filepath.Join(filepath.Dir(file), target)
			}
			linked, err := os.ReadFile(path)
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() && heading == "" {
				continue
			}
			if err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
				continue
			}
			if heading != "" && !headings(string(linked))["#"+heading] {
				t.Errorf("%s links to %s, and %s has no such heading", file, m[1], path)
			}
		}
	}
}

var inlineLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// headings are the addresses of a document's headings.
func headings(text string) map[string]bool {
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchors[reference.Anchor(m[1])] = true
	}
	return anchors
}

// A wrong command in a document is found.
func TestWrongCommandsAreFound(t *testing.T) {
	for command, right := range map[string]bool{
		"evrun runs list --state dead":           true,
		"evrun runs lists":                       false,
		"evrun runs list --stat dead":            false,
		"evrun emit TYPE [--wait=30s]":           true,
		"evrun frobnicate":                       false,
		"./evrun serve -c x.yaml":                true,
		"go run . serve -c config.example.yaml":  true,
		"go run . serv -c config.example.yaml":   false,
		"go test ./...":                          true,
		"go test -run TestGuarantees -v ./cmd":   true,
		"go test -run TestGarantees -v ./cmd":    false,
		"go test -run - -bench 'Bulk$/' ./tasks": true,
		"go test -run - -bench 'Bluk$/' ./tasks": false,
		"X=1 evrun runs lists":                   false,
		"curl http://evrun":                      true,
	} {
		if wrong := wrongCommand(command); (wrong == "") != right {
			t.Errorf("%s: %q", command, wrong)
		}
	}
}
