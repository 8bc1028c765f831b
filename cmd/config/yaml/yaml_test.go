package yaml

import (
	"reflect"
	"testing"
	"unicode/utf8"
)

// taken are texts that Parse takes.
var taken = []string{
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

// reproduces checks that every byte of a scalar that has a place of its own in the source is found there.
func reproduces(t *testing.T, src []byte, n *Node) {
	t.Helper()
	for _, c := range n.Content {
		if end := c.End(); c.Start < 0 || end < c.Start || end > len(src)+1 {
			t.Fatalf("node from %d to %d of %d bytes: %q", c.Start, end, len(src), src)
		}
		reproduces(t, src, c)
	}
	for i := range n.Value {
		at := n.Source(i)
		if at < n.Start || at >= max(n.End(), n.Start+1) {
			t.Fatalf("byte %d of %q is said to stand at %d, outside of %d to %d: %q", i, n.Value, at, n.Start, n.End(), src)
		}
		c := n.Value[i]
		if c > ' ' && c < 0x7f && src[at] != c && src[at] != '\\' {
			t.Fatalf("byte %d of %q is said to stand at %d, where %q is: %q", i, n.Value, at, src[at], src)
		}
	}
}

func TestBytesOfScalarsAreFoundInTheSource(t *testing.T) {
	for _, src := range taken {
		if root, faults := Parse(NewText(src)); root != nil && len(faults) == 0 {
			reproduces(t, []byte(src), root)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range taken {
		f.Add([]byte(s))
	}
	for _, test := range refused {
		f.Add([]byte(test.src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<12 {
			return
		}
		root, faults := Parse(NewText(string(src)))
		for _, e := range faults {
			if e.Offset < 0 || e.Offset > len(src) || e.Message == "" || !utf8.ValidString(e.Message) {
				t.Fatalf("fault %+v in %q", e, src)
			}
		}
		if root != nil && len(faults) == 0 {
			reproduces(t, src, root)
		}
	})
}

// A text with a base has the same tree, with all places moved by the base.
func TestABaseMovesAllPlaces(t *testing.T) {
	const base = 1000
	var same func(src string, a, b *Node)
	same = func(src string, a, b *Node) {
		if b.Start != a.Start+base || b.End() != a.End()+base || b.Value != a.Value || len(b.Content) != len(a.Content) {
			t.Fatalf("%q: %q at %d to %d became %q at %d to %d", src, a.Value, a.Start, a.End(), b.Value, b.Start, b.End())
		}
		for i := range a.Value {
			if b.Source(i) != a.Source(i)+base {
				t.Fatalf("%q: byte %d of %q stood at %d and now stands at %d", src, i, a.Value, a.Source(i), b.Source(i))
			}
		}
		for i := range a.Content {
			same(src, a.Content[i], b.Content[i])
		}
	}
	for _, src := range taken {
		root, _ := Parse(NewText(src))
		moved := NewText(src)
		moved.Base = base
		if other, _ := Parse(moved); root != nil {
			same(src, root, other)
		}
	}
	for _, test := range refused {
		_, faults := Parse(NewText(test.src))
		moved := NewText(test.src)
		moved.Base = base
		if _, others := Parse(moved); !reflect.DeepEqual(faults, others) {
			t.Errorf("%q: faults became %v", test.src, others)
		}
	}
}
