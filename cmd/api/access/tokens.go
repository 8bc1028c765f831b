package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

// Hash is the SHA-256 of a token. Only hashes are stored.
type Hash [sha256.Size]byte

// HashOf returns the hash of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// Tokens are the valid tokens of a daemon. Safe for concurrent use.
type Tokens struct {
	mu     sync.RWMutex
	byHash map[Hash]*Identity
}

// NewTokens returns tokens without any.
func NewTokens() *Tokens { return &Tokens{byHash: map[Hash]*Identity{}} }

// of returns the identity of a token; nil for one that is not valid. An attacker can't choose the hash of a guess, so the time of the look-up says
// nothing about a token.
func (t *Tokens) of(token string) *Identity {
	sum := HashOf(token)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for hash, i := range t.byHash {
		if subtle.ConstantTimeCompare(hash[:], sum[:]) == 1 {
			return i
		}
	}
	return nil
}
