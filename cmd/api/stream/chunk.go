package stream

import (
	"fmt"
	"sort"
	"strconv"

	"evrun/events"
)

// chunk is a part of what streams send, encoded once for all of them. Blocks are only added at its end: what a stream has of it does not change.
type chunk struct {
	text  []byte
	marks []mark // of each block, in order
	first int64  // of runs: the number of the first block
}

// mark is the end of a block.
type mark struct {
	sequence int64 // of its event, or of its run's event; for a note, that of the last event that was looked at
	end      int   // in text
}

// size is how much memory it holds, about.
func (c *chunk) size() int { return cap(c.text) + cap(c.text)/8 + 128 }

// add adds a block.
func (c *chunk) add(sequence int64, block ...[]byte) {
	for _, b := range block {
		c.text = append(c.text, b...)
	}
	c.marks = append(c.marks, mark{sequence, len(c.text)})
}

// beyond returns the blocks with the events after a sequence, and the last of them.
func (c *chunk) beyond(after int64) (text []byte, last int64) {
	n := len(c.marks)
	i := sort.Search(n, func(i int) bool { return c.marks[i].sequence > after })
	switch i {
	case n:
		return nil, after
	case 0:
		return c.text, c.last()
	}
	return c.text[c.marks[i-1].end:], c.last()
}

// last is the sequence of its last block; 0 if there is none.
func (c *chunk) last() int64 {
	if len(c.marks) == 0 {
		return 0
	}
	return c.marks[len(c.marks)-1].sequence
}

// appendEventBlock writes an event as a server-sent event.
func appendEventBlock(dst []byte, e *events.Event) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, "id: "...), e.Sequence, 10)
	dst, err := e.AppendJSON(append(dst, "\nevent: event\ndata: "...))
	if err != nil {
		return nil, fmt.Errorf("event #%d: %w", e.Sequence, err)
	}
	return append(dst, "\n\n"...), nil
}

// failures are the events and runs of which a condition could not be evaluated.
type failures struct {
	n     int
	first string
}

// maxFailure bounds the reason in a note.
const maxFailure = 1 << 10

func (f *failures) add(what string, err error) {
	if f.n++; f.n == 1 {
		f.first = what + ": " + err.Error()
		if len(f.first) > maxFailure {
			f.first = f.first[:maxFailure] + "…"
		}
	}
}

// block is a note of them; nil if there are none.
func (f *failures) block() []byte {
	if f.n == 0 {
		return nil
	}
	return jsonBlock("failed", map[string]any{"failed": f.n, "failure": f.first})
}

// jsonBlock is a block without an id.
func jsonBlock(kind string, v any) []byte {
	text, err := events.MarshalJSON(v)
	if err != nil {
		return nil // can't happen: all that is passed can be written in JSON
	}
	return append(append([]byte("event: "+kind+"\ndata: "), text...), "\n\n"...)
}
