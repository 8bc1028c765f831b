// Package hook turns requests from outside into events: the paths /hooks/NAME of a wiring file's hooks.
//
// A [Hook] is what the file says of one. A [Receiver] has those of the running wiring: it answers requests, and remembers what it refused. A request comes
// this far without a token, so nothing of it is trusted:
//
//   - The sender's address, the method and the encoding are checked first, then the body is read, within the hook's limit.
//   - The signature is verified over the bytes that came, before anything else is looked at. Only a challenge of a sender that does not sign it is answered
//     without one, with a short text.
//   - Then expressions are evaluated, with a bound on their work, and only so many at the same time.
//   - The event goes through the emitter as any other. An accepted request costs one commit; a refused one costs none.
//
// What is refused is counted, and the last 100 requests of each hook are remembered, without their bodies and without what may be a secret.
//
// No goroutines.
package hook

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/signature"
)

// Prefix begins the path of each hook.
const Prefix = "/hooks/"

// Hook is a hook of a wiring file. Nobody changes it.
type Hook struct {
	Name   string
	Verify *signature.Verify
	Allow  []netip.Prefix // who may send; empty: everybody
	Rate   tasks.Rate     // of requests whose signature is right; zero: no limit
	Body   int            // the most bytes of a body; 0: as many as an event may have

	When    *expression.Expr // nil: always
	Type    *expression.Template
	ID      *expression.Template // nil: the one of standard-webhooks, or a new one
	Source  *expression.Template // nil: the hook's path
	Subject *expression.Template // nil: none
	Time    *expression.Template // nil: when it is accepted
	Data    *expression.Value    // nil: the body

	Challenges []Challenge
	Answer     *Answer // nil: the event's receipt

	Description string
	Labels      map[string]string
	Version     string // equal for hooks that are written alike
}

// Answer is what the sender of an accepted or ignored request gets.
type Answer struct {
	Status int // 0: 200
	Body   *expression.Template
	Type   string // the media type; empty: plain text
}

// Path is where the hook is.
func (h *Hook) Path() string { return Prefix + h.Name }

// Types describes the types of its events: their only type if it is written out, else the text that they begin with, which may be empty.
func (h *Hook) Types() (text string, whole bool) {
	if text, whole = h.Type.Constant(); whole {
		return text, true
	}
	return h.Type.Prefix(), false
}

// CanEmit reports whether a pattern can match an event of the hook.
func (h *Hook) CanEmit(p events.Pattern) bool {
	text, whole := h.Types()
	if whole {
		return p.Match(text)
	}
	tokens, of := strings.Split(text, "."), strings.Split(p.String(), ".")
	for i, token := range tokens {
		switch last := i == len(tokens)-1; {
		case i == len(of):
			return false
		case of[i] == ">":
			return true
		case of[i] != "*" && of[i] != token && (!last || !strings.HasPrefix(of[i], token)):
			return false
		}
	}
	return true
}

// needs are the headers that the hook's expressions read.
func (h *Hook) needs() (names []string) {
	for _, t := range []*expression.Template{h.Type, h.ID, h.Source, h.Subject, h.Time} {
		names = append(names, t.Headers()...)
	}
	if h.When != nil {
		names = append(names, h.When.Headers()...)
	}
	return names
}

// Check returns what is wrong with a hook that was read, as far as no request is needed to know: parts that no event can have, or that are the same for all.
// The path of each fault begins with its key.
func (h *Hook) Check() (faults []*fault.Fault) {
	wrong := func(key string, f *fault.Fault) { faults = append(faults, f.Within(key)) }
	if id, constant := constantOf(h.ID); constant {
		wrong("id", fault.New("every request would have the id %s, so that only the first is accepted", fault.Quote(id)).
			Hinting(`take it from the request: '${ header("X-Request-Id") }', or leave it out`))
	}
	if text, constant := constantOf(h.Time); constant {
		wrong("time", fault.New("every event would have the time %s", fault.Quote(text)).Hinting("take it from the request: ${ body.time }, or leave it out"))
	}
	e := &events.Event{Type: h.Type.Outline("x"), ID: "x", Source: outline(h.Source, h.Path()), Subject: outline(h.Subject, ""), Time: time.Unix(0, 0)}
	err := e.Validate()
	if a, ok := errors.AsType[*events.AttributeError](err); ok && a.Attribute != "type" { // a type has its own check, unless it has expressions
		wrong(a.Attribute, fault.New("%s %s", a.Attribute, a.Msg))
	}
	if _, constant := h.Type.Constant(); constant {
		return faults
	}
	if err := events.CheckType(e.Type); err != nil && len(h.Type.Outline("")) > 0 {
		wrong("type", fault.New("no event can have such a type: %v", err).Hinting(`write tokens with dots between them: github.${ header("X-GitHub-Event") }`))
	}
	if events.Reserved(h.Type.Prefix()) {
		wrong("type", fault.New("types that begin with %q are evrun's own", events.ReservedPrefix).Hinting("choose a name that begins otherwise"))
	}
	return faults
}

func constantOf(t *expression.Template) (string, bool) {
	if t == nil {
		return "", false
	}
	return t.Constant()
}

func outline(t *expression.Template, without string) string {
	if t == nil {
		return without
	}
	return t.Outline("x")
}
