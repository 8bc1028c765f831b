package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/fault"
)

// LoadTokens makes the tokens of the store valid, and ends those that the store no longer has.
func (s *Server) LoadTokens(ctx context.Context) error {
	s.loading.Lock() // of two that load at the same time, the second one reads what the first one has
	defer s.loading.Unlock()
	stored, err := s.o.Store.StoredTokens(ctx)
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
			s.o.Log.Warn("a token of the store is not valid", "token", t.Name, "error", wrong)
			continue
		}
		valid = append(valid, token)
	}
	s.o.Tokens.Set(access.Stored, valid)
	return nil
}

// listTokens lists the owner's token, those of the wiring file, and those of the store.
func (s *Server) listTokens(r *http.Request, _ none) (list shape.TokenList, err error) {
	var stored []store.Token
	if s.o.Store != nil {
		if stored, err = s.o.Store.StoredTokens(r.Context()); err != nil {
			return list, err
		}
	}
	now, all := time.Now(), []shape.Token{}
	for _, t := range s.o.Tokens.List() {
		if t.Source != access.Stored { // those in effect are those of the store
			shown := tokenOf(t.Source, t.Name, t.Rights.Texts(), "", t.Expires, now)
			if shown.Used = shape.TimeOf(s.o.Tokens.LastUsed(t.Source, t.Hash)); t.Rate.Count > 0 {
				shown.Rate = t.Rate.String()
			}
			all = append(all, shown)
		}
	}
	for _, t := range stored {
		shown := tokenOf(access.Stored, t.Name, t.Rights, t.Rate, t.Expires, now)
		shown.Made, shown.By, shown.Used = shape.TimeOf(t.Created), t.By, shape.TimeOf(s.o.Tokens.LastUsed(access.Stored, access.Hash(t.Hash)))
		all = append(all, shown)
	}
	list.Tokens = all
	return list, nil
}

func tokenOf(source access.Source, name string, rights []string, rate string, expires, now time.Time) shape.Token {
	return shape.Token{Name: name, Source: string(source), Rights: rights, Rate: rate, Until: shape.TimeOf(expires), Over: !expires.IsZero() && !now.Before(expires)}
}

// createToken makes a token, and answers with its secret, which is stored nowhere.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, ask shape.TokenRequest, _ none) error {
	rights, err := s.checkToken(&ask)
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(r.Context())
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
	e, err := audit.Event(ctx, s.o.Emitter, events.TypeAuditTokenCreated, data)
	if err == nil {
		err = s.o.Store.CreateToken(ctx, t, []*events.Event{e})
	}
	if err == nil {
		err = s.LoadTokens(ctx)
	}
	switch {
	case errors.Is(err, store.ErrTokenExists):
		return problem(http.StatusConflict, "the token "+strconv.Quote(t.Name)+" already exists: revoke it first, or choose another name")
	case errors.Is(err, store.ErrTooManyTokens):
		return problem(http.StatusConflict, "there are "+strconv.Itoa(store.MaxTokens)+" tokens, and no more are stored: revoke some first")
	case err != nil:
		return err
	}
	made := shape.NewToken{Token: tokenOf(access.Stored, t.Name, t.Rights, t.Rate, t.Expires, t.Created), Secret: secret}
	made.Made, made.By = shape.TimeOf(t.Created), t.By
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, made)
}

// checkToken checks a request for a token.
func (s *Server) checkToken(ask *shape.TokenRequest) (rights access.Rights, err error) {
	wrong := func(key string, f *fault.Fault) error {
		return problem(http.StatusBadRequest, key+": "+strings.TrimSuffix(f.Message+"; "+f.Hint, "; "))
	}
	if f := access.CheckName(ask.Name); f != nil {
		return rights, wrong("name", f)
	}
	rights, f := access.ParseRights(ask.Rights)
	switch {
	case f != nil:
		return rights, wrong("rights", f)
	case len(ask.Rights) == 0:
		return rights, problem(http.StatusBadRequest, "rights: a token without rights allows nothing; write read, operate, admin, emit, or emit and a pattern such as emit github.>")
	case ask.Until != nil && !time.Now().Before(*ask.Until):
		return rights, problem(http.StatusBadRequest, "expires_at: this time has passed")
	}
	if ask.Rate != "" {
		if _, f := access.ParseRate(ask.Rate); f != nil {
			return rights, wrong("rate", f)
		}
	}
	if s.inFile(ask.Name) {
		return rights, problem(http.StatusConflict, "the token "+strconv.Quote(ask.Name)+" is in the wiring file, under server.tokens: choose another name")
	}
	return rights, nil
}

// inFile reports whether the wiring file has a token with this name.
func (s *Server) inFile(name string) bool {
	return slices.ContainsFunc(s.o.Tokens.List(), func(t access.Listed) bool { return t.Source == access.File && t.Name == name })
}

// revokeToken ends a token, and the requests that it began.
func (s *Server) revokeToken(r *http.Request, _ none) (done shape.RevokedToken, err error) {
	name, ctx := r.PathValue("name"), context.WithoutCancel(r.Context())
	e, err := audit.Event(ctx, s.o.Emitter, events.TypeAuditTokenRevoked, map[string]any{"name": name})
	if err == nil {
		err = s.o.Store.RevokeToken(ctx, name, []*events.Event{e})
	}
	if err == nil {
		err = s.LoadTokens(ctx)
	}
	switch {
	case !errors.Is(err, store.ErrNotFound):
		return shape.RevokedToken{Name: name, Revoked: err == nil}, err
	case name == access.OwnerName:
		return done, problem(http.StatusConflict, "the owner's token is in a file beside the store: remove it, and evrun reload makes another")
	case s.inFile(name):
		return done, problem(http.StatusConflict, "the token "+strconv.Quote(name)+" is in the wiring file: remove it there, under server.tokens")
	}
	stored, _ := s.o.Store.StoredTokens(ctx) // only for the hint
	return done, unknown("token", name, shape.Each(stored, func(t store.Token) string { return t.Name }))
}
