package access_test

import (
	"strings"
	"testing"

	"evrun/cmd/api/access"
)

func TestRightsIncludeThoseBefore(t *testing.T) {
	for _, test := range []struct {
		texts       []string
		allow, deny string
	}{
		{nil, "open", "read emit operate admin"},
		{[]string{"read"}, "open read", "emit operate admin"},
		{[]string{"operate"}, "open read operate", "emit admin"},
		{[]string{"admin"}, "open read emit operate admin", ""},
		{[]string{"emit"}, "open emit", "read operate admin"},
		{[]string{"emit  github.>"}, "open emit", "read operate admin"},
		{[]string{"emit a.*", "read"}, "open emit read", "operate admin"},
	} {
		rights, f := access.ParseRights(test.texts)
		if f != nil {
			t.Errorf("%q: %v", test.texts, f)
		}
		for _, right := range strings.Fields(test.allow) {
			if !rights.Allow(access.Right(right)) {
				t.Errorf("%q does not allow %s", test.texts, right)
			}
		}
		for _, right := range append(strings.Fields(test.deny), "", "root") {
			if rights.Allow(access.Right(right)) {
				t.Errorf("%q allows %q", test.texts, right)
			}
		}
	}
}

func TestARightToEmitIsThatOfItsPatterns(t *testing.T) {
	rights, f := access.ParseRights([]string{"emit github.>", "emit user.*"})
	if f != nil {
		t.Fatal(f)
	}
	for typ, want := range map[string]bool{"github.push": true, "user.created": true, "user.created.late": false, "github": false, "order.paid": false} {
		if rights.MayEmit(typ) != want {
			t.Errorf("%s: %v", typ, !want)
		}
	}
}

func TestAWrongRightIsRefusedWithAHint(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "the right is empty",
		"raed":             `"raed" is not a right`,
		"read x":           "only emit takes a pattern",
		"emit a b":         "write a right for each pattern: emit a, emit b",
		"emit a..b":        "pattern",
		"emit evrun.audit": "evrun's own",
		"open":             "is not a right",
	} {
		_, f := access.ParseRights([]string{"read", text})
		if f == nil || !strings.Contains(f.Message+" "+f.Hint, want) || len(f.Path) != 1 || f.Path[0] != 1 {
			t.Errorf("%q: %+v", text, f)
		}
	}
}
