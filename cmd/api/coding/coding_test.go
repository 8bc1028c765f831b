package coding_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"evrun/cmd/api/coding"
	"evrun/cmd/api/shape"
)

// compressed is a text in one member of gzip.
func compressed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// open opens a body that is sent with these codings.
func open(t testing.TB, body io.Reader, encoding ...string) (*coding.Body, *httptest.ResponseRecorder, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.Header["Content-Encoding"] = encoding
	w := httptest.NewRecorder()
	b, err := coding.Open(w, r)
	if err == nil {
		t.Cleanup(b.Close)
	}
	return b, w, err
}

func status(err error) int {
	var p *shape.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	if err != nil {
		return shape.ProblemOf(err).Status
	}
	return 0
}

func TestABodyIsReadAsItsCodingSays(t *testing.T) {
	for name, x := range map[string]struct {
		encoding []string
		body     string
		want     string
	}{
		"no coding":     {nil, "hello", "hello"},
		"identity":      {[]string{"identity"}, "hello", "hello"},
		"gzip":          {[]string{"gzip"}, string(compressed(t, "hello")), "hello"},
		"its old name":  {[]string{" X-GZIP "}, string(compressed(t, "hello")), "hello"},
		"two members":   {[]string{"gzip"}, string(compressed(t, "hel")) + string(compressed(t, "lo")), "hello"},
		"nothing in it": {[]string{"gzip"}, string(compressed(t, "")), ""},
	} {
		b, _, err := open(t, strings.NewReader(x.body), x.encoding...)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := b.ReadAll(5); err != nil || string(text) != x.want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for _, encoding := range [][]string{{"br"}, {"gzip, gzip"}, {"gzip", "br"}, {"deflate"}, {"zstd"}} {
		_, w, err := open(t, strings.NewReader(""), encoding...)
		if status(err) != http.StatusUnsupportedMediaType || w.Header().Get("Accept-Encoding") != "gzip" {
			t.Errorf("%v: %v, %v", encoding, err, w.Header())
		}
	}
}

func TestABodyThatIsNotGzipIsRefused(t *testing.T) {
	whole := compressed(t, strings.Repeat("hello ", 100))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-8] ^= 1
	for name, x := range map[string]struct {
		body []byte
		want string
	}{
		"plain text":        {[]byte("hello, this is no gzip"), "does not begin"},
		"an empty body":     {nil, "ends in the middle"},
		"a short one":       {whole[:5], "ends in the middle"},
		"cut off":           {whole[:len(whole)-9], "ends in the middle"},
		"a wrong checksum":  {damaged, "checksum"},
		"damaged":           {append(bytes.Clone(whole[:10]), 0xff, 0xff, 0xff), "damaged at byte"},
		"text after it":     {append(bytes.Clone(whole), "hello, this is no gzip"...), "does not begin"},
		"not even a header": {[]byte("x"), "ends in the middle"},
	} {
		b, _, err := open(t, bytes.NewReader(x.body), "gzip")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.ReadAll(1000); status(err) != http.StatusBadRequest || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A client that goes away has not sent a wrong body.
	broken := errors.New("broken")
	b, _, err := open(t, io.MultiReader(bytes.NewReader(whole[:20]), iotest.ErrReader(broken)), "gzip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAll(1000); !errors.Is(err, broken) {
		t.Errorf("a connection that ends: %v", err)
	}
}

func TestALimitCountsWhatComesOut(t *testing.T) {
	const limit = 1 << 20
	for _, x := range []struct {
		size, status int
	}{{limit, 0}, {limit + 1, 413}, {100 * limit, 413}} {
		for _, encoding := range []string{"gzip", "identity"} {
			body := []byte(strings.Repeat("x", x.size))
			if encoding == "gzip" {
				body = compressed(t, string(body))
			}
			b, _, err := open(t, bytes.NewReader(body), encoding)
			if err != nil {
				t.Fatal(err)
			}
			text, err := b.ReadAll(limit)
			if status(err) != x.status || err == nil && len(text) != x.size {
				t.Errorf("%s of %d bytes: %v", encoding, x.size, err)
			}
		}
	}
}

// endless sends the same bytes for ever, and counts them.
type endless struct {
	text []byte
	sent int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], e.text[(e.sent+n)%len(e.text):])
	}
	e.sent += n
	return n, nil
}

// A bomb is refused after bounded work and memory: one that becomes 256 MiB, and one that never becomes anything.
func TestABombCostsLittle(t *testing.T) {
	const limit = 4 << 20
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 256 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in := bytes.NewReader(bomb.Bytes())
	b, _, err := open(t, in, "gzip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAll(limit); status(err) != 413 {
		t.Errorf("a bomb: %v", err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8*limit {
		t.Errorf("it took %d bytes of memory", used)
	}
	if read := bomb.Len() - in.Len(); read > bomb.Len()/8 {
		t.Errorf("%d of its %d bytes were read", read, bomb.Len())
	}
	empty := &endless{text: compressed(t, "")}
	if b, _, err = open(t, empty, "gzip"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAll(limit); status(err) != 413 || empty.sent > 2*limit {
		t.Errorf("a body without contents: %d bytes read, %v", empty.sent, err)
	}
}

func TestWhatComesOutInVainIsBounded(t *testing.T) {
	blank := strings.Repeat("\n", 1<<20)
	for name, x := range map[string]struct {
		encoding string
		used     int
		status   int
	}{
		"blank lines":                 {"gzip", 0, 413},
		"useful lines":                {"gzip", 4096, 0},
		"blank lines, not compressed": {"identity", 0, 0},
	} {
		body := blank
		if x.encoding == "gzip" {
			body = string(compressed(t, blank))
		}
		b, _, err := open(t, strings.NewReader(body), x.encoding)
		if err != nil {
			t.Fatal(err)
		}
		b.Bound(100_000)
		n, part := 0, make([]byte, 4096)
		for err == nil {
			var got int
			got, err = b.Read(part)
			n += got
			b.Used(min(got, x.used))
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if status(err) != x.status || err == nil && n != len(blank) || err != nil && n > 110_000 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// What was flushed can be read at once, although the body goes on.
func TestABodyIsReadAsItComes(t *testing.T) {
	from, to := io.Pipe()
	b, _, err := open(t, from, "gzip")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 2) // a flush can end after its line has been read
	go func() {
		w := gzip.NewWriter(to)
		for line := range lines {
			_, _ = io.WriteString(w, line)
			_ = w.Flush()
		}
		_ = w.Close()
		_ = to.Close()
	}()
	for _, line := range []string{"one\n", "two\n"} {
		lines <- line
		text := make([]byte, 100)
		if n, err := b.Read(text); err != nil || string(text[:n]) != line {
			t.Fatalf("%q, %v", text[:n], err)
		}
	}
	close(lines)
	if n, err := b.Read(make([]byte, 100)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func FuzzGzip(f *testing.F) {
	f.Add(compressed(f, "hello"))
	f.Add(compressed(f, strings.Repeat("x", 10_000)))
	f.Add([]byte("\x1f\x8b\x08\x04"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 1000
		b, _, err := open(t, bytes.NewReader(body), "gzip")
		if err != nil {
			t.Fatal(err)
		}
		text, err := b.ReadAll(limit)
		if err != nil {
			if s := status(err); s != 400 && s != 413 {
				t.Fatalf("status %d: %v", s, err)
			}
			return
		}
		if len(text) > limit {
			t.Fatalf("%d bytes", len(text))
		}
		if again, err := readBack(t, compressed(t, string(text))); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q became %q, %v", text, again, err)
		}
	})
}

// readBack reads a compressed body.
func readBack(t testing.TB, body []byte) ([]byte, error) {
	t.Helper()
	b, _, err := open(t, bytes.NewReader(body), "gzip")
	if err != nil {
		return nil, err
	}
	return b.ReadAll(1000)
}
