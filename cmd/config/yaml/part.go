package yaml

// part says where the text of a scalar stands inside another scalar.
type part struct {
	of  *Node
	at  []int // of each byte of the text, its offset in the Value of the other
	end int   // the offset behind the part, with what belongs to it and not to its text, such as quotes
}

func (p *part) source(offset int) int {
	if offset < 0 || offset >= len(p.at) {
		return p.of.Source(p.end-1) + 1
	}
	return p.of.Source(p.at[offset])
}

// Part makes a scalar of the bytes from start to end of a scalar's Value. It is a text even if it looks like a number or null, and has its places in
// the source. at has the offsets of the bytes that are its own Value; nil: all of them.
func (n *Node) Part(start, end int, at []int) *Node {
	if at == nil {
		at = make([]int, end-start)
		for i := range at {
			at[i] = start + i
		}
	}
	value := make([]byte, len(at))
	for i, offset := range at {
		value[i] = n.Value[offset]
	}
	return &Node{Style: n.Style, Value: string(value), Start: n.Source(start), text: n.text, part: &part{n, at, end}}
}

// Named makes a scalar with another text, which has the place of n.
func (n *Node) Named(name string) *Node {
	made := *n
	made.Value = name
	if made.part == nil {
		made.part = &part{of: n, end: len(n.Value)}
	}
	return &made
}

// Holding makes a mapping or a sequence that has the place of n.
func (n *Node) Holding(kind Kind, content ...*Node) *Node {
	return &Node{Kind: kind, Start: n.Start, Content: content, text: n.text}
}

// IsPart reports whether a node was made of a part of another.
func (n *Node) IsPart() bool { return n.part != nil }

// IsText reports whether a scalar is a text, whatever it looks like.
func (n *Node) IsText() bool { return n.Style != Plain || n.part != nil }
