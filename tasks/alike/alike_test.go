package alike_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"evrun/tasks/alike"
)

func TestTextsThatDifferInNumbersAndNamesAreAlike(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"", ""},
		{"connection refused", "connection refused"},
		{"dial tcp 10.0.0.7:443: connection refused", "dial tcp #: connection refused"},
		{"dial tcp [fe80::1]:443: connect: refused", "dial tcp [#::#]:#: connect: refused"},
		{`exit status 3: no user "ada" in order 4711`, `exit status 3: no user "…" in order #`},
		{"exit status 17", "exit status 17"},
		{"signal: killed", "signal: killed"},
		{"POST https://api.example.com: 503 Service Unavailable", "POST https://api.example.com: 503 Service Unavailable"},
		{"404 Not Found", "404 Not Found"},
		{"404 things are missing", "# things are missing"},
		{"the proxy p.example:3128 answered 502 Bad Gateway", "the proxy p.example:# answered 502 Bad Gateway"},
		{"order 550e8400-e29b-41d4-a716-446655440000 is unknown", "order # is unknown"},
		{"order abcd-effe-01 and a-bad-cafe", "order # and a-bad-cafe"},
		{"order-17 failed after 1.5s (2 of 1,000)", "order-# failed after # (# of #)"},
		{"it's 'Ada' who can't", "it's '…' who can't"},
		{"no such file: `a b`", "no such file: `…`"},
		{`an open " quote 7`, `an open " quote #`},
		{`a "quote \" in a" quote`, `a "…" quote`},
		{"  two\n\tlines ", "two lines"},
		{"at 2026-11-27T14:28:00Z it broke", "at # it broke"},
		{"größe 12 für Zoë", "größe # für Zoë"},
		{"code=7, errno: 12, version 1.2.3", "code=7, errno: 12, version #"},
	} {
		if got := alike.Text(x.text); got != x.want {
			t.Errorf("%q: %q, want %q", x.text, got, x.want)
		}
	}
}

// Whatever the text is made of, the work grows with its length alone.
func TestLongTextsAreClippedAndFast(t *testing.T) {
	began := time.Now()
	for _, part := range []string{"'", `"`, "'a ", "1-", "a1.", "abc-", "é", "\xff", "# ", `\"`} {
		got := alike.Text(strings.Repeat(part, 1<<20))
		if len(got) > alike.MaxResult || !utf8.ValidString(got) {
			t.Errorf("%q: %d bytes: %q", part, len(got), got)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzText(f *testing.F) {
	f.Add("exit status 3: no user \"ada\" in order 4711")
	f.Fuzz(func(t *testing.T, s string) {
		got := alike.Text(s)
		if len(got) > alike.MaxResult || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\t") {
			t.Errorf("%q: %q", s, got)
		}
	})
}
