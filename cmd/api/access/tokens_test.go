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
	if tokens.LastUsed(a.Hash).IsZero() || !tokens.LastUsed(HashOf("4")).IsZero() {
		t.Error("the last use is not known")
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
