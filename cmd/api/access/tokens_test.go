package access

import (
	"testing"
	"testing/synctest"
	"time"

	"evrun/tasks"
)

func token(t *testing.T, name, secret string, rights ...string) Token {
	t.Helper()
	r, f := ParseRights(rights)
	if f != nil {
		t.Fatal(f)
	}
	return Token{Name: name, Hash: HashOf(secret), Rights: r}
}

func TestATokenThatIsGoneOrChangedEndsWhatItBegan(t *testing.T) {
	tokens := NewTokens()
	a, b := token(t, "a", "1", "read"), token(t, "b", "2", "emit x.>")
	tokens.Set(File, []Token{a, b})
	tokens.Set(Stored, []Token{token(t, "c", "3", "admin")})
	ha, hb, hc := tokens.of("1"), tokens.of("2"), tokens.of("3")
	if ha == nil || hb == nil || hc == nil || tokens.of("4") != nil || tokens.of("") != nil {
		t.Fatal("the tokens are not those that were set")
	}
	tokens.Set(File, []Token{a, token(t, "b", "2", "read")})
	if ha.valid.Err() != nil || hc.valid.Err() != nil {
		t.Error("a token that has not changed has ended")
	}
	if hb.valid.Err() == nil || hb.identity.MayEmit("x.y") || tokens.of("2").identity.MayEmit("x.y") || !tokens.of("2").identity.May(Read) {
		t.Error("a changed token allows what it did")
	}
	tokens.Set(Stored, nil)
	if hc.valid.Err() == nil || hc.identity.May(Read) || tokens.of("3") != nil {
		t.Error("a revoked token is valid")
	}
	if tokens.LastUsed(File, a.Hash).IsZero() || !tokens.LastUsed(File, HashOf("4")).IsZero() {
		t.Error("the last use is not known")
	}
}

// TestATokenOfTwoSourcesStaysValidInTheOther: a token that is in the file and in the store is revoked, or has expired, in one of them.
func TestATokenOfTwoSourcesStaysValidInTheOther(t *testing.T) {
	file, stored := token(t, "file", "1", "read"), token(t, "stored", "1", "admin")
	for _, first := range []Source{File, Stored} {
		tokens := NewTokens()
		tokens.Set(first, []Token{map[Source]Token{File: file, Stored: stored}[first]})
		tokens.Set(File, []Token{file})
		tokens.Set(Stored, []Token{stored})
		h := tokens.of("1")
		if h == nil || h.Name != "file" {
			t.Fatalf("both: %+v", h)
		}
		if list := tokens.List(); len(list) != 2 || list[0].Name != "file" || list[1].Name != "stored" {
			t.Errorf("listed: %+v", list)
		}
		old := file
		old.Expires = time.Now().Add(-time.Hour)
		tokens.Set(File, []Token{old})
		if h.valid.Err() == nil || tokens.of("1") == nil || tokens.of("1").Name != "stored" {
			t.Error("it is not valid any more when the file's has expired")
		}
		tokens.Set(File, nil)
		if h := tokens.of("1"); h == nil || h.Name != "stored" || tokens.LastUsed(Stored, stored.Hash).IsZero() {
			t.Error("it is not valid any more when it has left the file")
		}
		tokens.Set(File, []Token{file})
		of := tokens.of("1")
		tokens.Set(Stored, nil)
		if h := tokens.of("1"); h != of || h.valid.Err() != nil {
			t.Error("it is not valid any more when it is revoked in the store")
		}
		if tokens.Set(File, nil); tokens.of("1") != nil || of.valid.Err() == nil {
			t.Error("it is valid without a source")
		}
	}
}

func TestAnExpiredTokenIsNotValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := NewTokens()
		x := token(t, "x", "1", "read")
		x.Expires = time.Now().Add(time.Hour)
		tokens.Set(File, []Token{x})
		h := tokens.of("1")
		if h == nil {
			t.Fatal("it is not valid yet")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if tokens.of("1") != nil || h.identity.May(Read) || h.valid.Err() == nil {
			t.Error("it is still valid")
		}
		tokens.Set(File, []Token{x})
		if tokens.of("1") != nil {
			t.Error("a reload has made it valid")
		}
	})
}

func TestTheRateOfATokenHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := NewTokens()
		x := token(t, "x", "1", "emit")
		x.Rate = tasks.Rate{Count: 10, Per: time.Second}
		tokens.Set(File, []Token{x})
		i := tokens.of("1").identity
		sent, begun := 0, time.Now()
		for time.Since(begun) < time.Minute {
			n := 1 + sent%7
			if retry, ok := i.TakeEvents(n); ok {
				sent += n
			} else if retry <= 0 {
				t.Fatal("no time to wait")
			} else {
				time.Sleep(retry)
			}
		}
		if sent < 600 || sent > 620 {
			t.Errorf("%d events in a minute", sent)
		}
		if _, ok := i.TakeEvents(1000); !ok {
			time.Sleep(time.Second)
			if _, ok = i.TakeEvents(1000); !ok {
				t.Error("a batch that is larger than the rate is never taken")
			}
		}
		if retry, ok := i.TakeEvents(1); ok || retry < 90*time.Second {
			t.Errorf("after it: %v, %v", retry, ok)
		}
		if n := countOf(tokens, RateLimit); n == 0 {
			t.Error("it is not counted")
		}
	})
}

func countOf(t *Tokens, why Reason) (n int64) {
	t.Denied().Each(func(r Reason, count int64) {
		if r == why {
			n = count
		}
	})
	return n
}

func TestASecretIsLongAndNew(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b || len(a) != len(Prefix)+26 || !plausible(a) {
		t.Errorf("%q, %q", a, b)
	}
}
