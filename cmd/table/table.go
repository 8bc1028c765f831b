// Package table reads CSV (RFC 4180) as JSON, a row an object.
//
// The header names the members as the keys of emit -f do:
//
//	a.b    the member b of the object a
//	a\.b   the member "a.b": a backslash before a dot or a backslash
//	a[]    an element of the list a; such a column may come several times
//	a:=    a cell has JSON, not text
//	@id    an attribute of the row, not a member; \@id is a member
//
// A cell is text, unless the column says := or [Options.Kind] knows that the member is a number, a boolean, a list or a map. An empty
// cell is left out, and so is an object or a list with nothing in it. A row that can't be read, or has another number of cells than
// the header, is reported and the next one is read. A byte order mark, CRLF and quoted line ends are read; text must be UTF-8.
//
//	r, err := table.NewReader(in, table.Options{MaxRow: 1 << 20})
//	for {
//		row, err := r.Next() // row.Line, row.JSON or row.Wrong, row.Original
//
// A Reader has one row in memory, and some 100 KB that were read ahead. It starts no goroutine.
package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"evrun/tasks/expression"
)

// Options say how a table is read.
type Options struct {
	Comma  rune // 0: a comma
	MaxRow int  // bytes of a row
	// Kind returns the kind of a member, or why there can't be one; nil: all are text. The elements of a list have the list's path and "".
	Kind func(path []string) (expression.Kind, error)
	// Attributes are the names that columns with an @ may have.
	Attributes []string
	// Begin and End enclose the members in a row's JSON, after its attributes; empty: the members are the object.
	Begin, End string
}

// Row is a row of the table. It is valid until the next one is read.
type Row struct {
	Line     int    // the number of its first line in the file
	JSON     []byte // nil if it is wrong
	Original []byte // its text in the file, with the end of its last line
	Wrong    string // why it can't be read; empty: it can
}

// Reader reads a table. Not safe for concurrent use.
type Reader struct {
	csv     *csv.Reader
	ahead   *bufio.Reader // what csv reads from
	text    *kept
	header  []byte
	columns *columns
	json    []byte // reused
}

// HeaderError is a header that can't be read.
type HeaderError struct{ Msg string }

func (e *HeaderError) Error() string { return "line 1, the header: " + e.Msg }

// TooLongError is a row that is too long; nothing behind it is read.
type TooLongError struct{ Line, Max int }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("line %d: the row that begins here has more than %d bytes: is a quote in it not closed? It and the rows behind it were not sent", e.Line, e.Max)
}

// NewReader reads the header. The error is a [*HeaderError], a [*TooLongError] or that of in.
func NewReader(in io.Reader, o Options) (*Reader, error) {
	first := bufio.NewReader(in)
	switch start, _ := first.Peek(len(bom)); {
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, &HeaderError{"the file is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"}
	case string(start) == bom:
		_, _ = first.Discard(len(bom)) // they are in memory
	}
	r := &Reader{text: &kept{in: first, max: o.MaxRow}}
	r.ahead = bufio.NewReaderSize(r.text, readAhead)
	r.csv = csv.NewReader(r.ahead)
	r.csv.FieldsPerRecord, r.csv.ReuseRecord = -1, true
	if o.Comma != 0 {
		r.csv.Comma = o.Comma
	}
	names, err := r.csv.Read()
	var wrong *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return nil, &HeaderError{"the file is empty: its first line names the columns"}
	case errors.As(err, &wrong):
		return nil, &HeaderError{wrong.Err.Error()}
	case errors.Is(err, errTooLong):
		return nil, &TooLongError{1, o.MaxRow}
	case err != nil:
		return nil, err
	}
	r.header = append(r.header, r.text.take(r.csv.InputOffset())...)
	if !utf8.Valid(r.header) {
		return nil, &HeaderError{notUTF8}
	}
	if strings.HasPrefix(names[0], bom) {
		return nil, &HeaderError{"the name of its first column begins with a second byte order mark (EF BB BF): take it away"}
	}
	r.columns, err = newColumns(names, o)
	return r, err
}

const bom = "\ufeff" // the byte order mark

const notUTF8 = "it is not valid UTF-8; if the file is from Windows: iconv -f WINDOWS-1252 -t UTF-8"

// Header is the text of the header, with the end of its line.
func (r *Reader) Header() []byte { return r.header }

// Next reads a row. The error is [io.EOF], a [*TooLongError] or that of reading.
func (r *Reader) Next() (Row, error) {
	cells, err := r.csv.Read()
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		msg := wrong.Err.Error()
		if wrong.Line > wrong.StartLine {
			msg = fmt.Sprintf("%s, in line %d, where the row goes on; the whole row is refused", msg, wrong.Line)
		}
		return Row{Line: wrong.StartLine, Original: r.text.take(r.csv.InputOffset()), Wrong: msg}, nil
	case errors.Is(err, errTooLong):
		return Row{}, &TooLongError{r.text.line, r.text.max}
	case err != nil:
		return Row{}, err
	}
	row := Row{Original: r.text.take(r.csv.InputOffset())}
	row.Line, _ = r.csv.FieldPos(0)
	if !utf8.Valid(row.Original) {
		row.Wrong = notUTF8
		return row, nil
	}
	if r.json, err = r.columns.append(r.json[:0], cells); err == nil {
		row.JSON = r.json
	} else {
		row.Wrong = err.Error()
	}
	return row, nil
}

// Waiting reports whether a line end was read ahead: Next may then give a row without waiting for more.
func (r *Reader) Waiting() bool {
	b, _ := r.ahead.Peek(r.ahead.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

const readAhead = 64 << 10

// kept hands on what it reads, and keeps the text of the row that is being read.
type kept struct {
	in    io.Reader
	max   int
	text  []byte
	from  int   // where the row begins in text
	taken int64 // offset in the file, less the byte order mark, of the row's begin
	line  int   // of the row's begin, from 1
}

var errTooLong = errors.New("the row is too long")

func (k *kept) Read(p []byte) (int, error) {
	if len(k.text)-k.from > k.max+readAhead {
		row := k.text[k.from:]
		k.line += bytes.Count(row[:len(row)-len(trimBlank(row))], []byte("\n")) + 1
		return 0, errTooLong
	}
	n, err := k.in.Read(p)
	if k.from > 4*readAhead {
		k.text = append(k.text[:0], k.text[k.from:]...)
		k.from = 0
	}
	k.text = append(k.text, p[:n]...)
	return n, err
}

// trimBlank removes the blank lines before a row, which encoding/csv skips.
func trimBlank(text []byte) []byte {
	for {
		rest, blank := bytes.CutPrefix(bytes.TrimPrefix(text, []byte("\r")), []byte("\n"))
		if !blank {
			return text
		}
		text = rest
	}
}

// take returns the text of the row that ends at an offset; the next row begins there.
func (k *kept) take(end int64) []byte {
	text := k.text[k.from : k.from+int(end-k.taken)]
	k.line += bytes.Count(text, []byte("\n"))
	k.from, k.taken = k.from+len(text), end
	return trimBlank(text)
}
