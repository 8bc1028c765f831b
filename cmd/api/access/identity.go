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
}

// local is the identity of clients of the socket and of this process: who may connect has been decided by the mode of the socket.
var local = &Identity{rights: all}

// anonymous sends requests by TCP without a token.
var anonymous = &Identity{}

type identityKey struct{}

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
