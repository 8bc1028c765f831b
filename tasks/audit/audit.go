// Package audit records who did what. Each action that steps in (a run retried, a handler paused, the wiring reloaded) is an event of evrun's own
// with a type under evrun.audit, so it is in the journal, in lists and streams, and handlers may subscribe to evrun.audit.>.
//
// There is one event for an action, whatever the number of things that it changes, and none for an action that was refused, failed or changed nothing.
// Its data has "who" (as [Actor.String]), "uid", "user" or "token" as far as they are known, and what the action adds: what was changed, or the
// selection, and how many. When it happened is the event's time. Secrets and payloads never belong in it.
//
// A server puts the [Actor] of a request into its context. Where the store can, the event commits with the action in one transaction:
//
//	e, err := audit.Event(ctx, emitter, events.TypeAuditHandlerResumed, map[string]any{"handler": name})
//	if err != nil {
//		return err
//	}
//	return s.Resume(ctx, name, 0, []*events.Event{e})
package audit

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/user"
	"strconv"

	"evrun/events"
)

// Actor is who asks for an action.
type Actor struct {
	UID   int    // of the process that asks; below 0: unknown
	User  string // the name of UID; empty: From looks it up, and the system may have none
	Token string // the name of the token that allowed the request; empty: none was needed
}

// String returns the actor for people, such as "ada (uid 1000)".
func (a Actor) String() string {
	switch {
	case a.Token != "":
		return "token " + a.Token
	case a.UID < 0:
		return "unknown"
	case a.User == "":
		return fmt.Sprintf("uid %d", a.UID)
	}
	return fmt.Sprintf("%s (uid %d)", a.User, a.UID)
}

type actorKey struct{}

// With returns a context whose actions are those of an actor.
func With(ctx context.Context, who Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// From returns the actor of a context, with the user's name; without an actor, it is the user of this process.
func From(ctx context.Context) Actor {
	who, ok := ctx.Value(actorKey{}).(Actor)
	if !ok {
		who = Actor{UID: os.Getuid()}
	}
	if who.User == "" && who.UID >= 0 {
		if u, err := user.LookupId(strconv.Itoa(who.UID)); err == nil {
			who.User = u.Username
		}
	}
	return who
}

// Notices makes evrun's own events: it is the emitter.
type Notices interface {
	Notice(typ, id string, data map[string]any) (*events.Event, error)
}

// Event makes the event that records an action of the context's actor. The caller accepts it with the action, or right after it. Long lists of names
// in data are shortened. typ is one of the types under evrun.audit of package events.
func Event(ctx context.Context, em Notices, typ string, data map[string]any) (*events.Event, error) {
	who := From(ctx)
	data = maps.Clone(data)
	data["who"] = who.String()
	if who.UID >= 0 {
		data["uid"] = who.UID
	}
	if who.User != "" {
		data["user"] = who.User
	}
	if who.Token != "" {
		data["token"] = who.Token
	}
	return em.Notice(typ, "", data)
}
