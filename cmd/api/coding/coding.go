// Package coding reads the bodies of requests that are compressed (Content-Encoding: gzip), with bounded work and memory, however much a body
// expands.
//
//	body, err := coding.Open(w, r) // an unknown coding: 415, with Accept-Encoding
//	defer body.Close()
//	text, err := body.ReadAll(limit)
//
// A body is read as it comes: a line of NDJSON that was flushed can be read at once. Limits count the bytes that come out, and those that come in, too,
// since a body can also expand to nothing. No goroutines.
package coding

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/shape"
)

// Body is the body of a request without its coding. Close must be called; it doesn't close the request's body.
type Body struct {
	request *http.Request
	w       http.ResponseWriter
	raw     source
	gunzip  *gunzip // nil: the body isn't compressed

	bounded bool
	useless int64 // how many more bytes may come out in vain, if bounded

	held *limits.Held // counts what ReadAll reads; nil: nothing does
}

// source is a request's body. It remembers its error.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// gunzip is what a body needs to be decompressed. It is used again, as it has about 50 KiB.
type gunzip struct {
	in    *bufio.Reader
	out   gzip.Reader
	began bool
}

var gunzips = sync.Pool{New: func() any { return &gunzip{in: bufio.NewReaderSize(nil, 16<<10)} }}

// Open returns the body of a request. A coding other than gzip is a problem with status 415.
func Open(w http.ResponseWriter, r *http.Request) (*Body, error) {
	b := &Body{request: r, w: w, raw: source{Reader: r.Body}}
	codings := r.Header["Content-Encoding"]
	if len(codings) == 0 {
		return b, nil
	}
	switch strings.ToLower(strings.TrimSpace(strings.Join(codings, ","))) {
	case "", "identity":
	case "gzip", "x-gzip":
		b.gunzip = gunzips.Get().(*gunzip)
		b.gunzip.in.Reset(&b.raw)
		b.gunzip.began = false
	default:
		w.Header().Set("Accept-Encoding", "gzip")
		return nil, shape.NewProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding: %s is not supported; send the body as it is, or compress it with gzip", strings.Join(codings, ", ")))
	}
	return b, nil
}

// Close makes the body's buffers free for other requests.
func (b *Body) Close() {
	if b.gunzip != nil {
		b.gunzip.in.Reset(nil)
		gunzips.Put(b.gunzip)
		b.gunzip, b.raw.Reader = nil, http.NoBody
	}
}

// Count has ReadAll count its bytes, as they come out, among those of other bodies, until release. It can be called again.
func (b *Body) Count(bodies *limits.Bodies) (release func()) {
	b.held = bodies.Reader(nil, netip.Addr{})
	return b.held.Release
}

// slack is how much larger than its limit a compressed body may be: a short one can grow by it.
const slack = 64 << 10

// ReadAll reads a body of at most limit bytes, both as it was sent and decompressed. A larger one is a problem with status 413.
func (b *Body) ReadAll(limit int64) ([]byte, error) {
	length := b.request.ContentLength
	if length > limit && b.gunzip == nil {
		return nil, &http.MaxBytesError{Limit: limit} // net/http closes the connection, if the rest is long
	}
	if b.gunzip == nil {
		return b.readAll(http.MaxBytesReader(b.w, b.request.Body, limit), max(length, 0))
	}
	b.raw.Reader = http.MaxBytesReader(b.w, b.request.Body, limit+slack)
	text, err := b.readAll(http.MaxBytesReader(b.w, io.NopCloser(b), limit), 0)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = shape.NewProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes, decompressed", limit))
	}
	return text, err
}

// trusted is how much memory a body gets because it says that it needs it. It gets more as the body comes.
const trusted = 64 << 10

// readAll is [io.ReadAll] for a body whose length may be known.
func (b *Body) readAll(r io.Reader, length int64) ([]byte, error) {
	if b.held != nil {
		b.held.Reader = r
		r = b.held
	}
	text := make([]byte, 0, min(max(length+1, 512), trusted)) // one more: the read that finds the end needs room
	for {
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		case len(text) == cap(text):
			text = slices.Grow(text, max(len(text), int(length)+1-len(text)))
		}
	}
}

// Bound bounds the bytes that come out of a compressed body in vain: those that aren't reported to [Body.Used]. Beyond it, the body is a problem with
// status 413. What isn't compressed has no bound, as each byte was sent.
func (b *Body) Bound(useless int64) { b.bounded, b.useless = b.gunzip != nil, useless }

// Used reports that n bytes that came out were of use. Not for concurrent use with Read.
func (b *Body) Used(n int) { b.useless += int64(n) }

// Read reads what the body has now. A body that is not valid gzip is a problem with status 400.
func (b *Body) Read(p []byte) (int, error) {
	if b.gunzip == nil {
		return b.raw.Read(p)
	}
	if b.bounded && b.useless <= 0 {
		return 0, shape.NewProblem(http.StatusRequestEntityTooLarge, "the body has too much, decompressed, that is blank or too long for a line: the rest is not read")
	}
	n, err := b.gunzip.read(p)
	b.useless -= int64(n)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	if b.raw.err != nil {
		return n, b.raw.err
	}
	return n, shape.NewProblem(http.StatusBadRequest, "the body is not valid gzip: "+fault(err))
}

func (g *gunzip) read(p []byte) (int, error) {
	if !g.began {
		if err := g.out.Reset(g.in); err != nil {
			if errors.Is(err, io.EOF) { // nothing was sent
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		g.began = true
	}
	return g.out.Read(p)
}

// fault says what is wrong with a compressed body.
func fault(err error) string {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	case errors.Is(err, gzip.ErrHeader):
		return "it does not begin as gzip does"
	case errors.Is(err, gzip.ErrChecksum):
		return "its checksum is wrong"
	case errors.As(err, &corrupt):
		return fmt.Sprintf("it is damaged at byte %d", int64(corrupt))
	}
	return err.Error()
}
