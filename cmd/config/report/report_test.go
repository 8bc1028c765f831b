package report

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAFaultHasItsSeverityInJSON(t *testing.T) {
	for f, want := range map[*Fault]string{{Message: "m"}: `{"severity":"error","file":"","message":"m"}`, {Message: "m", Warning: true}: `{"severity":"warning","file":"","message":"m"}`} {
		if got, err := json.Marshal(f); err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
	}
}

func TestErrorsAndWarningsAreCounted(t *testing.T) {
	e := &Errors{Faults: []Fault{{File: "f", Message: "m"}, {File: "f", Message: "w", Warning: true}, {File: "f", Message: "n"}}}
	if s := e.Pretty(false); !strings.HasSuffix(s, "2 errors, 1 warning\n") || !strings.Contains(s, "f: warning: w") {
		t.Error(s)
	}
}

func TestTheMarkStandsInTerminalCells(t *testing.T) {
	for line, want := range map[string]string{
		`日本: x`:              "      ^", // two cells a character
		"e\u0301te\u0301: x": "     ^",  // no cell for a combining mark
		"\tkey: x":           "      ^", // a tab is shown as a space
	} {
		at := strings.IndexByte(line, 'x')
		f := Fault{Line: 1, Column: 1 + utf8.RuneCountInString(line[:at]), SourceLine: line, Width: 1}
		text, before, width := f.excerpt()
		if got := strings.Repeat(" ", before) + strings.Repeat("^", width); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", text, got, want)
		}
	}
}
