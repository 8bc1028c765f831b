// Package format lays out wiring files in one way: the work of `evrun fmt`.
//
// It changes blanks and line ends, and nothing else: every other byte stays, in its order. So quotes, comments, anchors, the style and the order of
// keys are the author's, and the versions of handlers and schedules, which are hashes of values in their order, stay as they are: a reload after
// formatting changes nothing.
//
//   - Mappings and lists are indented by two spaces, lists below their key too.
//   - One space follows a dash, a colon, and a comma in [ ] and { }; none stands inside the brackets. Line breaks in them stay.
//   - There is at most one blank line in a row, none at the beginning, and one line end at the end. No line ends with blanks.
//   - Comments on lines of their own are indented as what follows them, or as the block that they end. Those behind a value keep their column, so
//     that a column of comments stays one; they move right together where a text needs the room.
//   - Texts over several lines keep their bytes; what is indented below them moves with its key.
//   - The file's line ends stay, LF or CRLF; a byte order mark goes.
//
// # Why no library
//
// The emitter of go.yaml.in/yaml/v4 knows no blank lines, and moves comments. google/yamlfmt (0.21) works around that with a fork of yaml/v3 and
// placeholders in the text: it joins flow collections that were written over several lines, sets each comment behind a value after one space, and
// writes folded texts anew. Here a line-based printer needs no emitter at all, and is safe to check: see [Text].
package format

import (
	"errors"
	"slices"
	"strings"

	"evrun/cmd/config/yaml"
)

// ErrUnsafe is the error for a text whose formatted form would mean something else. It is a defect of this package, and never changes a file.
var ErrUnsafe = errors.New("formatting would change what the file means; it is left as it is. This is a defect of evrun: please report it with the file")

const byteOrderMark = "\ufeff"

// Text formats a text that [yaml.Parse] takes without a fault. The result has been compared with it: the same values in the same styles, and the
// same bytes but for blanks. The error is [ErrUnsafe].
func Text(src string) (string, error) {
	plain := strings.TrimPrefix(src, byteOrderMark)
	first, _, _ := strings.Cut(plain, "\n")
	text := strings.ReplaceAll(plain, "\r\n", "\n")
	p := printer{src: text, align: -1}
	for p.at < len(p.src) {
		p.line()
	}
	p.comments(nil)
	out := p.text()
	if !sameBytes(text, out) || !sameValues(text, out) {
		return "", ErrUnsafe
	}
	if strings.HasSuffix(first, "\r") {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	return out, nil
}

// sameBytes reports whether two texts differ in blanks and line ends at most.
func sameBytes(a, b string) bool {
	for {
		a, b = strings.TrimLeft(a, blanks), strings.TrimLeft(b, blanks)
		if a == "" || b == "" {
			return a == b
		}
		n := strings.IndexAny(a, blanks)
		if n < 0 {
			n = len(a)
		}
		for i := 0; i < n; i++ {
			if b = strings.TrimLeft(b, blanks); b == "" || a[i] != b[0] {
				return false
			}
			b = b[1:]
		}
		a = a[n:]
	}
}

const blanks = " \t\r\n"

// sameValues reports whether two texts have the same values, written in the same styles.
func sameValues(a, b string) bool {
	one, _ := yaml.Parse(yaml.NewText(a))
	two, _ := yaml.Parse(yaml.NewText(b))
	if one == nil || two == nil {
		return one == two
	}
	return same(one, two, map[*yaml.Node]*yaml.Node{})
}

// same compares two trees. seen has pairs that were compared before: an alias is the node of its anchor.
func same(a, b *yaml.Node, seen map[*yaml.Node]*yaml.Node) bool {
	if seen[a] == b {
		return true
	}
	if a.Kind != b.Kind || a.Style != b.Style || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	seen[a] = b
	return slices.EqualFunc(a.Content, b.Content, func(a, b *yaml.Node) bool { return same(a, b, seen) })
}
