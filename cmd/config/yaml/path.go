package yaml

// Lookup finds a key of a mapping and its value; nil for none.
func (n *Node) Lookup(name string) (key, value *Node) {
	if n.Kind != Mapping {
		return nil, nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// Follow follows a path of keys and indexes as far as possible. It returns the last node, its key if it is the value of a mapping, and whether it
// followed the whole path.
func (n *Node) Follow(path []any) (node, name *Node, whole bool) {
	for _, step := range path {
		switch step := step.(type) {
		case int:
			if n.Kind != Sequence || step < 0 || step >= len(n.Content) {
				return n, name, false
			}
			n, name = n.Content[step], nil
		case string:
			k, v := n.Lookup(step)
			if k == nil {
				return n, name, false
			}
			n, name = v, k
		}
	}
	return n, name, true
}
