package table

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"evrun/tasks/expression"
)

// kinds are those of a schema.
func kinds(path []string) (expression.Kind, error) {
	return map[string]expression.Kind{"n": expression.KindNumber, "o.n": expression.KindNumber, "b": expression.KindBool, "l": expression.KindList, "t.": expression.KindNumber}[strings.Join(path, ".")], nil
}

// read reads a table; a row is "line JSON" or "line! why".
func read(t *testing.T, in io.Reader, o Options) (rows []string, originals string, err error) {
	t.Helper()
	if o.MaxRow == 0 {
		o.MaxRow = 1000
	}
	r, err := NewReader(in, o)
	if err != nil {
		return nil, "", err
	}
	originals = string(r.Header())
	for {
		row, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return rows, originals, nil
		case err != nil:
			return rows, originals, err
		case row.Wrong != "":
			rows = append(rows, fmt.Sprintf("%d! %s", row.Line, row.Wrong))
		default:
			if !json.Valid(row.JSON) || strings.ContainsAny(string(row.JSON), "\r\n") {
				t.Errorf("line %d gives %s", row.Line, row.JSON)
			}
			rows = append(rows, fmt.Sprintf("%d %s", row.Line, row.JSON))
		}
		originals += string(row.Original)
	}
}

func TestRowsAreObjects(t *testing.T) {
	for _, x := range []struct {
		in   string
		o    Options
		want string // rows, with | between them
	}{
		{"a,b\n1,x y\n", Options{}, `2 {"a":"1","b":"x y"}`},
		{"\ufeffa,b\r\n1,2\r\n3,4", Options{}, `2 {"a":"1","b":"2"}|3 {"a":"3","b":"4"}`},
		{"a,b\n\"1,\"\"2\"\"\r\n3\",4\n5,6\n", Options{}, `2 {"a":"1,\"2\"\n3","b":"4"}|4 {"a":"5","b":"6"}`},
		{"a;b\n1;2,5\n", Options{Comma: ';'}, `2 {"a":"1","b":"2,5"}`},
		{"a\tb\n1\t2\n", Options{Comma: '\t'}, `2 {"a":"1","b":"2"}`},
		{"a\n\n\n1\n", Options{}, `4 {"a":"1"}`},
		{"a,b,c\n,x,\n,,\n", Options{}, `2 {"b":"x"}|3 {}`},
		{"a.b,c,a.d.e,x\\.y\n1,2,3,4\n,2,,\n", Options{}, `2 {"a":{"b":"1","d":{"e":"3"}},"c":"2","x.y":"4"}|3 {"c":"2"}`},
		{"t[],a,t[]\n1,x,2\n,x,2\n,x,\n", Options{}, `2 {"t":["1","2"],"a":"x"}|3 {"t":["2"],"a":"x"}|4 {"a":"x"}`},
		{"n:=,s\n1.50,1.50\n\"{\"\"a\"\":\n[1]}\",x\nabc,x\n", Options{}, `2 {"n":1.50,"s":"1.50"}|3 {"n":{"a": [1]},"s":"x"}|5! column n:=: "abc" is not valid JSON: `},
		{"n,b,o.n,l,t[]\n 7 ,TRUE,-1e3,[1],5\n\"1,5\",,,,\n,yes,,,\n,,,x,\n,,,,y\n+1,,,,\n", Options{Kind: kinds}, `2 {"n":7,"b":true,"o":{"n":-1e3},"l":[1],"t":[5]}` +
			`|3! column n: "1,5" is not a number such as 1200.5 (the schema says so)|4! column b: "yes" is not true or false (the schema says so)` +
			`|5! column l: "x" is not valid JSON|6! column t[]: "y" is not a number|7! column n: "+1" is not a number`},
		{"a,b\n1\n1,2,3\n1,2\n", Options{}, `2! the row has 1 cell, and the header has 2 columns|3! the row has 3 cells|4 {"a":"1","b":"2"}`},
		{"a,\n1,\n1,x\n", Options{}, `2 {"a":"1"}|3! column 2 has "x", and no name in the header`},
		{"a,b\nx\"y,1\n\"x\" y,1\n1,\xe9\n1,2\n", Options{}, `2! bare " in|3! extraneous or missing " in quoted-field|4! it is not valid UTF-8|5 {"a":"1","b":"2"}`},
		{"a,b\n1,\"x\n2,y\n3,z\n", Options{}, `2! extraneous or missing " in quoted-field, in line 4, where the row goes on; the whole row is refused`},
		{"@id,@time,a,\\@b\n7,,1,2\n,,,\n", Options{Attributes: []string{"id", "time"}, Begin: `{"type":"x",`, End: "}"}, `2 {"type":"x","id":"7","data":{"a":"1","@b":"2"}}|3 {"type":"x","data":{}}`},
	} {
		for name, in := range map[string]io.Reader{"at once": strings.NewReader(x.in), "by bytes": iotest.OneByteReader(strings.NewReader(x.in))} {
			got, originals, err := read(t, in, x.o)
			want := strings.Split(x.want, "|")
			ok := err == nil && len(got) == len(want)
			for i := 0; ok && i < len(got); i++ {
				ok = got[i] == want[i] || strings.Contains(want[i], "!") && strings.HasPrefix(got[i], want[i])
			}
			if !ok {
				t.Errorf("%q %s: got %q, %v\nwant %q", x.in, name, got, err, want)
			}
			if !strings.Contains(x.in, "\n\n") && "\ufeff"+originals != x.in && originals != x.in {
				t.Errorf("%q %s: the originals are %q", x.in, name, originals)
			}
		}
	}
}

func TestWrongHeadersSayWhy(t *testing.T) {
	for in, want := range map[string]string{
		"":                "the file is empty",
		"a;b\n1;2\n":      `is the separator ";"`,
		"a\tb\n":          `is the separator "\t"`,
		"a,a\n":           `column 2, "a": column 1 has the same name; name[] makes a list`,
		"a,a[]\n":         `column 1 has the same name`,
		"a[],a\n":         `column 1 has the same name`,
		"a[],a[]:=\n":     `all := or none`,
		"a,a.b\n":         `column 1 has a value for a, which can't have members`,
		"a.b,a\n":         `another column is a member of it`,
		"a..b,c\n":        `a name is empty`,
		",\n":             `no column has a name`,
		"@x,a\n":          `attributes are @id`,
		"@id,@id\n":       `there are two such columns`,
		"@id:=,a\n":       `can't be :=`,
		"a,\"b\n":         `extraneous or missing "`,
		"a,\xe9\n":        "not valid UTF-8",
		"\xff\xfea\x00\n": "UTF-16",
	} {
		_, err := NewReader(strings.NewReader(in), Options{MaxRow: 1000, Attributes: []string{"id"}})
		var wrong *HeaderError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

// A quote that is not closed would take in the whole file: the row ends at its limit, and is named.
func TestARowThatIsTooLongEndsTheTable(t *testing.T) {
	in := "a,b\n1,2\n\n\"x,3\n" + strings.Repeat("1,2\n", 1<<20)
	rows, _, err := read(t, strings.NewReader(in), Options{MaxRow: 100_000})
	var long *TooLongError
	if !errors.As(err, &long) || long.Line != 4 || len(rows) != 1 {
		t.Errorf("%q, %v", rows, err)
	}
	rows, _, err = read(t, strings.NewReader("a\n"+strings.Repeat(strings.Repeat("x", 99_999)+"\n", 50)), Options{MaxRow: 100_000})
	if err != nil || len(rows) != 50 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// What was read ahead and the row are in memory, and nothing else.
func TestMemoryIsThatOfARow(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	r, err := NewReader(io.MultiReader(strings.NewReader("a\n"), strings.NewReader(strings.Repeat(line, 100_000))), Options{MaxRow: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := cap(r.text.text); n > 1<<20 {
		t.Errorf("%d bytes are kept", n)
	}
}

func FuzzTable(f *testing.F) {
	f.Add("a,b.c,t[],t[]\n1,\"2\n\",3,\n")
	f.Add("\ufeffa:=,@id\r\n\"[1]\",x\r\n")
	f.Add("\r.0")
	f.Add("\ufeff\ufeff")
	f.Add("\ufeff\n\ufeffa\n1\n")
	f.Fuzz(func(t *testing.T, in string) {
		rows, originals, err := read(t, strings.NewReader(in), Options{Attributes: []string{"id"}, Begin: "{", End: "}"})
		var header *HeaderError
		var long *TooLongError
		if errors.As(err, &header) || errors.As(err, &long) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		// The originals are the table, without blank lines: the same rows come of them.
		again, _, err := read(t, strings.NewReader(originals), Options{Attributes: []string{"id"}, Begin: "{", End: "}"})
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%q has %d rows %q, its originals %q %d %q (%v)", in, len(rows), rows, originals, len(again), again, err)
		}
		// encoding/csv has as many rows that it can read.
		c := csv.NewReader(strings.NewReader(strings.TrimPrefix(in, "\ufeff")))
		c.FieldsPerRecord = -1
		n := -1
		for {
			if _, err := c.Read(); errors.Is(err, io.EOF) {
				break
			}
			n++
		}
		if n != len(rows) {
			t.Fatalf("%q has %d rows, want %d", in, len(rows), n)
		}
	})
}
