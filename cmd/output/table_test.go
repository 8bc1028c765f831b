package output

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The cells of a table may be untrusted: control characters are escaped, and wide characters count as two cells.
func TestCellsAreEscapedAndAligned(t *testing.T) {
	var b strings.Builder
	table := (&Printer{Out: &b}).Table("NAME", "N", "TEXT")
	table.Row("a\x1b[31m", 1, "x")
	table.Row("日本", 22, "")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "" +
		"NAME         N   TEXT\n" +
		"a\\u001b[31m  1   x\n" +
		"日本         22\n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// A table that is wider than the terminal loses the columns with the highest rank, then the ends of its widest cells; never a part of the first
// column, of a time, a number or a state.
func TestATableFitsTheTerminal(t *testing.T) {
	columns := []Column[string]{
		{Title: "RUN", Text: func(string) any { return "17-announce-rw66tapn" }},
		{Title: "STATE", Text: func(string) any { return State("succeeded") }},
		{Title: "TYPE", Text: func(s string) any { return s }, Rank: 1, Least: 10},
		{Title: "TIME", Text: func(string) any { return time.Unix(1767225600, 0) }, Rank: 3},
		{Title: "ERROR", Text: func(s string) any { return s }, Rank: 2, Least: 12, Most: 80},
	}
	for width, want := range map[int]string{
		0:   "17-announce-rw66tapn  succeeded  " + strings.Repeat("e", 90) + "  2026-01-01T00:00:00Z  " + strings.Repeat("e", 79) + "…",
		100: "17-announce-rw66tapn  succeeded  eeeeeeeeeeeeeeeeeeee…  2026-01-01T00:00:00Z  eeeeeeeeeeeeeeeeeeeee…",
		79:  "17-announce-rw66tapn  succeeded  eeeeeeeee…  2026-01-01T00:00:00Z  eeeeeeeeeee…",
		78:  "17-announce-rw66tapn  succeeded  eeeeeeeeeeeeeeeeeeee…  eeeeeeeeeeeeeeeeeeeee…",
		48:  "17-announce-rw66tapn  succeeded  eeeeeeeeeeeeee…",
		40:  "17-announce-rw66tapn  succeeded",
		5:   "17-announce-rw66tapn  succeeded",
	} {
		var b strings.Builder
		if err := List(&Printer{Out: &b, Width: width}, columns, []string{strings.Repeat("e", 90)}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(b.String(), "\n")[1]; got != want {
			t.Errorf("%d cells:\n%s\n%s", width, got, want)
		}
	}
}

// Colours take no room.
func TestColoursAreNoPartOfTheWidth(t *testing.T) {
	var b strings.Builder
	table := (&Printer{Out: &b, Color: true, Width: 20}).Table()
	table.Row("a", State("dead"), "x")
	table.Row("b", State("succeeded"), "y")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "a  \x1b[31mdead\x1b[0m       x\nb  \x1b[32msucceeded\x1b[0m  y\n"; b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

// The values of a record are wrapped on a terminal, and whole.
func TestARecordIsWrapped(t *testing.T) {
	for width, want := range map[int]string{
		0:  "run    17-announce\nerror  日本 the disk is full of old things\n",
		24: "run    17-announce\nerror  日本 the disk is\n       full of old\n       things\n",
		5:  "run    17-announce\nerror  日本 the disk is\n       full of old\n       things\n",
	} {
		var b strings.Builder
		table := (&Printer{Out: &b, Width: width}).Table()
		table.Field("run", "17-announce")
		table.Field("reason", "")
		table.Value("finished", (*time.Time)(nil))
		table.Value("error", "日本 the disk is full of old things")
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%d cells:\n%swant\n%s", width, b.String(), want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, x := range []struct {
		text  string
		cells int
		want  string
	}{
		{"", 5, ""}, {"one two", 7, "one two"}, {"one two", 6, "one/two"}, {"one two", 3, "one/two"}, {"one  two", 4, "one/two"},
		{"abcdefgh ij", 3, "abc/def/gh/ij"}, {"日本語", 4, "日本/語"}, {"日", 1, "日"}, {"  a b", 3, "  a/b"},
	} {
		if got := strings.Join(Wrap(x.text, x.cells), "/"); got != x.want {
			t.Errorf("%q in %d cells: %q, want %q", x.text, x.cells, got, x.want)
		}
	}
}

// Pages of a list are read until there is none, or the limit is reached. A page may have few rows, or none.
func TestPagesEndAtTheLimit(t *testing.T) {
	columns := []Column[int]{{Title: "N", Text: func(n int) any { return n }}}
	for _, x := range []struct {
		stored, most, limit, printed int
		rest                         string
	}{
		{0, 9, 0, 0, ""}, {0, 9, 3, 0, ""}, {3, 9, 3, 3, ""}, {4, 9, 3, 3, "3"}, {2500, 9999, 0, 2500, ""}, {2500, 9999, 2500, 2500, ""},
		{2500, 9999, 1000, 1000, "1000"}, {20, 7, 0, 20, ""}, {20, 7, 9, 9, "9"},
	} {
		var b strings.Builder
		empty := false
		rest, err := Pages(&Printer{Out: &b}, columns, "", x.limit, func(after string, n int) (page []int, next string, err error) {
			from, _ := strconv.Atoi(after)
			if empty = !empty; empty && x.stored > from {
				return nil, strconv.Itoa(from), nil
			}
			for i := from + 1; i <= min(x.stored, from+n, from+x.most); i++ {
				page = append(page, i)
			}
			if from+len(page) < x.stored {
				next = strconv.Itoa(from + len(page))
			}
			return page, next, nil
		})
		lines := strings.Fields(b.String())
		if err != nil || rest != x.rest || len(lines) != x.printed+1 || lines[0] != "N" || lines[x.printed] != fmt.Sprint(x.printed) && x.printed > 0 {
			t.Errorf("%+v: %d lines, rest %q, %v", x, len(lines), rest, err)
		}
	}
	broken := errors.New("broken")
	rest, err := Pages(&Printer{Out: &strings.Builder{}}, columns, "7", 0, func(string, int) ([]int, string, error) { return nil, "", broken })
	if !errors.Is(err, broken) || rest != "7" {
		t.Errorf("%v at %q", err, rest)
	}
}
