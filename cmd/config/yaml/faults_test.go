package yaml

import (
	"fmt"
	"strings"
	"testing"
)

// refused are texts that Parse refuses, with the place and the message.
var refused = []struct{ src, want string }{
	{"a: b: c\n", "1:5 a colon and a space inside of a text without quotes"},
	{"a: b\n  c: d\n", "2:3 this looks like a key, but is indented as if the text above went on"},
	{"a:\n    b: c\n  d: e\n", "3:3 the indentation of this line matches nothing above it"},
	{"a: \"b\nc: d\n", "1:4 this quote is never closed"},
	{"a: 'b\nc: 'd'\n", "1:4 this quote is never closed"},
	{"a: [b, c\nd: e\nf: {g: h\n", "1:4 this [ is never closed"},
	{"a: [b}\n", "1:6 this closes a bracket that is not the one open here"},
	{"a: b\nc:d\n", "2:2 a space is missing after the colon"},
	{"a: b\n- c\n", "2:1 a list's item among keys"},
	{"- a\nb: c\n", "2:1 this stands among the items of a list"},
	{"a: - b\n", "1:4 a list can't begin on the line of its key"},
	{"a: b\nc: d\na: e\n", "3:1 the key \"a\" is here twice"},
	{"a:\n\tb: c\n", "2:1 a tab in the indentation"},
	{"a:\n  b: c\n\td: e\n", "3:1 a tab in the indentation"},
	{"a: b\n---\nc: d\n", "2:1 a second document begins here; only one is read"},
	{"a: b\n...\nc: d\n", "3:1 text after the document's end (...)"},
	{"a: b\nc: *x\n", "2:4 no anchor above is called \"x\""},
	{"a: *.created\n", "1:4 a text that begins with * must be quoted"},
	{"a: [*.created, b]\n", "1:5 a text that begins with * must be quoted"},
	{"a: &x [*x]\n", "1:8 the alias *x stands inside the value that it stands for"},
	{"a: !t e\n", "1:4 tags (!name) are not supported"},
	{"a: &x !t e\n", "1:7 tags (!name) are not supported"},
	{"a: !\n", "1:4 tags (!name) are not supported"},
	{"<<: [a]\n", "1:1 a merge key (<<) takes a mapping, or a list of mappings"},
	{"\"\n: \":\n", "2:4 a colon and a space inside of a text without quotes"},
	{"? [a]\n: b\n", "1:3 a list or a mapping can't be a key"},
	{"# c\n%YAML 1.2\n---\na: b\n", "2:1 directives (lines that begin with %) are not supported"},
	{"%TAG ! tag:x,2000:\n---\na: b\n", "1:1 directives (lines that begin with %) are not supported"},
	{"a: \"\\d\"\n", "1:5 \\d means nothing in double quotes"},
	{"a: \"\\x4\"\n", "1:5 \\x needs 2 hexadecimal digits of a character"},
	{"a: \"x\", b: c\n", "1:7 text after the closing quote"},
	{"a: \"x\" y\n", "1:8 text after the closing quote"},
	{"a: 'it's'\n", "1:8 text after the closing quote"},
	{"a: {b: 'it's'}\n", "1:12 text after the closing quote"},
	{"a: {b:c}\n", "1:5 the key \"b:c\" has no value"},
	{"a: {{ b }}\n", "1:7 the key \"b\" has no value"},
	{"a: {b: {{ c }}}\n", "1:11 the key \"c\" has no value"},
	{"a: {b: ${ x }}\n", "1:8 a text with ${ … } must be quoted inside of [ ] and { }"},
	{"a: @x\n", "1:4 a text that begins with @ must be quoted"},
	{"a: |x\n", "1:4 a text that begins with | must be quoted"},
	{"a: [|x]\n", "1:5 texts over several lines (| and >) can't stand inside of [ ] and { }"},
	{"a: */5 * *\n", "1:4 a text that begins with * must be quoted"},
	{"a: [*/5 * *]\n", "1:5 a text that begins with * must be quoted"},
	{"a: \x01\n", "1:4 a control character (U+0001)"},
	{"a: \u2028\n", "1:4 a control character (U+2028)"},
	{"a: \xff\n", "1:4 byte 0xFF is not UTF-8"},
	{"a: b\rc: d", "1:5 a carriage return without a line feed"},
	{"a: [b,,c]\n", "1:7 a comma with nothing before it"},
	{"a: [b\n  c: d\n  e]\n", "2:4 a comma or ] is expected here"},
	{"a: {\n", "1:4 this { is never closed"},
	{"a:\n– b: c\n", "2:1 a typographic dash (–)"},
	{"a: b\nc:\u00a0d\n", "2:3 a no-break space (U+00A0)"},
	{"a: b\n\u00a0c: d\n", "2:1 a no-break space (U+00A0)"},
	{"a: b\nword\n", "2:1 a key is expected here, followed by a colon and a space"},
	{"a: 'b': c\n", "1:7 a colon and a space inside of a text without quotes"},
	{": a\n", "1:1 a colon without a key before it"},
	{"a: ]\n", "1:4 a value is expected here, not ]"},
	{"a: b\n c\n: d\n", "3:1 a colon without a key before it"},
	{strings.Repeat("- ", maxDepth+1), "1:1001 lists and mappings are nested over 500 levels deep here"},
	{strings.Repeat("[", maxDepth+1), "1:501 lists and mappings are nested over 500 levels deep here"},
}

func TestFaults(t *testing.T) {
	for _, test := range refused {
		_, faults := Parse(NewText(test.src))
		var got []string
		for _, f := range faults {
			before := test.src[:f.Offset]
			got = append(got, fmt.Sprintf("%d:%d %s", 1+strings.Count(before, "\n"), f.Offset-strings.LastIndexByte(before, '\n'), f.Message))
		}
		if all := strings.Join(got, "; "); all != test.want {
			t.Errorf("%.80q:\ngot  %s\nwant %s", test.src, all, test.want)
		}
	}
}

// flat writes a tree as JSON does, without quotes.
func flat(n *Node) string {
	var parts []string
	switch n.Kind {
	case Scalar:
		return n.Value
	case Sequence:
		for _, c := range n.Content {
			parts = append(parts, flat(c))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	for i := 0; i < len(n.Content); i += 2 {
		parts = append(parts, n.Content[i].Value+":"+flat(n.Content[i+1]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestAliasesAndMergeKeys(t *testing.T) {
	for src, want := range map[string]string{
		"a: &x {b: 1}\nc: *x\n":                      "{a:{b:1},c:{b:1}}",
		"a: &x b\n*x : c\n":                          "{a:b,b:c}",
		"a: &x\n  b: 1\n  c: 2\nd: {c: 3, <<: *x}\n": "{a:{b:1,c:2},d:{c:3,b:1}}",
		"a: &x {b: 1, c: 1}\nd: &y {c: 2, e: 2}\nf: {<<: [*x, *y], e: 3}\n": "{a:{b:1,c:1},d:{c:2,e:2},f:{e:3,b:1,c:1}}",
		"a: &x {b: 1}\nc: &y {<<: *x, d: 2}\ne: {<<: *y}\n":                 "{a:{b:1},c:{d:2,b:1},e:{d:2,b:1}}",
		"a: &x 1\nb: &x 2\nc: *x\n":                                         "{a:1,b:2,c:2}",
		"a: {'<<': {b: 1}}\n":                                               "{a:{<<:{b:1}}}",
		"a: &x\n- b\nc: &y |\n  d\ne: *x\nf: *y\n":                          "{a:[b],c:d\n,e:[b],f:d\n}",
	} {
		root, faults := Parse(NewText(src))
		if len(faults) > 0 {
			t.Errorf("%q: %v", src, faults[0])
		} else if got := flat(root); got != want {
			t.Errorf("%q: got %s, want %s", src, got, want)
		}
	}
}

func TestAnAliasIsTheNodeOfItsAnchor(t *testing.T) {
	root, _ := Parse(NewText("a: &x # here\n  {b: 1}\nc: *x\n"))
	if root.Content[1] != root.Content[3] || root.Content[1].Start != 15 {
		t.Errorf("%+v, %+v", root.Content[1], root.Content[3])
	}
}

func TestAliasesOfAliasesAreLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 1000; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%[3]d]\n", i, i, i-1)
	}
	if _, faults := Parse(NewText(b.String())); len(faults) != 1 || !strings.HasPrefix(faults[0].Message, "too many aliases") {
		t.Errorf("%v", faults)
	}
}
