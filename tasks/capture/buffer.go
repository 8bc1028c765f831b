package capture

// buffer keeps the beginning and the end of what is written to it, limit bytes at most: half of it from the beginning, half from the end.
type buffer struct {
	limit int
	head  []byte
	tail  []byte // once it is full, a ring that begins at start
	start int
	total int64
}

func (b *buffer) write(p []byte) {
	half := b.limit / 2
	b.total += int64(len(p))
	fill := func(part []byte) []byte {
		k := min(half-len(part), len(p))
		part, p = append(part, p[:k]...), p[k:]
		return part
	}
	b.head = fill(b.head)
	if len(p) > half { // all but the last half would be overwritten at once
		p = p[len(p)-half:]
	}
	b.tail = fill(b.tail)
	for len(p) > 0 {
		k := copy(b.tail[b.start:], p)
		b.start, p = (b.start+k)%half, p[k:]
	}
}

// cut returns what a buffer of a smaller limit would have kept. omitted is what it would have left out between the two parts.
func (b *buffer) cut(limit int) (head, tail string, omitted int64) {
	limit = min(limit, b.limit)
	head, tail = string(b.head), string(b.tail[b.start:])+string(b.tail[:b.start])
	if b.total <= int64(limit) {
		return head + tail, "", 0
	}
	half := limit / 2
	if len(tail) < half { // the end begins in the head
		tail = head[len(head)-(half-len(tail)):] + tail
	}
	head, tail = head[:half], tail[len(tail)-half:]
	return head, tail, b.total - int64(2*half)
}
