package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The hints that can be followed letter by letter, and what they say to write.
var literalHints = []*regexp.Regexp{
	regexp.MustCompile(`^quote it: (".*")$`),
	regexp.MustCompile(`(?:^|: )write ([^…]+?)(?:, if .*|, in place of.*|; .*|, or .*| in place of.*)?$`),
}

// prose matches what to write in words.
var prose = regexp.MustCompile(`(?i)(^|[ (])(a|an|the|each|it|its|such as|for|tokens|date,|one|any|whole|or|five|days|fewer)( |$)|<<`)

// literalNot are files in which what a hint says to write needs more than one place of the file, or uncovers another fault.
var literalNot = []string{"env", "include-missing", "schema-file-missing", "yaml-no-space-after-colon", "yaml-percent", "yaml-mustache", "yaml-expression-in-brackets"}

// edits are the ways to follow such a hint at a fault: in place of the faulty text, of the whole value, of the word there, or of the key with its value.
func edits(src string, f *Fault, text string) (list []string) {
	start, end := f.Offset, f.Offset+f.Width
	list = append(list, src[:start]+text+src[end:])
	if f.Width == 1 || !strings.ContainsAny(src[start:end], " ") { // a scalar around it
		from, to := start, end
		for from > 0 && !strings.ContainsAny(src[from-1:from], "\n[]{},") && !strings.HasSuffix(src[:from], ": ") && !strings.HasSuffix(src[:from], "- ") {
			from--
		}
		for to < len(src) && !strings.ContainsAny(src[to:to+1], "\n]},") {
			to++
		}
		list = append(list, src[:from]+text+src[to:], followed(src, f, text))
		if quote := src[from : from+1]; quote == `"` || quote == "'" {
			list = append(list, src[:from]+quote+text+quote+src[to:])
		}
		list = append(list, src[:from]+`'`+text+`'`+src[to:])
	}
	// key: value in place of the key and its value
	line := strings.LastIndexByte(src[:start], '\n') + 1
	to := strings.IndexByte(src[start:], '\n')
	if to < 0 {
		to = len(src) - start
	}
	to += start
	first := line + len(src[line:]) - len(strings.TrimLeft(src[line:], " -"))
	list = append(list, src[:first]+text+src[to:])
	key := start
	for key > line && !strings.ContainsAny(src[key-1:key], "{,") {
		key--
	}
	depth, stop := 0, start
	for stop < to {
		if c := src[stop]; strings.IndexByte("[{", c) >= 0 {
			depth++
		} else if strings.IndexByte("]},", c) >= 0 {
			if depth == 0 {
				break
			}
			if c != ',' {
				depth--
			}
		}
		stop++
	}
	return append(list, src[:key]+" "+text+src[stop:], src[:start]+text+src[stop:])
}

// TestLiteralHints follows each hint in testdata/bad that says what to write, in all the ways in which it can be meant: in one of them the fault is
// gone, and no other is there.
func TestLiteralHints(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, path := range paths {
		if slices.Contains(literalNot, strings.TrimSuffix(filepath.Base(path), ".yaml")) {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before := faultsOf(path, string(src))
		for i := range before {
			f := &before[i]
			text := ""
			for _, form := range literalHints {
				if m := form.FindStringSubmatch(f.Hint); m != nil {
					text = m[1]
					break
				}
			}
			if text == "" || f.Line == 0 || f.Offset+f.Width > len(src) || prose.MatchString(text) {
				continue
			}
			tried++
			fresh := func(g Fault) bool {
				return !slices.ContainsFunc(before, func(b Fault) bool { return b.Message == g.Message && b.Message != f.Message })
			}
			var then []Fault
			if !slices.ContainsFunc(edits(string(src), f, text), func(edited string) bool {
				then = faultsOf(path, edited)
				return !slices.ContainsFunc(then, fresh)
			}) {
				t.Errorf("%s\nwritten: %s\nthen %v", f.String(), text, &Errors{Faults: then})
			}
		}
	}
	if tried < 25 {
		t.Errorf("only %d hints were followed", tried)
	}
}
