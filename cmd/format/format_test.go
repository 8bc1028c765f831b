package format_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config/yaml"
	"evrun/cmd/format"
)

// Each file of testdata is formatted as the .want file beside it says.
func TestText(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		src, want := read(t, path), read(t, strings.TrimSuffix(path, ".yaml")+".want")
		got, err := format.Text(src)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if got != want {
			t.Errorf("%s is formatted as\n%s", path, got)
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The line ends of a file stay, as its first line has them. A byte order mark goes.
func TestLineEnds(t *testing.T) {
	for src, want := range map[string]string{
		"a:   b\r\nc: |\r\n   d\r\n\r\n   e\r\n": "a: b\r\nc: |\r\n  d\r\n\r\n  e\r\n",
		"a:   b\r\nc: d\n":                       "a: b\r\nc: d\r\n",
		"a:   b\nc: d\r\n":                       "a: b\nc: d\n",
		"\ufeffa:   b\r\n":                       "a: b\r\n",
		"a:   b":                                 "a: b\n",
		"a: |\n   no line end":                   "a: |\n  no line end", // one more byte would be a part of the text
		"":                                       "",
		"\n\n":                                   "",
		"\n# alone":                              "# alone\n",
	} {
		got, err := format.Text(src)
		if err != nil || got != want {
			t.Errorf("%q is formatted as %q, %v", src, got, err)
		}
	}
}

// The wiring files that people begin with and read are formatted.
func TestTheExamplesAreFormatted(t *testing.T) {
	paths := []string{"../../config.example.yaml", "../../.release/evrun.yaml"}
	for _, pattern := range []string{"../starter/*.yaml", "../../.github/docs/*/*.yaml", "../../.github/docs/*/*/*.yaml"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, more...)
	}
	if len(paths) < 6 {
		t.Fatal(paths)
	}
	for _, path := range paths {
		if src := read(t, path); src != "" {
			if got, err := format.Text(src); got != src || err != nil {
				t.Errorf("%s is not formatted (%v): evrun fmt %[1]s", path, err)
			}
		}
	}
}

// texts are all YAML files of the repository.
func texts(t testing.TB) (list []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			list = append(list, read(t, path))
		}
		return nil
	})
	if err != nil || len(list) < 200 {
		t.Fatal(len(list), err)
	}
	return list
}

// nasty are texts that a formatter can spoil.
var nasty = []string{
	"a: |\n  one\n   two\n     \n\n  three\n\n\nb: c\n",
	"a: |-\n  one\nb: |+\n  two\n\n\nc: >\n  x\n  y\n\n  z\n   more\n  w\n",
	"a:\n - b: |2\n      lead\n     x\n   c: |\n    y # no comment\n",
	"a: |+\n\n\n", "a: |+\n\n\nb: >\n", "a: |+\n  x\n ", "a: |\n  x\n     ", "a: >1\n  x",
	"a: one\n  two\n\n\n  three\nb: c # d\n",
	"a: \"one  \n   two\\\n   three\\ \n\n\n  four\"\n", "a: 'one\n\n\n\n       two' # three\n",
	"a: [\n  b, # one\n\n\n     # two\n  c,\n]\n", "a: [{\n b: c}, {d: e\n  },\n f]\n", "a: { b : c , \"d\":e, 'f' : [ ], g: , h }\n",
	"a: [b\n  c\n\n\n  d, e]\n", "a: {b: c\n  d\n\n  , e: f\n  }\n", "{a: b,\n\"c\": [\n1,2 ] }\n",
	"a: &x {b: c}\nd: *x\ne: {<<: *x, f: [*x , *x]}\n*x : y\n", "- &a a\n- *a\n", "a: &x\n    b: c\nd: &y\n - e\nf:\n  &z\n  g: h\n&k k: l\n",
	"? a\n: b\n? c\n:\n  - d\n", "- - - a\n    - b\n-\n    c: d\n-   e: f\n    g: h\n",
	"a:\n- b\n# of the list\n- c\n# of the next\nd: e\n# end\n", "a:\n      # first\n  - b\n         # deep\n # odd\n  - c\n    # tail\n",
	"a: b     # one\n         # more\n\n         # another\nc: d e f g h i j k # two\nl:       # three\n   m: n  # four\n",
	"---\na: b\n...\n# end\n", "--- # c\n- a\n", "--- [a,\nb]\n", "a: http://x.y/z#f # c\nb: -1\nc: ?x\nd: :y\n-e: f\n", "é: ü # ß\nüü:   [ß , ä] # é\n",
	"a:\tb\t# c\nd: [e,\t\tf]\t\n", "a: \"x\"\n\n\n\n\n# c\n\n\nb: y   \n\n\n", "a: [a,b,]\nb: {c: d,}\n", "a: *x\n", "a: {? b : c}\n", "a: {&x : b}\n", "a: [?b, ? c]\n", "a: [b\"\n  \"c, \"d\"]\n", "{::}\n", "a: {0: :0, b: ::, :c: d, \"e\" :f}\n", "a:\n  b:\n        c:\n # d\n              # e\nf:\n    # g\n",
	"\n", "#", "# a\n\n\n# b\n  # c", "a: 'x'# c\n", "a: [b]# c\n",
}

func FuzzText(f *testing.F) {
	for _, text := range append(texts(f), nasty...) {
		f.Add(text)
		f.Add(strings.ReplaceAll(text, "\n", "\r\n"))
	}
	f.Fuzz(func(t *testing.T, src string) {
		if _, faults := yaml.Parse(yaml.NewText(strings.TrimPrefix(src, "\ufeff"))); len(faults) > 0 {
			return
		}
		once, err := format.Text(src)
		if err != nil {
			t.Fatalf("%v: %q", err, src)
		}
		twice, err := format.Text(once)
		if err != nil || once != twice {
			t.Errorf("%q is formatted as\n%q, and then, %v, as\n%q", src, once, err, twice)
		}
	})
}
