package ndjson

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// spilled keeps the lines that are too long.
type spilled struct{ bytes.Buffer }

func (*spilled) Close() error { return nil }

// split reads all lines; a line that is too long comes as "<its text>".
func split(t *testing.T, in io.Reader, max int) (lines []string) {
	t.Helper()
	l := NewReader(in, max)
	var long spilled
	l.Spill = func() io.WriteCloser { return &long }
	for {
		text, tooLong, err := l.Next()
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case err != nil:
			t.Fatal(err)
		case tooLong:
			if !bytes.HasSuffix(long.Bytes(), []byte("\n")) {
				t.Errorf("a spilled line ends with %q", long.Bytes()[max:])
			}
			lines = append(lines, "<"+strings.TrimSuffix(long.String(), "\n")+">")
			long.Reset()
		default:
			lines = append(lines, string(text))
		}
	}
}

// want is a simple implementation of split.
func want(in string, max int) (lines []string) {
	in = strings.TrimPrefix(in, "\ufeff")
	if in == "" {
		return nil
	}
	for _, line := range strings.Split(strings.TrimSuffix(in, "\n"), "\n") {
		if len(line) > max {
			line = "<" + line + ">"
		}
		lines = append(lines, line)
	}
	return lines
}

func compare(t *testing.T, in string, max int) {
	t.Helper()
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(in), "by halves": iotest.HalfReader(strings.NewReader(in)),
		"with the end": iotest.DataErrReader(strings.NewReader(in)),
	} {
		got, want := split(t, r, max), want(in, max)
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Fatalf("%s: %d bytes, max %d: got %d lines %.200q, want %d %.200q", name, len(in), max, len(got), got, len(want), want)
		}
	}
}

func TestLinesComeWholeAndInOrder(t *testing.T) {
	for _, in := range []string{
		"", "\n", "\n\n", "a", "a\n", "a\nb", "\ufeff", "\ufeffa\r\nb\r\n", "a\ufeff\n", "\xff\xfe\n", "abcd\nabcde\nabcdef", "abcdef\n",
	} {
		compare(t, in, 5)
	}
	// Around the buffer's size, and around the longest line.
	const buffer = 256 << 10
	for _, max := range []int{buffer - 1, buffer, buffer + 1, 3 * buffer} {
		for _, n := range []int{buffer - 2, buffer - 1, buffer, buffer + 1, max - 1, max, max + 1, 2*max + 1} {
			x := strings.Repeat("x", n)
			compare(t, "a\n"+x+"\nb\n"+x, max)
			compare(t, x+"\n"+x+"x\n", max)
		}
	}
}

func TestLineThatIsCutOffIsNone(t *testing.T) {
	broken := errors.New("broken")
	l := NewReader(io.MultiReader(strings.NewReader("whole\nhal"), iotest.ErrReader(broken)), 100)
	if text, _, err := l.Next(); string(text) != "whole" || err != nil {
		t.Errorf("first %q, %v", text, err)
	}
	if text, _, err := l.Next(); text != nil || !errors.Is(err, broken) {
		t.Errorf("then %q, %v", text, err)
	}
}

func TestLongLineIsNotKeptInMemory(t *testing.T) {
	l := NewReader(io.MultiReader(io.LimitReader(endless{}, 1<<26), strings.NewReader("\nnext\n")), 1<<20)
	if _, tooLong, err := l.Next(); !tooLong || err != nil {
		t.Errorf("tooLong %v, %v", tooLong, err)
	}
	if cap(l.long) > 2<<20 {
		t.Errorf("%d bytes are kept", cap(l.long))
	}
	if text, _, err := l.Next(); string(text) != "next" || err != nil {
		t.Errorf("then %q, %v", text, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func FuzzLines(f *testing.F) {
	f.Add("a\nbb\r\n\n{}", 3)
	f.Add("\ufeff{\"type\":\"a\"}", 100)
	f.Fuzz(func(t *testing.T, in string, max int) {
		if max < 1 || max > 1<<20 {
			t.Skip()
		}
		compare(t, in, max)
	})
}
