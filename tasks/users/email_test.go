package users

import (
	"strings"
	"testing"
)

func TestAnAddressIsChecked(t *testing.T) {
	for _, good := range []string{
		"ada@example.com", "a@b", "a.b+c@sub.example.co.uk", "o'brien@example.com", "ADA_1=x@ex-ample.com", "é@müller.de", "日本@例え.jp", "a@123.45",
		strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "com", "%{}|~!#$&*/?^`@x.y",
	} {
		if fault := CheckEmail(good); fault != "" {
			t.Errorf("%s: %s", good, fault)
		}
	}
	for bad, want := range map[string]string{
		"":                               "it is empty",
		"ada":                            `it has no "@"`,
		"@":                              `there is nothing before the "@"`,
		"@example.com":                   `there is nothing before the "@"`,
		"ada@":                           `there is nothing after the "@"`,
		"a@b@c":                          `it has more than one "@"`,
		"a b@c.d":                        "it has a space in it",
		" a@c.d":                         "it has a space in it",
		"a\u00a0b@c.d":                   "it has a space in it",
		"a@c.d\n":                        "it has a control character in it",
		"a@c.d\r\nBcc: x":                "it has a control character in it",
		"a\x00@c.d":                      "it has a control character in it",
		"a\x1b[31m@c.d":                  "it has a control character in it",
		"a\u202e@c.d":                    "it has an invisible character in it",
		"a\u200b@c.d":                    "it has an invisible character in it",
		"a\xff@c.d":                      "it is not valid UTF-8",
		"Ada <ada@c.d>":                  "it has a space in it",
		"<ada@c.d>":                      `it has a '<' in it`,
		"a,b@c.d":                        `it has a ',' in it`,
		`"a"@c.d`:                        `it has a '"' in it`,
		`a\b@c.d`:                        `it has a '\\' in it`,
		".a@c.d":                         `a dot stands alone before the "@"`,
		"a.@c.d":                         `a dot stands alone before the "@"`,
		"a..b@c.d":                       `a dot stands alone before the "@"`,
		"a@.c":                           "its domain has a dot that separates nothing",
		"a@c.":                           "its domain has a dot that separates nothing",
		"a@c..d":                         "its domain has a dot that separates nothing",
		"a@-c.d":                         "a part of its domain begins or ends with a hyphen",
		"a@c-.d":                         "a part of its domain begins or ends with a hyphen",
		"a@c_d.e":                        `its domain has a '_' in it`,
		"a@[127.0.0.1]":                  `it has a '[' in it`,
		"a@c/d":                          `its domain has a '/' in it`,
		"a@" + strings.Repeat("b", 64):   "a part of its domain is longer than 63 bytes",
		strings.Repeat("a", 65) + "@c.d": `it has more than 64 bytes before the "@"`,
		strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "ccccccccccccc": "it is longer than 254 bytes",
	} {
		if got := CheckEmail(bad); got != want {
			t.Errorf("%q: %q, want %q", bad, got, want)
		}
	}
}

func FuzzCheckEmail(f *testing.F) {
	for _, seed := range []string{"ada@example.com", "a@b@c", "\xff@x", "a\n@b", "é@ü.de", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckEmail(s) == "" && (len(s) > maxEmail || strings.Count(s, "@") != 1 || strings.ContainsAny(s, " \r\n\t\x00<>\"")) {
			t.Errorf("%q passed", s)
		}
	})
}
