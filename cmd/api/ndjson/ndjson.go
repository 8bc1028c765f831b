// Package ndjson reads lines of NDJSON, with one line in memory. The server of the API reads bodies of events with it, and the client both the
// lines that it sends and the answers to them. It starts no goroutines.
package ndjson

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Type is the media type of NDJSON.
const Type = "application/x-ndjson"

// attributesRoom is how many bytes an event may have besides its data, in JSON.
const attributesRoom = 64 << 10

// MaxLine is the longest line of NDJSON, for events with so many bytes of data: data may be escaped.
func MaxLine(maxData int) int { return maxData*2 + attributesRoom }

// Reader splits NDJSON into lines. It has at most one line in memory, and nothing of a line that is too long.
type Reader struct {
	in    *bufio.Reader
	max   int
	long  []byte // a line that is longer than the buffer
	began bool
	// Spill, if set, opens a writer for the text of a line that is too long, with its line break.
	Spill func() io.WriteCloser
}

// NewReader makes a reader of lines of at most max bytes.
func NewReader(in io.Reader, max int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 256<<10), max: max}
}

// Next returns the next line without its LF; it is valid until the next call. A line that is longer than max is skipped, and reported as
// tooLong. The last line needs no LF. An error, such as io.EOF, comes without a line: a line that an error cut off is dropped. A
// byte order mark at the start is left out.
func (l *Reader) Next() (text []byte, tooLong bool, err error) {
	l.long = l.long[:0]
	text, err = l.in.ReadSlice('\n')
	if !l.began {
		l.began = true
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	if errors.Is(err, bufio.ErrBufferFull) && len(text) <= l.max {
		for errors.Is(err, bufio.ErrBufferFull) && len(l.long)+len(text) <= l.max {
			l.long = append(l.long, text...)
			text, err = l.in.ReadSlice('\n')
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long, text...)
			text = l.long
		}
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull), err == nil && len(text)-1 > l.max, errors.Is(err, io.EOF) && len(text) > l.max:
		return nil, true, l.skip(text, err)
	case errors.Is(err, io.EOF) && len(text) > 0:
		return text, false, nil
	case err != nil:
		return nil, false, err
	}
	return text[:len(text)-1], false, nil
}

// skip reads to the end of a line that is too long, and spills it. part is the last part that was read, after l.long.
func (l *Reader) skip(part []byte, err error) error {
	var to io.WriteCloser
	if l.Spill != nil {
		to = l.Spill()
	}
	var werr error
	put := func(b []byte) {
		if to != nil && werr == nil {
			_, werr = to.Write(b)
		}
	}
	if len(l.long) > 0 && &l.long[0] != &part[0] {
		put(l.long)
	}
	put(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = l.in.ReadSlice('\n')
		put(part)
	}
	if err != nil { // the file's end, most likely
		put([]byte("\n"))
	}
	if errors.Is(err, io.EOF) {
		err = nil // the next read reports it
	}
	if cap(l.long) > 1<<20 {
		l.long = nil
	}
	if to != nil {
		werr = errors.Join(werr, to.Close())
	}
	return errors.Join(err, werr)
}

// Waiting reports whether the next line is in memory.
func (l *Reader) Waiting() bool {
	b, _ := l.in.Peek(l.in.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// Blank reports whether a line is empty but for spaces. Such lines are counted, and not answered.
func Blank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
