package shorthand

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\n", nil},
		{"./a.sh", []string{"./a.sh"}},
		{"./a.sh one  two\n three ", []string{"./a.sh", "one", "two", "three"}},
		{`./a.sh 'one two' "three four"`, []string{"./a.sh", "one two", "three four"}},
		{`./a.sh "it's" 'say "x"'`, []string{"./a.sh", "it's", `say "x"`}},
		{`./a.sh --x="a b"c ''`, []string{"./a.sh", "--x=a bc", ""}},
		{`'/opt/my tool/run' x`, []string{"/opt/my tool/run", "x"}},
		{"./a.sh ${ data.x }", []string{"./a.sh", "${ data.x }"}},
		{"./a.sh --x=${ data.x }.txt", []string{"./a.sh", "--x=${ data.x }.txt"}},
		{`./a.sh ${ data.x ?? "a b | c" } y`, []string{"./a.sh", `${ data.x ?? "a b | c" }`, "y"}},
		{`./a.sh "${ data.x ?? "a" } b"`, []string{"./a.sh", `${ data.x ?? "a" } b`}},
		{`./a.sh '${ {"a": 1}.a }'`, []string{"./a.sh", `${ {"a": 1}.a }`}},
		{"./a.sh $${HOME} a${data.x}b", []string{"./a.sh", "$${HOME}", "a${data.x}b"}},
		{`./a.sh '|' "*" '$HOME' '\' "~"`, []string{"./a.sh", "|", "*", "$HOME", `\`, "~"}},
		{`git reset HEAD~1 --a=~ 5$ x=y C:\x #1`, []string{"git", "reset", "HEAD~1", "--a=~", "5$", "x=y", `C:\x`, "#1"}},
		{"env A=1 ./a.sh {a,b} [c] !d", []string{"env", "A=1", "./a.sh", "{a,b}", "[c]", "!d"}},
	} {
		words, f := wordsOf(test.line)
		if f != nil {
			t.Errorf("%q: %v", test.line, f.Message)
			continue
		}
		var got []string
		for _, w := range words {
			value := ""
			for _, at := range w.at {
				value += test.line[at : at+1]
			}
			got = append(got, value)
			if w.start > w.end || w.end > len(test.line) || len(w.at) > 0 && (w.at[0] < w.start || w.at[len(w.at)-1] >= w.end) {
				t.Errorf("%q: %q is from %d to %d", test.line, value, w.start, w.end)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.line, got, test.want)
		}
	}
}

func TestWhatOnlyAShellWouldUnderstand(t *testing.T) {
	for line, want := range map[string]string{
		"./a.sh | cat":        "|",
		"./a.sh && ./b.sh":    "&",
		"./a.sh; ./b.sh":      ";",
		"./a.sh >out":         ">",
		"./a.sh <in":          "<",
		"./a.sh (x":           "(",
		"./a.sh x)":           ")",
		"./a.sh `date`":       "`",
		"./a.sh $(date)":      "$(",
		"./a.sh *.txt":        "*",
		"./a.sh a?b":          "?",
		"./a.sh ~":            "~",
		"./a.sh ~/x":          "~",
		"./a.sh $HOME":        "$HOME",
		"./a.sh x$HOME/y":     "$HOME",
		"./a.sh $1":           "$1",
		"A=1 ./a.sh":          "A=",
		`./a.sh a\ b`:         `\`,
		"./a.sh \\\n b":       `\`,
		"./a.sh it's":         "'",
		`./a.sh "x`:           `"`,
		"./a.sh ${ data.x":    "$",
		`./a.sh ${ "x }`:      `"`,
		"./a.sh '${ data.x'":  "'",
		"./a.sh 'a' \"b\" |c": "|",
	} {
		_, f := wordsOf(line)
		if f == nil {
			t.Errorf("%q: no fault", line)
		} else if got := line[f.Offset:f.end]; got != want || f.Hint == "" {
			t.Errorf("%q: the fault is at %q (%s; %s), want %q", line, got, f.Message, f.Hint, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`./a.sh 'one two' "${ data.x }" | \ $HOME`)
	f.Fuzz(func(t *testing.T, line string) {
		words, fault := wordsOf(line)
		if fault != nil && (fault.Offset < 0 || fault.end > len(line) || fault.Offset >= fault.end) {
			t.Errorf("%q: a fault from %d to %d", line, fault.Offset, fault.end)
		}
		last := 0
		for _, w := range words {
			if w.start < last || w.end <= w.start || w.end > len(line) {
				t.Errorf("%q: a word from %d to %d", line, w.start, w.end)
			}
			last = w.end
		}
	})
}
