package events

import (
	"errors"
	"strings"
	"testing"
)

func TestPatternSelectsTypesByToken(t *testing.T) {
	for _, tt := range []struct {
		pattern   string
		yes, noes []string
	}{
		{"user.created", []string{"user.created"}, []string{"user", "user.created.now", "User.created", "user.create", ""}},
		{"user.*", []string{"user.created", "user.é"}, []string{"user", "user.", "user.created.now", "users.created", ".created"}},
		{"*.created", []string{"user.created"}, []string{"created", ".created", "a.b.created"}},
		{"*", []string{"user"}, []string{"", "user.created", "."}},
		{"*.*.x", []string{"a.b.x"}, []string{"a.x", "a.b.c", "a.b.x.y"}},
		{"order.>", []string{"order.paid", "order.item.added"}, []string{"order", "order.", "orders.paid"}},
		{"order.*.>", []string{"order.item.added", "order.item.a.b"}, []string{"order.item", "order"}},
		{">", []string{"user", "a.b.c.d"}, []string{""}},
	} {
		p := MustPattern(tt.pattern)
		if p.String() != tt.pattern {
			t.Errorf("MustPattern(%q).String() = %q", tt.pattern, p)
		}
		for _, typ := range tt.yes {
			if !p.Match(typ) {
				t.Errorf("%q doesn't match %q", p, typ)
			}
		}
		for _, typ := range tt.noes {
			if p.Match(typ) {
				t.Errorf("%q matches %q", p, typ)
			}
		}
	}
}

func TestPatternErrorsPointAtTheCulprit(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, tt := range []struct {
		pattern   string
		offset    int
		msg, hint string
	}{
		{"", 0, "is empty", "user.registered"},
		{".user", 0, "starts with a dot", "leave it out"},
		{"user.", 4, "ends with a dot", `"user.>"`},
		{"a..b", 2, "two dots", "token"},
		{"us*r", 2, "inside a longer token", "whole token"},
		{"user.x>", 6, "inside a longer token", "whole token"},
		{"user.**", 5, "not a wildcard", "write >"},
		{"a.>.b", 2, "not the last", "write *"},
		{"user .x", 4, "white space", "list"},
		{"user\u00a0x", 4, "white space", "leave"},
		{"a.\x1b[31m", 2, "U+001B", "leave"},
		{"a.\u009b", 2, "U+009B", "leave"},
		{"a\u202eb", 1, "U+202E", "leave"},
		{"a.\xff", 2, "UTF-8", "UTF-8"},
		{long, 255, "256 bytes", "255"},
	} {
		p, err := ParsePattern(tt.pattern)
		var pe *PatternError
		if !errors.As(err, &pe) {
			t.Errorf("ParsePattern(%q) = %v, %v", tt.pattern, p, err)
			continue
		}
		if pe.Pattern != tt.pattern || pe.Offset != tt.offset || !strings.Contains(pe.Msg, tt.msg) || !strings.Contains(pe.Hint, tt.hint) {
			t.Errorf("ParsePattern(%q): %#v", tt.pattern, pe)
		}
		if !strings.HasPrefix(err.Error(), "pattern ") || len(err.Error()) > 250 {
			t.Errorf("message: %s", err)
		}
	}
}

func TestTypeHasNoWildcards(t *testing.T) {
	for _, typ := range []string{"user.registered", "a", "com.github.push", "user-1.über_cool", strings.Repeat("a", 255)} {
		if err := CheckType(typ); err != nil {
			t.Errorf("CheckType(%q): %v", typ, err)
		}
	}
	for _, typ := range []string{"", "user.*", ">", "a.b>", "a..b", "a b", strings.Repeat("é", 200)} {
		var pe *PatternError
		if err := CheckType(typ); !errors.As(err, &pe) || !strings.HasPrefix(err.Error(), "type ") {
			t.Errorf("CheckType(%q) = %v", typ, err)
		}
	}
}

func TestOnlyAPatternWithoutWildcardsIsLiteral(t *testing.T) {
	if typ, ok := MustPattern("user.created").Literal(); typ != "user.created" || !ok {
		t.Errorf("Literal() = %q, %v", typ, ok)
	}
	for _, p := range []Pattern{MustPattern("user.*"), MustPattern(">"), {}} {
		if typ, ok := p.Literal(); typ != "" || ok {
			t.Errorf("%q.Literal() = %q, %v", p, typ, ok)
		}
	}
}

func TestZeroPatternMatchesNothing(t *testing.T) {
	for _, typ := range []string{"", ".", "user", ".a"} {
		if (Pattern{}).Match(typ) {
			t.Errorf("matches %q", typ)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	p := MustPattern("user.*.>")
	if n := testing.AllocsPerRun(100, func() { p.Match("user.created.by.mail") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReservedTypesAreThoseBelowThePrefix(t *testing.T) {
	for typ, want := range map[string]bool{"evrun.run.dead": true, "evrun": false, "evrunner.x": false, "my.evrun.x": false} {
		if Reserved(typ) != want {
			t.Errorf("Reserved(%q) = %v", typ, !want)
		}
	}
}

// naiveMatch is the definition, in other words than Match's.
func naiveMatch(pattern, typ string) bool {
	want, got := strings.Split(pattern, "."), strings.Split(typ, ".")
	if typ == "" {
		return false
	}
	for i, w := range want {
		switch {
		case w == ">":
			return len(got) > i && strings.Join(got[i:], ".") != ""
		case i >= len(got) || got[i] == "" || w != "*" && w != got[i]:
			return false
		}
	}
	return len(want) == len(got)
}

func FuzzPattern(f *testing.F) {
	f.Add("user.*\nuser.>\n>\nuser.created", "user.created")
	f.Add("a.*.c\n*.b.>\na.b.c\na.b.*\n*.*.*", "a.b.c")
	f.Add("a..b\n.a\na.\nus*r", "a..b")
	f.Fuzz(func(t *testing.T, patterns, typ string) {
		var r Router[int]
		var want []int
		for i, s := range strings.Split(patterns, "\n") {
			p, err := ParsePattern(s)
			if err != nil {
				var pe *PatternError
				if !errors.As(err, &pe) || pe.Offset < 0 || pe.Offset > len(s) || pe.Error() == "" {
					t.Fatalf("ParsePattern(%q): %#v", s, err)
				}
				continue
			}
			r.Add(p, i)
			if p.Match(typ) != naiveMatch(s, typ) {
				t.Fatalf("pattern %q, type %q: Match gives %v", p, typ, p.Match(typ))
			}
			if p.Match(typ) {
				want = append(want, i)
			}
			if _, literal := p.Literal(); literal != (CheckType(s) == nil) {
				t.Fatalf("pattern %q: literal is %v", s, literal)
			}
		}
		if got := r.Match(typ, nil); !sameSet(got, want) {
			t.Fatalf("router finds %v for %q, patterns match %v", got, typ, want)
		}
	})
}
