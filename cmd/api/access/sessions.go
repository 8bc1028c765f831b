package access

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Sessions are the browsers that are signed in. What a session may do is what its token may; it ends with the token, when the browser signs out, and after
// [SessionLasts]. All of it is in the cookie, so that a session survives a restart. Only those that signed out are remembered here, until a restart.
//
// Safe for concurrent use; its memory is bounded.
type Sessions struct {
	mu    sync.Mutex
	key   Key                      // by mu; zero: nobody can sign in
	ended map[[16]byte]time.Time   // by mu: those that signed out, and when they would have ended
	open  map[[16]byte]*inProgress // by mu: those with requests that are being answered
	codes map[Hash]code            // by mu: of links, by the hash of the code
}

// inProgress are the requests of a session.
type inProgress struct {
	requests int
	ctx      context.Context // ends when the session does
	end      context.CancelFunc
}

// mostEnded is how many sessions that signed out are remembered.
const mostEnded = 10_000

// SetKey has sessions signed with a key from now on. Those of another key end, with the requests that they began, and its links can't be used any more.
func (s *Sessions) SetKey(k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k == s.key { // as after most reloads
		return
	}
	s.key, s.codes = k, nil
	for _, in := range s.open {
		in.end()
	}
	s.open = nil
}

// On reports whether browsers can sign in.
func (s *Sessions) On() bool { return s.theKey() != Key{} }

func (s *Sessions) theKey() Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// of returns the session of a request; given is false if it has no cookie of one. Two that differ are none: a page of another port of this host can set a
// cookie here, and must not choose whose session it is.
func (s *Sessions) of(r *http.Request, secure bool, now time.Time) (_ session, given, ok bool) {
	key := s.theKey()
	if key == (Key{}) {
		return session{}, false, false
	}
	cookies := r.CookiesNamed(key.cookieName(secure))
	if len(cookies) == 0 {
		return session{}, false, false
	}
	if slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Value != cookies[0].Value }) {
		return session{}, true, false
	}
	is, ok := key.open(cookies[0].Value, now)
	return is, true, ok
}

// hold begins a request of a session; release ends it. ok is false if the session has signed out.
func (s *Sessions) hold(is session) (ctx context.Context, release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.ended[is.id]; over {
		return nil, nil, false
	}
	in := s.open[is.id]
	if in == nil {
		in = &inProgress{}
		in.ctx, in.end = context.WithDeadline(context.Background(), is.over())
		if s.open == nil {
			s.open = map[[16]byte]*inProgress{}
		}
		s.open[is.id] = in
	}
	in.requests++
	return in.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if in.requests--; in.requests > 0 {
			return
		}
		in.end()
		if s.open[is.id] == in {
			delete(s.open, is.id)
		}
	}, true
}

// signOutAll ends all sessions whose cookies a request has: also where a page of another port has set a second one, with which neither is taken.
func (s *Sessions) signOutAll(r *http.Request, secure bool, now time.Time) {
	key := s.theKey()
	for _, c := range r.CookiesNamed(key.cookieName(secure)) {
		if is, ok := key.open(c.Value, now); ok {
			s.signOut(is, now)
		}
	}
}

// signOut ends a session, and its requests.
func (s *Sessions) signOut(is session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.open[is.id]; in != nil {
		in.end()
	}
	if s.ended == nil {
		s.ended = map[[16]byte]time.Time{}
	}
	if len(s.ended) >= mostEnded {
		var first [16]byte
		for id, over := range s.ended {
			switch {
			case !now.Before(over):
				delete(s.ended, id)
			case s.ended[first].IsZero() || over.Before(s.ended[first]):
				first = id
			}
		}
		if len(s.ended) >= mostEnded {
			delete(s.ended, first)
		}
	}
	s.ended[is.id] = is.over()
}

// Next is where a browser goes after it has signed in: a path of this server, with its query. Anything else is "/".
func Next(text string) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return "/"
	}
	if at, err := url.Parse(text); err != nil || at.Host != "" || at.Scheme != "" || strings.HasPrefix(at.Path, "//") || strings.HasPrefix(path.Clean(at.Path), "/sign-") {
		return "/"
	}
	return text
}

// SignInPath is the path of the page where browsers sign in.
const SignInPath = "/sign-in"

// signInAt is the URL of that page for a request, which comes back to its own.
func signInAt(r *http.Request) string {
	if next := Next(r.URL.RequestURI()); next != "/" {
		return SignInPath + "?next=" + url.QueryEscape(next)
	}
	return SignInPath
}
