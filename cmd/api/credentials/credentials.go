// Package credentials has the tokens that are kept in the store: it makes, lists and revokes them, and has them take effect (package access). No goroutines.
package credentials

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/fault"
)

// Credentials are the tokens of a store. Safe for concurrent use. Its errors are an [*shape.Problem], or those of the store.
type Credentials struct {
	Store   store.Store
	Emitter *emitter.Emitter
	Tokens  *access.Tokens // that are valid
	Log     *slog.Logger

	loading sync.Mutex
}

// Load makes the tokens of the store valid, and ends those that the store no longer has.
func (c *Credentials) Load(ctx context.Context) error {
	c.loading.Lock() // of two that load at the same time, the second one reads what the first one has
	defer c.loading.Unlock()
	stored, err := c.Store.StoredTokens(ctx)
	if err != nil {
		return err
	}
	var valid []access.Token
	for _, t := range stored {
		token := access.Token{Name: t.Name, Expires: t.Expires}
		copy(token.Hash[:], t.Hash)
		var wrong *fault.Fault
		if token.Rights, wrong = access.ParseRights(t.Rights); wrong == nil && t.Rate != "" {
			token.Rate, wrong = access.ParseRate(t.Rate)
		}
		if wrong != nil { // of a newer evrun
			c.Log.Warn("a token of the store is not valid", "token", t.Name, "error", wrong)
			continue
		}
		valid = append(valid, token)
	}
	c.Tokens.Set(access.Stored, valid)
	return nil
}

// List lists the owner's token, those of the wiring file, and those of the store.
func (c *Credentials) List(ctx context.Context) (list shape.TokenList, err error) {
	var stored []store.Token
	if c.Store != nil {
		if stored, err = c.Store.StoredTokens(ctx); err != nil {
			return list, err
		}
	}
	now, all := time.Now(), []shape.Token{}
	for _, t := range c.Tokens.List() {
		if t.Source != access.Stored { // those in effect are those of the store
			shown := tokenOf(t.Source, t.Name, t.Rights.Texts(), "", t.Expires, now)
			if shown.Used = shape.TimeOf(c.Tokens.LastUsed(t.Source, t.Hash)); t.Rate.Count > 0 {
				shown.Rate = t.Rate.String()
			}
			all = append(all, shown)
		}
	}
	for _, t := range stored {
		shown := tokenOf(access.Stored, t.Name, t.Rights, t.Rate, t.Expires, now)
		shown.Made, shown.By, shown.Used = shape.TimeOf(t.Created), t.By, shape.TimeOf(c.Tokens.LastUsed(access.Stored, access.Hash(t.Hash)))
		all = append(all, shown)
	}
	list.Tokens = all
	return list, nil
}

func tokenOf(source access.Source, name string, rights []string, rate string, expires, now time.Time) shape.Token {
	return shape.Token{Name: name, Source: string(source), Rights: rights, Rate: rate, Until: shape.TimeOf(expires), Over: !expires.IsZero() && !now.Before(expires)}
}

// Create makes a token, and returns its secret, which is stored nowhere.
func (c *Credentials) Create(ctx context.Context, ask shape.TokenRequest) (made shape.NewToken, err error) {
	rights, err := c.check(&ask)
	if err != nil {
		return made, err
	}
	ctx = context.WithoutCancel(ctx)
	secret := access.NewSecret()
	hash := access.HashOf(secret)
	t := store.Token{Name: ask.Name, Hash: hash[:], Rights: rights.Texts(), Rate: ask.Rate, By: audit.From(ctx).String(), Created: time.Now().UTC().Truncate(time.Microsecond)}
	data := map[string]any{"name": t.Name, "rights": t.Rights}
	if t.Rate != "" {
		data["rate"] = t.Rate
	}
	if ask.Until != nil {
		t.Expires = ask.Until.UTC().Truncate(time.Microsecond)
		data["expires_at"] = t.Expires.Format(time.RFC3339)
	}
	e, err := audit.Event(ctx, c.Emitter, events.TypeAuditTokenCreated, data)
	if err == nil {
		err = c.Store.CreateToken(ctx, t, []*events.Event{e})
	}
	if err == nil {
		err = c.Load(ctx)
	}
	switch {
	case errors.Is(err, store.ErrTokenExists):
		return made, shape.NewProblem(http.StatusConflict, "the token "+strconv.Quote(t.Name)+" already exists: revoke it first, or choose another name")
	case errors.Is(err, store.ErrTooManyTokens):
		return made, shape.NewProblem(http.StatusConflict, "there are "+strconv.Itoa(store.MaxTokens)+" tokens, and no more are stored: revoke some first")
	case err != nil:
		return made, err
	}
	made = shape.NewToken{Token: tokenOf(access.Stored, t.Name, t.Rights, t.Rate, t.Expires, t.Created), Secret: secret}
	made.Made, made.By = shape.TimeOf(t.Created), t.By
	return made, nil
}

// check checks a request for a token.
func (c *Credentials) check(ask *shape.TokenRequest) (rights access.Rights, err error) {
	wrong := func(key string, f *fault.Fault) error {
		return shape.NewProblem(http.StatusBadRequest, key+": "+strings.TrimSuffix(f.Message+"; "+f.Hint, "; "))
	}
	if f := access.CheckName(ask.Name); f != nil {
		return rights, wrong("name", f)
	}
	rights, f := access.ParseRights(ask.Rights)
	switch {
	case f != nil:
		return rights, wrong("rights", f)
	case len(ask.Rights) == 0:
		return rights, shape.NewProblem(http.StatusBadRequest, "rights: a token without rights allows nothing; write read, operate, admin, emit, or emit and a pattern such as emit github.>")
	case ask.Until != nil && !time.Now().Before(*ask.Until):
		return rights, shape.NewProblem(http.StatusBadRequest, "expires_at: this time has passed")
	}
	if ask.Rate != "" {
		if _, f := access.ParseRate(ask.Rate); f != nil {
			return rights, wrong("rate", f)
		}
	}
	if c.inFile(ask.Name) {
		return rights, shape.NewProblem(http.StatusConflict, "the token "+strconv.Quote(ask.Name)+" is in the wiring file, under server.tokens: choose another name")
	}
	return rights, nil
}

// inFile reports whether the wiring file has a token with this name.
func (c *Credentials) inFile(name string) bool {
	return slices.ContainsFunc(c.Tokens.List(), func(t access.Listed) bool { return t.Source == access.File && t.Name == name })
}

// Revoke ends a token, and the requests that it began.
func (c *Credentials) Revoke(ctx context.Context, name string) (done shape.RevokedToken, err error) {
	ctx = context.WithoutCancel(ctx)
	e, err := audit.Event(ctx, c.Emitter, events.TypeAuditTokenRevoked, map[string]any{"name": name})
	if err == nil {
		err = c.Store.RevokeToken(ctx, name, []*events.Event{e})
	}
	if err == nil {
		err = c.Load(ctx)
	}
	switch {
	case !errors.Is(err, store.ErrNotFound):
		return shape.RevokedToken{Name: name, Revoked: err == nil}, err
	case name == access.OwnerName:
		return done, shape.NewProblem(http.StatusConflict, "the owner's token is in a file beside the store: remove it, and evrun reload makes another")
	case c.inFile(name):
		return done, shape.NewProblem(http.StatusConflict, "the token "+strconv.Quote(name)+" is in the wiring file: remove it there, under server.tokens")
	}
	stored, _ := c.Store.StoredTokens(ctx) // only for the hint
	return done, shape.Unknown("token", name, shape.Each(stored, func(t store.Token) string { return t.Name }))
}
