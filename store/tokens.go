package store

import (
	"context"
	"errors"
	"time"

	"evrun/events"
)

// Errors of [Tokens].
var (
	ErrTokenExists   = errors.New("the token exists")          // its name or its hash is known
	ErrTooManyTokens = errors.New("there are too many tokens") // there are MaxTokens
)

// MaxTokens is how many tokens are kept at most.
const MaxTokens = 1000

// Tokens keeps the tokens that were made by command. Of each, only a hash is stored.
type Tokens interface {
	// CreateToken stores a token, and accepts evs in the same transaction. The error may be [ErrTokenExists] or [ErrTooManyTokens].
	CreateToken(ctx context.Context, t Token, evs []*events.Event) error
	// RevokeToken deletes a token, and accepts evs in the same transaction; or returns [ErrNotFound].
	RevokeToken(ctx context.Context, name string, evs []*events.Event) error
	// StoredTokens returns all tokens, by name.
	StoredTokens(ctx context.Context) ([]Token, error)
}

// Token is a token that was made by command.
type Token struct {
	Name    string
	Hash    []byte   // SHA-256
	Rights  []string // as they were written
	Rate    string   // likewise; empty: none
	By      string   // who made it
	Created time.Time
	Expires time.Time // zero: never
}
