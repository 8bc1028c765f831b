package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
)

func tokens(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	token := func(name, hash string) store.Token {
		return store.Token{Name: name, Hash: []byte(hash), Rights: []string{"read", "emit a.>"}, Rate: "5/s", By: "ada", Created: at}
	}
	first, second := token("deploy", "1"), token("ci", "2")
	second.Expires, second.Rights, second.Rate = at.Add(time.Hour), []string{"admin"}, ""
	for _, x := range []store.Token{first, second} {
		if err := s.CreateToken(ctx, x, []*events.Event{event("a.b", "made "+x.Name)}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "by name", fmt.Sprint(must(s.StoredTokens(ctx))(t)), fmt.Sprint([]store.Token{second, first}))
	for _, x := range []store.Token{token("deploy", "3"), token("other", "1")} {
		if err := s.CreateToken(ctx, x, []*events.Event{event("a.b", "refused")}); !errors.Is(err, store.ErrTokenExists) {
			t.Errorf("%s again: %v", x.Name, err)
		}
	}
	if err := s.RevokeToken(ctx, "nobody", []*events.Event{event("a.b", "refused")}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown token: %v", err)
	}
	if err := s.RevokeToken(ctx, "deploy", []*events.Event{event("a.b", "revoked")}); err != nil {
		t.Fatal(err)
	}
	equal(t, "revoked", fmt.Sprint(must(s.StoredTokens(ctx))(t)), fmt.Sprint([]store.Token{second}))
	if err := s.CreateToken(ctx, token("deploy", "1"), nil); err != nil {
		t.Errorf("its name and its hash are free again: %v", err)
	}
	equal(t, "events of what was done", len(must(s.Events(ctx, store.EventQuery{}))(t)), 3)
}

func tokensAreBounded(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	var err error
	for i := 0; err == nil && i <= store.MaxTokens; i++ {
		err = s.CreateToken(ctx, store.Token{Name: fmt.Sprint(i), Hash: fmt.Append(nil, i), Rights: []string{"read"}, Created: at}, nil)
	}
	if !errors.Is(err, store.ErrTooManyTokens) {
		t.Errorf("one more: %v", err)
	}
	equal(t, "stored", len(must(s.StoredTokens(ctx))(t)), store.MaxTokens)
}
