package hook

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"evrun/tasks/fault"
)

// Reason is why a request was refused, in one word.
type Reason string

// The reasons.
const (
	Unknown     Reason = "unknown"     // no hook has the name
	Address     Reason = "address"     // allow doesn't have the sender's address
	Method      Reason = "method"      // neither a POST nor a challenge
	BadRequest  Reason = "invalid"     // no event can be made of it
	TooLarge    Reason = "too-large"   // the body, or the event's data
	Signature   Reason = "signature"   // verify refuses it
	Secret      Reason = "secret"      // there is nothing to verify it with
	TooMany     Reason = "rate"        // more than rate
	Schema      Reason = "schema"      // the data breaks the schema of its type
	Unavailable Reason = "unavailable" // evrun can't take it now
)

// Reasons are all of them.
var Reasons = []Reason{Unknown, Address, Method, BadRequest, TooLarge, Signature, Secret, TooMany, Schema, Unavailable}

// Refusal is why a request was refused.
type Refusal struct {
	Status int
	Reason Reason
	Detail string        // what the sender is told
	Retry  time.Duration // when it may try again; 0: it need not know
	Allow  string        // the methods that are allowed; empty: not said

	cause error // what the operator is told in place of Detail; nil: the same
}

func (r *Refusal) Error() string { return r.Detail }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// text is what the operator is told.
func (r *Refusal) text() string {
	if r.cause != nil {
		return r.cause.Error()
	}
	return r.Detail
}

// Rejection is a refused request as it is remembered.
type Rejection struct {
	At      time.Time         `json:"at"`
	Hook    string            `json:"hook"`              // its name
	Client  string            `json:"client,omitempty"`  // the sender's address; empty: it came over the socket
	Method  string            `json:"method"`            // of the request
	Status  int               `json:"status"`            // of the answer
	Reason  Reason            `json:"reason"`            // in one word
	Detail  string            `json:"detail"`            // in words, for the operator
	Headers map[string]string `json:"headers,omitempty"` // those that the hook reads and some that say who sent it, without what may be a secret
}

// Kept is how many rejections of each hook are remembered.
const Kept = 100

// rejections are the last ones of a hook.
type rejections struct {
	mu   sync.Mutex
	list []Rejection // the oldest is at next, once there are Kept
	next int
}

func (l *rejections) add(r *Rejection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) < Kept {
		l.list = append(l.list, *r)
		return
	}
	l.list[l.next] = *r
	l.next = (l.next + 1) % Kept
}

// newest returns them, the newest first.
func (l *rejections) newest() []Rejection {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Rejection, 0, len(l.list))
	list = append(append(list, l.list[l.next:]...), l.list[:l.next]...)
	slices.Reverse(list)
	return list
}

// shown are headers that say who sent a request.
var shown = []string{"User-Agent", "Content-Type", "Content-Encoding", "X-Request-Id", "Webhook-Id", "Webhook-Timestamp", "X-Slack-Request-Timestamp", "X-Slack-Retry-Num"}

// secretive are parts of the names of headers that are not shown.
var secretive = []string{"auth", "token", "secret", "signature", "key", "cookie", "password", "credential", "hub-sig"}

// headersOf are the headers of a request that are remembered.
func headersOf(h http.Header, needs []string, hidden string, redact func(string) string) map[string]string {
	some := map[string]string{}
	for _, name := range append(needs, shown...) {
		value := h.Get(name)
		lower := strings.ToLower(name)
		if value == "" || strings.EqualFold(name, hidden) || slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(lower, part) }) {
			continue
		}
		some[name] = fault.Clip(redact(strings.ToValidUTF8(value, "\ufffd")), 200)
	}
	return some
}

// allowed reports whether an address may send. An address that is not known is that of a client of the socket.
func (h *Hook) allowed(client netip.Addr) *Refusal {
	if len(h.Allow) == 0 || client.IsValid() && slices.ContainsFunc(h.Allow, func(p netip.Prefix) bool { return p.Contains(client.Unmap().WithZone("")) }) {
		return nil
	}
	r := &Refusal{Status: http.StatusForbidden, Reason: Address, Detail: "this address may not send to this hook"}
	if !client.IsValid() {
		r.cause = errSocket
	}
	return r
}
