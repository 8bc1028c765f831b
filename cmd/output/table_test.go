package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
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
		"日本         22  \n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// A table that is wider than the terminal loses the ends of its widest cells, and no column gets narrower than 8 cells.
func TestATableFitsTheTerminal(t *testing.T) {
	rows := func(p *Printer) []string {
		var b strings.Builder
		p.Out = &b
		table := p.Table("ID", "SOURCE", "DATA")
		table.Row(7, strings.Repeat("s", 20), strings.Repeat("d", 50))
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	for _, x := range []struct {
		width int
		want  string
	}{
		{0, "7   " + strings.Repeat("s", 20) + "  " + strings.Repeat("d", 50)},
		{76, "7   " + strings.Repeat("s", 20) + "  " + strings.Repeat("d", 50)},
		{60, "7   " + strings.Repeat("s", 20) + "  " + strings.Repeat("d", 33) + "…"},
		{30, "7   sssssssssss…  ddddddddddd…"},
		{5, "7   sssssss…  ddddddd…"},
	} {
		if got := rows(&Printer{Width: x.width}); got[1] != x.want {
			t.Errorf("%d cells: %q, want %q", x.width, got[1], x.want)
		}
	}
}

// The first column, which people copy, is not clipped, and times are clipped last.
func TestIDsAndTimesAreKept(t *testing.T) {
	columns := []Column[string]{
		{Title: "RUN", Text: func(string) any { return "17-announce-rw66tapn" }}, {Title: "TYPE", Text: func(s string) any { return s }},
		{Title: "TIME", Text: func(string) any { return "2026-01-01T00:00:00Z" }, Time: true}, {Title: "ERROR", Text: func(s string) any { return s }},
	}
	for width, want := range map[int]string{
		80: "17-announce-rw66tapn  eeeeeeeeeeeeeeee…  2026-01-01T00:00:00Z  eeeeeeeeeeeeeeee…",
		62: "17-announce-rw66tapn  eeeeeee…  2026-01-01T00:00:00Z  eeeeeee…",
		30: "17-announce-rw66tapn  eeeeeee…  2026-01…  eeeeeee…",
	} {
		var b strings.Builder
		if err := List(&Printer{Out: &b, Width: width}, columns, []string{strings.Repeat("e", 90)}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(b.String(), "\n")[1]; got != want {
			t.Errorf("%d cells: %q, want %q", width, got, want)
		}
	}
}

// Pages of a list are read until one is empty or the limit is reached; a row more than the limit is read, and not printed.
func TestPagesEndAtTheLimit(t *testing.T) {
	columns := []Column[int]{{Title: "N", Text: func(n int) any { return n }}}
	for _, x := range []struct {
		stored, limit, printed int
		more                   bool
	}{{0, 0, 0, false}, {0, 3, 0, false}, {3, 3, 3, false}, {4, 3, 3, true}, {2500, 0, 2500, false}, {2500, 2500, 2500, false}, {2500, 1000, 1000, true}} {
		var b strings.Builder
		more, err := Pages(&Printer{Out: &b}, columns, x.limit, func(last *int, n int) (page []int, err error) {
			from := 0
			if last != nil {
				from = *last
			}
			for i := from + 1; i <= min(x.stored, from+n); i++ {
				page = append(page, i)
			}
			return page, nil
		})
		lines := strings.Fields(b.String())
		if err != nil || more != x.more || len(lines) != x.printed+1 || lines[0] != "N" || lines[x.printed] != fmt.Sprint(x.printed) && x.printed > 0 {
			t.Errorf("%+v: %d lines, more %v, %v", x, len(lines), more, err)
		}
	}
	broken := errors.New("broken")
	if _, err := Pages(&Printer{Out: &strings.Builder{}}, columns, 0, func(*int, int) ([]int, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
