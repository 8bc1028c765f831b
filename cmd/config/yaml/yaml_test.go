package yaml

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	reference "go.yaml.in/yaml/v3"
)

// dump writes a tree with all that the reference can confirm: kinds, texts, lines and columns.
func dump(b *strings.Builder, src []byte, n *Node) {
	line := 1 + bytes.Count(src[:n.Start], []byte{'\n'})
	col := 1 + utf8.RuneCount(src[bytes.LastIndexByte(src[:n.Start], '\n')+1:n.Start])
	switch n.Kind {
	case Scalar:
		if n.Start == n.End && n.Value == "" {
			b.WriteString("null ") // the reference puts what isn't there elsewhere
			return
		}
		fmt.Fprintf(b, "%d:%d %q ", line, col, n.Value)
	case Mapping:
		fmt.Fprintf(b, "%d:%d { ", line, col)
	case Sequence:
		fmt.Fprintf(b, "%d:%d [ ", line, col)
	}
	for _, c := range n.Content {
		dump(b, src, c)
	}
	if n.Kind != Scalar {
		b.WriteString("] ")
	}
}

func dumpReference(b *strings.Builder, n *reference.Node) {
	switch n.Kind {
	case reference.ScalarNode:
		if n.Value == "" && n.Style == 0 {
			b.WriteString("null ")
			return
		}
		fmt.Fprintf(b, "%d:%d %q ", n.Line, n.Column, n.Value)
	case reference.MappingNode:
		fmt.Fprintf(b, "%d:%d { ", n.Line, n.Column)
	case reference.SequenceNode:
		fmt.Fprintf(b, "%d:%d [ ", n.Line, n.Column)
	case reference.DocumentNode:
		for _, c := range n.Content {
			dumpReference(b, c)
		}
		return
	case reference.AliasNode:
		b.WriteString("alias ")
	}
	for _, c := range n.Content {
		dumpReference(b, c)
	}
	if n.Kind != reference.ScalarNode {
		b.WriteString("] ")
	}
}

var same = []string{
	"a: 1\nb: two words\n",
	"a:\n  b:\n    c: d\n  e: f\n",
	"a:\n- b\n- c: d\n  e: f\ng: h\n",
	"a:\n  - b\n  - - c\n    - d\n  -\n    e: f\n",
	"a: [b, 'c d', \"e\", {f: g, \"h\":i}, [], {}]\n",
	"a: [\n  b, # one\n  c,\n]\nd: e\n",
	"a: {\n  b: c,\n\n  d: e\n}\n",
	"a: one\n  two\n\n  three\nb: c\n",
	"a: 'it''s'\nb: \"tab\\t \\x41\\u00e9\\U0001F600 end\"\n",
	"a: \"one  \n  two\\\n  three\n\n  four\"\n",
	"a: 'one\n  two\n\n\n  three'\n",
	"a: |\n  one\n   two\n\n  three\n\n\nb: c\n",
	"a: |-\n  one\nb: |+\n  two\n\nc: >\n  x\n  y\n\n  z\n   more\n  w\n",
	"a: >-\n\n  x\n  y\n\n\nb: |2\n   lead\n  x\n",
	"- |\n x\n- >+\n y\n\n- z",
	"a: |\n  no line end",
	"a: |\n  x\n ",
	"a: |\n\n\n", "a: |+\n\n\n ", "a: |+\n  x\n ",
	"a: |+\n\n\nb: >\n",
	"---\na: b\n...\n",
	"# c\n\na: b # c\n# d\nb: c#d\n",
	"a: http://x.y/z?q=1&r=#frag\nb: -1\nc: ?x\nd: :y\n",
	"\"a b\": c\n'd': e\nf g: h\n'i''j': k\n'': l\n\"\\\"\": m\n",
	"a: b\r\nc:\r\n  - d\r\n  - \"e\r\n    f\"\r\ng: |\r\n  h\r\n  i\r\n",
	"a:\nb:\n  c:\n",
	"é: ü\nx: \"ö\" \nd: [ß, b]\n",
	"a: ${ data.x }\nb: [\"${ x }\"]\n",
	"a: x # c\n  \nb: y",
	"a: [\n  b\n  c\n]\n", "a: {b: c\n  d\n\n  , e: f\n  }\n",
	"[a, b]", "{a: b}", "plain", "'q'", "",
	"a: >\n  x\n\n   y\n\n  z\n  \tw\n",
}

// agrees says how the reference's tree differs from ours, for a text that we take.
func agrees(t *testing.T, src []byte, root *Node) {
	t.Helper()
	var want reference.Node
	if err := reference.Unmarshal(src, &want); err != nil {
		t.Fatalf("taken here, refused by the reference: %v\n%q", err, src)
	}
	var a, b strings.Builder
	if root != nil {
		dump(&a, src, root)
	}
	if want.Kind != 0 {
		dumpReference(&b, &want)
	}
	if g, w := strings.TrimSuffix(a.String(), " "), strings.TrimSuffix(b.String(), " "); g != w && (g != "" || w != "null") {
		t.Fatalf("read otherwise than the reference:\n%q\ngot  %s\nwant %s", src, g, w)
	}
}

func TestReadsLikeTheReference(t *testing.T) {
	for _, src := range same {
		root, faults := Parse([]byte(src))
		if len(faults) > 0 {
			t.Errorf("%q: %v (at %d)", src, faults[0], faults[0].Offset)
			continue
		}
		agrees(t, []byte(src), root)
	}
}

// reproduces checks that every byte of a scalar that has a place of its own in the source is found there.
func reproduces(t *testing.T, src []byte, n *Node) {
	t.Helper()
	for _, c := range n.Content {
		if c.Start < 0 || c.End < c.Start || c.End > len(src) {
			t.Fatalf("node from %d to %d of %d bytes: %q", c.Start, c.End, len(src), src)
		}
		reproduces(t, src, c)
	}
	for i := range n.Value {
		at := n.Source(i)
		if at < n.Start || at >= max(n.End, n.Start+1) {
			t.Fatalf("byte %d of %q is said to stand at %d, outside of %d to %d: %q", i, n.Value, at, n.Start, n.End, src)
		}
		c := n.Value[i]
		if c > ' ' && c < 0x7f && src[at] != c && src[at] != '\\' {
			t.Fatalf("byte %d of %q is said to stand at %d, where %q is: %q", i, n.Value, at, src[at], src)
		}
	}
}

func TestBytesOfScalarsAreFoundInTheSource(t *testing.T) {
	for _, src := range same {
		if root, faults := Parse([]byte(src)); root != nil && len(faults) == 0 {
			reproduces(t, []byte(src), root)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range same {
		f.Add([]byte(s))
	}
	for _, s := range []string{"a: b: c", "\ta: b", "a: *b", "<<: {a: b}", "a: [b", "a: \"b", "? a", "a:b\n", "- a\nb", "%YAML 1.2\n---\na", "a: !t b", "a: |x\n", "a: b\n---\nc: d\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<12 {
			return
		}
		root, faults := Parse(src)
		for _, e := range faults {
			if e.Offset < 0 || e.Offset > len(src) || e.Msg == "" {
				t.Fatalf("fault %+v in %q", e, src)
			}
		}
		if len(faults) > 0 {
			return
		}
		if root != nil {
			reproduces(t, src, root)
		}
		// The reference holds to YAML 1.1 in these: more kinds of line ends, tabs, no \/, and it knows a BOM.
		if bytes.ContainsAny(src, "\t\u0085\u2028\u2029\ufeff") || bytes.Contains(src, []byte(`\/`)) {
			return
		}
		agrees(t, src, root)
	})
}

func TestFaults(t *testing.T) {
	for _, test := range []struct{ src, want string }{
		{"a: b: c\n", "1:5 a colon and a space inside of a text without quotes"},
		{"a: b\n  c: d\n", "2:3 this looks like a key, but is indented as if the text above went on"},
		{"a:\n    b: c\n  d: e\n", "3:3 the indentation of this line matches nothing above it"},
		{"a: \"b\nc: d\n", "1:4 this quote is never closed"},
		{"a: [b, c\nd: e\nf: {g: h\n", "1:4 this [ is never closed; 3:4 this { is never closed"},
		{"a: [b}\n", "1:6 this closes a bracket that is not the one open here"},
		{"a: b\nc:d\n", "2:2 a space is missing after the colon"},
		{"a: b\n- c\n", "2:1 a list's item among keys"},
		{"- a\nb: c\n", "2:1 this stands among the items of a list"},
		{"a: - b\n", "1:4 a list can't begin on the line of its key"},
		{"a: b\nc: d\na: e\n", "3:1 the key \"a\" is here twice"},
		{"a:\n\tb: c\n", "2:1 a tab in the indentation"},
		{"a: b\n---\nc: d\n", "2:1 a second document begins here; only one is read"},
		{"a: &x b\nc: *x\nd: !t e\n", "1:4 anchors (&name) are not supported; 2:4 a text that begins with * must be quoted; 3:4 tags (!name) are not supported"},
		{"<<: {a: b}\n", "1:1 merge keys (<<) are not supported"},
		{"<<: {}\n b: c\n", "1:1 merge keys (<<) are not supported; 2:2 the indentation of this line matches nothing above it"},
		{"\"\n: \":\n", "2:4 text after the closing quote"},
		{"? a\n: b\n", "1:1 complex keys (? key) are not supported"},
		{"%YAML 1.2\n---\na: b\n", "1:1 directives (lines that begin with %) are not supported"},
		{"a: \"\\d\"\n", "1:5 \\d means nothing in double quotes"},
		{"a: \"x\" y\n", "1:8 text after the closing quote"},
		{"a: {b:c}\n", "1:5 the key \"b:c\" has no value"},
		{"a: {b: ${ x }}\n", "1:8 a text with ${ … } must be quoted inside of [ ] and { }"},
		{"a: @x\n", "1:4 a text that begins with @ must be quoted"},
		{"a: |x\n", "1:4 a text that begins with | must be quoted"},
		{"a: \x01\n", "1:4 a control character (U+0001)"},
		{"a: \xff\n", "1:4 byte 0xFF is not UTF-8"},
		{"a: b\rc: d", "1:5 a carriage return without a line feed"},
		{"a: [b,,c]\n", "1:7 a comma with nothing before it"},
		{"a: [b: c]\n", "1:6 a colon among the items of a list"},
		{strings.Repeat("[", 100), "1:65 lists and mappings are nested over 64 levels deep here"},
		{strings.Repeat("- ", 100), "1:129 lists and mappings are nested over 64 levels deep here"},
	} {
		_, faults := Parse([]byte(test.src))
		var got []string
		for _, f := range faults {
			before := test.src[:f.Offset]
			got = append(got, fmt.Sprintf("%d:%d %s", 1+strings.Count(before, "\n"), f.Offset-strings.LastIndexByte(before, '\n'), f.Msg))
		}
		if all := strings.Join(got, "; "); all != test.want && !strings.HasPrefix(all, test.want+" ") {
			t.Errorf("%q:\ngot  %s\nwant %s", test.src, all, test.want)
		}
	}
}

// hostile are texts of a given size that are hard on parsers.
func hostile(size int) map[string]string {
	rep := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	return map[string]string{
		"brackets": rep("["), "braces": rep("{"), "bracket and key": rep("[a: "), "dashes": rep("- "), "questions": rep("? "), "question lines": rep("?\n"),
		"list": rep("- a\n"), "flow list": "[" + rep("a,") + "]", "one key": rep("k: v\n"), "keys": numbered("k%d: v\n"), "flow keys": "{" + numbered("k%d: v,") + "}",
		"colons": rep("a: "), "colon lines": rep(":\n"), "words": rep("a b "), "lines": rep("a\n"), "literal": "a: |\n" + rep("  x\n"), "folded": "a: >\n" + rep("  x\n"),
		"folded empty": "a: >\n" + rep("  x\n\n"), "quoted": `"` + rep("a b ") + `"`, "escapes": `"` + rep(`\n`) + `"`, "unclosed": `"` + rep("a\n "), "unclosed many": rep("a: \"\n"),
		"unclosed brackets": rep("a: [\n"), "comments": rep("# c\n"), "empty lines": rep("\n"), "spaces": rep(" "), "tabs": rep("\t"), "tab lines": rep("\ta\n"), "anchors": rep("&a "),
		"aliases": rep("*a "), "documents": rep("---\n"), "merges": rep("<<: a\n"), "stairs": rep("a:\n  b:\n    c:\n      d: e\n"), "commas": rep(","), "pipes": rep("|\n"),
		"quotes": rep("'"), "long key": rep("a") + ": b", "spaced": "a: b\n" + rep("   \n"), "trailing blanks": `a: "` + rep("x \n  ") + `"`, "blanks then end": `a: "x` + rep(" ") + "\n  y\"",
		"bad indents": "a:\n" + rep("  b: c\n c: d\n"), "blank block": "a: |\n" + rep("   \n"),
	}
}

// TestHostileTextsCostLittle counts what parsing allocates, which a busy machine doesn't change; BenchmarkHostileTexts takes
// the time.
func TestHostileTextsCostLittle(t *testing.T) {
	for name, src := range hostile(1 << 20) {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			Parse([]byte(src))
			runtime.ReadMemStats(&after)
			bytes, times := after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
			if (bytes > 64<<20 || times > 1_000_000) && !raceEnabled {
				t.Errorf("allocated %d MiB in %d pieces", bytes>>20, times)
			}
			t.Logf("%d MiB in %d pieces", bytes>>20, times)
		})
	}
}

// BenchmarkHostileTexts takes under 100 ms for each text, on a machine with nothing else to do.
func BenchmarkHostileTexts(b *testing.B) {
	texts := hostile(1 << 20)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(texts[name])))
			for b.Loop() {
				Parse([]byte(texts[name]))
			}
		})
	}
}
