package shape

import "time"

// Token is a token that may send requests by TCP, without its secret.
type Token struct {
	Name   string     `json:"name"`
	Source string     `json:"source"`               // owner: the file beside the store; file: server.tokens of the wiring file; stored: made by command
	Rights []string   `json:"rights"`               // what it allows: read, operate, admin, emit, or emit and a pattern
	Rate   string     `json:"rate,omitempty"`       // how many events it publishes at most
	Made   *time.Time `json:"created_at,omitempty"` // when it was made
	By     string     `json:"by,omitempty"`         // who made it
	Until  *time.Time `json:"expires_at,omitempty"` // when it ends; missing: never
	Over   bool       `json:"expired,omitempty"`    // it has ended, and is refused
	Used   *time.Time `json:"used_at,omitempty"`    // when it last let a request in, since the start of the daemon
}

// TokenRequest is a request for a new token.
type TokenRequest struct {
	Name   string     `json:"name" needed:"true"`
	Rights []string   `json:"rights" needed:"true"` // read, operate, admin, emit, or emit and a pattern
	Rate   string     `json:"rate,omitempty"`       // how many events it publishes at most: 100/s
	Until  *time.Time `json:"expires_at,omitempty"` // when it ends; missing: never
}

// NewToken is a token that was made.
type NewToken struct {
	Token
	Secret string `json:"token"` // it is never shown again
}

// RevokedToken answers a request to revoke a token.
type RevokedToken struct {
	Name    string `json:"name"`
	Revoked bool   `json:"revoked"` // true: it is no longer valid
}

// SignIn is how a browser signs in: with a token, or with the code of a link.
type SignIn struct {
	Token string `json:"token,omitempty"` // a token; else code
	Code  string `json:"code,omitempty"`  // the code of a link: the text after #code= in it
	Next  string `json:"next,omitempty"`  // where the browser goes after a form: a path of this server
}

// LinkRequest is a request for a link that signs a browser in.
type LinkRequest struct {
	Next string `json:"next,omitempty"` // the page that the link leads to: a path, such as /runs?state=dead
}

// Link is a link that signs a browser in.
type Link struct {
	URL   string    `json:"url"`        // the link; whoever has it can sign in
	Until time.Time `json:"expires_at"` // the link works once, until then
}

// Session is who sends a request, and what that allows.
type Session struct {
	Name    string     `json:"name"`                 // of the token; empty on the socket, which needs no token
	Rights  []string   `json:"rights"`               // read, operate, admin, emit, or emit and a pattern
	Until   *time.Time `json:"expires_at,omitempty"` // when the token or the session ends; missing: never
	Browser bool       `json:"browser,omitempty"`    // the request has the cookie of a signed-in browser
}

// SignedOut answers a browser that signs out.
type SignedOut struct {
	SignedOut bool `json:"signed_out"` // true: the browser must sign in again
}
