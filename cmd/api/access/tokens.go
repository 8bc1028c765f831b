package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"evrun/cmd/api/limits"
	"evrun/tasks"
)

// Prefix begins each token that evrun makes, so that people and scanners of secrets recognise it.
const Prefix = "evr_"

// Hash is the SHA-256 of a token. Only hashes are stored: a token has more random bits than can be guessed, so it needs no slow hash.
type Hash [sha256.Size]byte

// HashOf returns the hash of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// NewSecret makes a token. It has 130 random bits.
func NewSecret() string { return Prefix + rand.Text() }

// Source says where a token is kept.
type Source string

// The sources of tokens.
const (
	Owner  Source = "owner"  // the file evrun.token beside the store
	File   Source = "file"   // server.tokens of the wiring file
	Stored Source = "stored" // made by command, and kept in the store
)

// sources are all of them. A token that is kept by several has the rights of the first one where it is valid.
var sources = []Source{Owner, File, Stored}

// Token is a token without its secret.
type Token struct {
	Name    string
	Hash    Hash
	Rights  Rights
	Rate    tasks.Rate // of its events; zero: no limit
	Expires time.Time  // zero: never
}

func (t Token) equal(other Token) bool {
	return t.Name == other.Name && t.Hash == other.Hash && t.Rate == other.Rate && t.Expires.Equal(other.Expires) && slices.Equal(t.Rights.texts, other.Rights.texts)
}

// Same reports whether two lists have the same tokens, in the same order.
func Same(a, b []Token) bool { return slices.EqualFunc(a, b, Token.equal) }

// Tokens are the valid tokens of a daemon. Safe for concurrent use.
type Tokens struct {
	mu     sync.RWMutex
	kept   map[Source]map[Hash]*holder // by mu; by source, so that a token that leaves one of two stays valid in the other
	denied Denied

	sessions Sessions
}

// holder is a token in use.
type holder struct {
	Token
	identity *Identity
	valid    context.Context // ends when the token is revoked, changed or expired
	end      context.CancelFunc
	used     atomic.Int64 // when it last let a request in, in Unix seconds; 0: not yet
}

// NewTokens returns tokens without any.
func NewTokens() *Tokens { return &Tokens{kept: map[Source]map[Hash]*holder{}} }

// Denied counts the requests that were refused.
func (t *Tokens) Denied() *Denied { return &t.denied }

// Sessions are the browsers that are signed in with them.
func (t *Tokens) Sessions() *Sessions { return &t.sessions }

// Set replaces all tokens of a source. The requests of tokens that are gone, or that allow something else from now on, end at once.
func (t *Tokens) Set(source Source, tokens []Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, now := t.kept[source], make(map[Hash]*holder, len(tokens))
	for _, token := range tokens {
		if h := was[token.Hash]; h != nil && h.equal(token) {
			now[token.Hash] = h
		} else if now[token.Hash] == nil {
			now[token.Hash] = t.hold(token)
		}
	}
	for hash, h := range was {
		if now[hash] != h {
			h.end()
		}
	}
	t.kept[source] = now
}

func (t *Tokens) hold(token Token) *holder {
	h := &holder{Token: token}
	if token.Expires.IsZero() {
		h.valid, h.end = context.WithCancel(context.Background())
	} else {
		h.valid, h.end = context.WithDeadline(context.Background(), token.Expires)
	}
	h.identity = &Identity{name: token.Name, rights: token.Rights, over: h.valid.Done(), denied: &t.denied, token: token.Hash, expires: token.Expires}
	if token.Rate.Count > 0 {
		h.identity.rate = limits.BucketOf(token.Rate)
	}
	return h
}

// Listed is a token in a list.
type Listed struct {
	Token
	Source Source
}

// List returns all tokens that were set, those that have expired too, the owner's first, then those of the file, by name.
func (t *Tokens) List() []Listed {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var list []Listed
	for _, source := range sources {
		from := len(list)
		for _, h := range t.kept[source] {
			list = append(list, Listed{h.Token, source})
		}
		slices.SortFunc(list[from:], func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	}
	return list
}

// LastUsed is when a token of a source last let a request in, since the start of the daemon; zero: not since then.
func (t *Tokens) LastUsed(source Source, hash Hash) time.Time {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if h := t.kept[source][hash]; h != nil {
		if at := h.used.Load(); at > 0 {
			return time.Unix(at, 0)
		}
	}
	return time.Time{}
}

// of returns the holder of a token; nil if it is not valid now. The time of the look-up says nothing of use: who sends a guess can't choose its hash.
func (t *Tokens) of(token string) *holder { return t.ofHash(HashOf(token), time.Now()) }

// ofHash returns the holder of the token with a hash; nil if it is not valid now.
func (t *Tokens) ofHash(sum Hash, now time.Time) *holder {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, source := range sources {
		h := t.kept[source][sum]
		if h != nil && subtle.ConstantTimeCompare(h.Hash[:], sum[:]) == 1 && h.valid.Err() == nil && (h.Expires.IsZero() || now.Before(h.Expires)) {
			h.used.Store(now.Unix())
			return h
		}
	}
	return nil
}
