package columns

import (
	"fmt"
	"strconv"
	"strings"

	"evrun/store"
)

// EncodeOutput returns the columns layout and text of an output. The layout is the lengths of status and headers, and for each stream
// its name, the lengths of head and tail, and how much was left out: "13 0 stdout:120:0:0 stderr:32768:32768:9000".
func EncodeOutput(o *store.Output) (layout, text string) {
	b := make([]byte, 0, 64)
	b = strconv.AppendInt(b, int64(len(o.Status)), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(len(o.Headers)), 10)
	parts := make([]string, 0, 8)
	parts = append(parts, o.Status, o.Headers)
	for _, s := range o.Streams {
		b = append(append(append(b, ' '), s.Name...), ':')
		b = append(strconv.AppendInt(b, int64(len(s.Head)), 10), ':')
		b = append(strconv.AppendInt(b, int64(len(s.Tail)), 10), ':')
		b = strconv.AppendInt(b, s.Omitted, 10)
		parts = append(parts, s.Head, s.Tail)
	}
	return string(b), strings.Join(parts, "")
}

// DecodeOutput is the inverse of [EncodeOutput].
func DecodeOutput(layout, text string) (*store.Output, error) {
	o := &store.Output{}
	wrong := fmt.Errorf("the stored output has the layout %q for %d bytes", layout, len(text))
	take := func(length string) (part string, ok bool) {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(text) {
			return "", false
		}
		part, text = text[:n], text[n:]
		return part, true
	}
	fields := strings.Fields(layout)
	if len(fields) < 2 {
		return nil, wrong
	}
	var ok [2]bool
	o.Status, ok[0] = take(fields[0])
	o.Headers, ok[1] = take(fields[1])
	for _, field := range fields[2:] {
		p := strings.Split(field, ":")
		if len(p) != 4 {
			return nil, wrong
		}
		s := store.Stream{Name: p[0]}
		var in [2]bool
		s.Head, in[0] = take(p[1])
		s.Tail, in[1] = take(p[2])
		var err error
		if s.Omitted, err = strconv.ParseInt(p[3], 10, 64); err != nil || in != [2]bool{true, true} {
			return nil, wrong
		}
		o.Streams = append(o.Streams, s)
	}
	if ok != [2]bool{true, true} || text != "" {
		return nil, wrong
	}
	return o, nil
}
