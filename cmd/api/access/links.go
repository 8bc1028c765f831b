package access

import (
	"crypto/rand"
	"time"
)

// LinkLasts is how long a link can be used.
const LinkLasts = 10 * time.Minute

// mostCodes is how many links there are at most. A further one replaces the oldest.
const mostCodes = 100

// code is what the code of a link allows, once.
type code struct {
	token Hash // whose session it begins
	until time.Time
}

// Link makes a code that signs a browser in as somebody, once, until the returned time; clients of the socket are the owner. It has 130 random bits. Only its
// hash is kept, in memory: a restart ends it. ok is false if nobody can sign in, because there is no TCP port.
func (t *Tokens) Link(who *Identity, now time.Time) (code string, until time.Time, ok bool) {
	token := who.token
	if who.Local() {
		t.mu.RLock()
		for hash := range t.kept[Owner] { // one
			token = hash
		}
		t.mu.RUnlock()
	}
	if token == (Hash{}) || !t.sessions.On() {
		return "", until, false
	}
	code, until = t.sessions.link(token, now)
	return code, until, true
}

// link makes the code of a link.
func (s *Sessions) link(token Hash, now time.Time) (text string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest Hash
	for hash, c := range s.codes {
		switch {
		case !now.Before(c.until):
			delete(s.codes, hash)
		case s.codes[oldest].until.IsZero() || c.until.Before(s.codes[oldest].until):
			oldest = hash
		}
	}
	if len(s.codes) >= mostCodes {
		delete(s.codes, oldest)
	}
	if s.codes == nil {
		s.codes = map[Hash]code{}
	}
	text, until = rand.Text(), now.Add(LinkLasts)
	s.codes[HashOf(text)] = code{token, until}
	return text, until
}

// redeem returns the token of a code, which can't be used again.
func (s *Sessions) redeem(text string, now time.Time) (token Hash, ok bool) {
	hash := HashOf(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[hash]
	delete(s.codes, hash)
	return c.token, ok && now.Before(c.until)
}
