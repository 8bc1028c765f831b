package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"time"
)

// SessionLasts is how long a browser stays signed in, unless its token ends before.
const SessionLasts = 30 * 24 * time.Hour

// Key signs sessions. The zero value signs none.
type Key [sha256.Size]byte

// keyOf derives the key of sessions from the owner's token: with another token, all browsers must sign in again.
func keyOf(secret string) (k Key) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("evrun: key of sessions, 1"))
	mac.Sum(k[:0])
	return k
}

// cookieName is the name of the cookie of a session. Browsers send a cookie to all ports of a host, so that each daemon has a name of its own. With TLS the
// prefix keeps hosts beside this one, and its pages without TLS, from setting it.
func (k Key) cookieName(secure bool) string {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("name of the cookie"))
	name := "evrun-" + hex.EncodeToString(mac.Sum(nil)[:4])
	if secure {
		return "__Host-" + name
	}
	return name
}

// session is what a cookie says. It names the token by its hash: the token's rights and its end are those of the session.
type session struct {
	id    [16]byte
	began time.Time // in seconds
	token Hash
}

// over is when the session ends at the latest.
func (s session) over() time.Time { return s.began.Add(SessionLasts) }

const (
	sessionVersion = 1
	sessionLength  = 1 + 16 + 8 + sha256.Size
)

// newSession begins a session of a token.
func newSession(token Hash, now time.Time) (s session) {
	_, _ = rand.Read(s.id[:]) // never fails
	s.began, s.token = now.Truncate(time.Second), token
	return s
}

// seal returns a session as text, signed.
func (k Key) seal(s session) string {
	text := append(make([]byte, 0, sessionLength+sha256.Size), sessionVersion)
	text = append(text, s.id[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(s.began.Unix()))
	text = append(text, s.token[:]...)
	return base64.RawURLEncoding.EncodeToString(k.sign(text))
}

// open reads a text of seal; ok is false if it was signed with another key, or has ended.
func (k Key) open(text string, now time.Time) (s session, ok bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(sessionLength+sha256.Size) || k == (Key{}) {
		return s, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || raw[0] != sessionVersion || !hmac.Equal(k.sign(raw[:sessionLength:sessionLength]), raw) {
		return s, false
	}
	copy(s.id[:], raw[1:])
	s.began = time.Unix(int64(binary.BigEndian.Uint64(raw[17:])), 0)
	copy(s.token[:], raw[25:])
	return s, now.Before(s.over()) && s.began.Before(now.Add(time.Hour)) // a clock that was set back by more than that asks for a new one
}

// sign appends to a text its signature.
func (k Key) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write(text)
	return mac.Sum(text)
}

// cookie is a cookie with a session in it; without a value, it removes the one that the browser has.
func (k Key) cookie(value string, until time.Time, secure bool) *http.Cookie {
	c := &http.Cookie{Name: k.cookieName(secure), Value: value, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode, Expires: until}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
