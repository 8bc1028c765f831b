package access

import (
	"context"
	"time"

	"evrun/cmd/api/limits"
)

// Identity is who sends a request, and what that allows. Its methods are safe for concurrent use.
type Identity struct {
	name   string
	rights Rights
	rate   *limits.Bucket // nil: no limit
	denied *Denied
	over   <-chan struct{} // closed when the token is no longer valid; nil: never

	token   Hash
	expires time.Time // zero: never
	browser bool      // it is signed in, and sends no token
}

// local is the identity of clients of the socket and of this process: who may connect has been decided by the mode of the socket.
var local = &Identity{rights: all}

// anonymous sends requests by TCP without a token.
var anonymous = &Identity{}

type identityKey struct{}

// Allows reports whether the identity may ask a route with a rule, and why not. The gate asks it for requests by TCP, and each route once more: the dashboard
// sends requests within this process, with the identity of who looks at it.
func (i *Identity) Allows(rule Rule) (detail string, ok bool) {
	switch {
	case i.Local():
		return "", true
	case rule.Local:
		return socketOnly, false
	case !i.May(rule.Right):
		return i.lacks(rule.Right), false
	}
	return "", true
}

const socketOnly = "this is for clients of the socket only: it is about files of that machine"

// lacks says that the identity does not have a right.
func (i *Identity) lacks(right Right) string {
	switch {
	case i.name == "":
		return "a token is needed: send the header Authorization: Bearer TOKEN"
	case !i.valid():
		return "the token " + i.name + " is no longer valid"
	}
	return "the token " + i.name + " does not have the right " + string(right) + "; it has: " + i.rights.String()
}

// signedIn is the identity of a session.
func (i *Identity) signedIn(is session) *Identity {
	who := *i
	if who.browser = true; who.expires.IsZero() || is.over().Before(who.expires) {
		who.expires = is.over()
	}
	return &who
}

func with(ctx context.Context, i *Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// From returns the identity of a request. A request that came through no [Gate] may do everything.
func From(ctx context.Context) *Identity {
	if i, ok := ctx.Value(identityKey{}).(*Identity); ok {
		return i
	}
	return local
}

// Local reports whether the request came through no gate: by the socket, or within this process.
func (i *Identity) Local() bool { return i == local }

// Rights are what it allows.
func (i *Identity) Rights() Rights { return i.rights }

// Expires is when its token or its session ends; zero: never.
func (i *Identity) Expires() time.Time { return i.expires }

// Browser reports whether the request came from a browser that is signed in.
func (i *Identity) Browser() bool { return i.browser }

// Name is the name of the token; empty for clients without one.
func (i *Identity) Name() string { return i.name }

// May reports whether the request has a right.
func (i *Identity) May(right Right) bool { return i.valid() && i.rights.Allow(right) }

// MayEmit reports whether the request may publish events of a type. It becomes false for a request whose token is revoked meanwhile.
func (i *Identity) MayEmit(typ string) bool { return i.valid() && i.rights.MayEmit(typ) }

func (i *Identity) valid() bool {
	select {
	case <-i.over:
		return false
	default:
		return true
	}
}

// TakeEvents counts n events that the request publishes. If the token's rate forbids them now, ok is false, none is counted, and retry is when the
// first of them can be sent. A list of events is taken as a whole, and delays what follows it.
func (i *Identity) TakeEvents(n int) (retry time.Duration, ok bool) {
	if i.rate == nil {
		return 0, true
	}
	if retry, ok = i.rate.Take(n, time.Now()); !ok {
		i.denied.add(RateLimit)
	}
	return retry, ok
}
