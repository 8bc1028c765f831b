package capture

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"evrun/store"
	"evrun/tasks/expression"
)

func secretsOf(values ...string) *expression.Secrets {
	s := &expression.Secrets{}
	for _, v := range values {
		s.Add(v)
	}
	return s
}

// write writes text in pieces of random length.
func write(r *rand.Rand, to io.Writer, text string) {
	for text != "" {
		n := 1 + r.IntN(min(len(text), 1+r.IntN(9000)))
		_, _ = to.Write([]byte(text[:n]))
		text = text[n:]
	}
}

// A buffer keeps the same beginning and end, however its text was written, and whichever smaller limit is asked for.
func TestBuffer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		limit := 2 + r.IntN(200)
		text := make([]byte, r.IntN(3*limit))
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		b := buffer{limit: limit}
		for rest := text; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			b.write(rest[:n])
			rest = rest[n:]
		}
		ask := 2 + r.IntN(limit)
		head, tail, omitted := b.cut(ask)
		ask = min(ask, limit)
		switch {
		case len(text) <= ask && (head != string(text) || tail != "" || omitted != 0):
			t.Fatalf("limit %d, %d of %d bytes: %q + %q, %d omitted", limit, ask, len(text), head, tail, omitted)
		case len(text) > ask && (head != string(text[:ask/2]) || tail != string(text[len(text)-ask/2:]) || omitted != int64(len(text)-ask/2*2)):
			t.Fatalf("limit %d, %d of %d bytes: %d + %d, %d omitted", limit, ask, len(text), len(head), len(tail), omitted)
		}
	}
}

// What is kept has no part of a secret that could be recognized, wherever the cut is, and however the secret was written.
func TestSecretAtTheCut(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu\n-----END KEY-----"
	secret := "hunter2-correct-horse"
	r := rand.New(rand.NewPCG(3, 4))
	for _, value := range []string{secret, key} {
		for range 200 {
			c := New(2048, secretsOf(value))
			out := c.Stream("stdout")
			f := c.Follow()
			filler := strings.Repeat(".", 700+r.IntN(400))
			if r.IntN(2) == 0 {
				filler = strings.Repeat("line\n", 140+r.IntN(80))
			}
			text := filler + value + strings.Repeat("=", 3000) + value + filler
			write(r, out, text)
			live := drain(t, c, f)
			kept := c.Output().Streams[0]
			for what, got := range map[string]string{"head": kept.Head, "tail": kept.Tail, "followed": live.String()} {
				for n := 8; n < len(value); n++ {
					if strings.HasSuffix(got, value[:n]) || strings.HasPrefix(got, value[len(value)-n:]) || strings.Contains(got, value) {
						t.Fatalf("%s ends or begins inside the secret: %q", what, got)
					}
				}
			}
			if !strings.Contains(live.String(), "[secret]") {
				t.Fatalf("followed: %q", live.String())
			}
		}
	}
}

// drain ends the attempt and returns what its follower gets.
func drain(t *testing.T, c *Capture, f *Follower) *bytes.Buffer {
	t.Helper()
	c.End()
	all := &bytes.Buffer{}
	for {
		pieces, err := f.Next(t.Context(), nil)
		for _, p := range pieces {
			all.WriteString(p.Text)
		}
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What a follower gets, at whatever moments it reads, is what was written, and each piece ends with a line.
func TestFollow(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	secret := "s3cr3t-value"
	for range 100 {
		c := New(None, secretsOf(secret))
		out, errs := c.Stream("stdout"), c.Stream("stderr")
		var want [2]string
		write := func() {
			text := []string{"a line\n", "half a l", secret, secret[:5], "\n", "é", "\xc3", strings.Repeat("x", 5000)}[r.IntN(8)]
			i := r.IntN(2)
			want[i] += text
			_, _ = []*Stream{out, errs}[i].Write([]byte(text))
		}
		for range r.IntN(20) {
			write()
		}
		f := c.Follow()
		got := map[string]string{}
		take := func() bool {
			pieces, err := f.Next(t.Context(), nil)
			for _, p := range pieces {
				if p.Omitted > 0 {
					t.Fatalf("%d bytes left out of %s", p.Omitted, p.Stream)
				}
				got[p.Stream] += p.Text
			}
			return err == nil
		}
		for range r.IntN(20) {
			before := len(got["stdout"]) + len(got["stderr"])
			_, _ = out.Write([]byte("\n"))
			want[0] += "\n"
			if take(); before == len(got["stdout"])+len(got["stderr"]) {
				t.Fatal("nothing came")
			}
			write()
		}
		c.End()
		for take() {
		}
		for i, name := range []string{"stdout", "stderr"} {
			if w := strings.ToValidUTF8(strings.ReplaceAll(want[i], secret, expression.Masked), "\uFFFD"); got[name] != w {
				t.Fatalf("%s: got %q, want %q", name, got[name], w)
			}
		}
		if c.Output() != nil {
			t.Fatal("something was kept")
		}
		f.Close()
	}
}

// A follower that does not read holds nobody up, holds 256 KiB, and learns what it lost.
func TestSlowFollower(t *testing.T) {
	c := New(0, nil)
	out, errs := c.Stream("stdout"), c.Stream("stderr")
	f := c.Follow()
	defer f.Close()
	line := []byte(strings.Repeat("x", 99) + "\n")
	const lines = 100_000
	for i := range lines {
		_, _ = out.Write(line)
		if i%1000 == 0 {
			_, _ = errs.Write([]byte("e\n"))
		}
		if f.bytes > maxPending+len(line) {
			t.Fatalf("%d bytes wait", f.bytes)
		}
	}
	c.End()
	var got, lost int64
	for {
		pieces, err := f.Next(t.Context(), nil)
		for _, p := range pieces {
			got, lost = got+int64(len(p.Text)), lost+p.Omitted
		}
		if err != nil {
			break
		}
	}
	if want := int64(lines*len(line) + lines/1000*2); got+lost != want || got == 0 || lost == 0 {
		t.Errorf("%d bytes came, %d were lost, of %d", got, lost, want)
	}
}

// Hostile outputs stay within the bound, and are valid UTF-8.
func TestHostile(t *testing.T) {
	for name, chunk := range map[string]string{
		"binary": "\x00\xff\xfe\x01", "invalid UTF-8": "a\xff", "half characters": "\xe2\x82", "no newline": "x", "newlines": "\n",
		"control characters": "\x1b[31m", "secrets": "abcd", "empty": "",
	} {
		c := New(0, secretsOf("abcd"))
		for _, stream := range []string{"stdout", "stderr"} {
			s := c.Stream(stream)
			for range 10 << 20 / (16 << 10) {
				_, _ = s.Write([]byte(strings.Repeat(chunk, 16<<10/max(len(chunk), 1))))
			}
		}
		o := c.Output()
		if name == "empty" {
			if o != nil {
				t.Errorf("empty: %+v", o)
			}
			continue
		}
		if n := o.Size(); n > 2*Default || n < Default && name != "half characters" && name != "binary" {
			t.Errorf("%s: %d bytes are kept", name, n)
		}
		for _, s := range o.Streams {
			if !utf8.ValidString(s.Head) || !utf8.ValidString(s.Tail) || s.Omitted < 9<<20 || strings.Contains(s.Head+s.Tail, "abcd") {
				t.Errorf("%s: %s has %d + %d bytes, %d omitted", name, s.Name, len(s.Head), len(s.Tail), s.Omitted)
			}
		}
	}
}

// An output is saved again only if something has changed.
func TestUnsaved(t *testing.T) {
	c := New(0, nil)
	out := c.Stream("stdout")
	sizes := []int{}
	see := func() { sizes = append(sizes, c.Unsaved().Size()) }
	see()
	_, _ = out.Write([]byte("one"))
	see()
	see()
	_, _ = out.Write([]byte("two"))
	see()
	if want := []int{0, 3, 0, 6}; !slices.Equal(sizes, want) {
		t.Errorf("saved %v, want %v", sizes, want)
	}
	if got := c.Output(); got.Streams[0] != (store.Stream{Name: "stdout", Head: "onetwo"}) {
		t.Errorf("kept %+v", got)
	}
}
