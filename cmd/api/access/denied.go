package access

import "sync/atomic"

// Reason is why a request was refused.
type Reason string

// The reasons.
const (
	NoToken       Reason = "no_token"       // none was sent, or in the URL
	WrongToken    Reason = "wrong_token"    // unknown, revoked, expired or malformed
	TooMany       Reason = "too_many"       // too many wrong ones from the same address
	NoRight       Reason = "no_right"       // the token does not allow it
	WrongHost     Reason = "wrong_host"     // the Host is not one of this server
	ForeignOrigin Reason = "foreign_origin" // a web page of another origin sent it
	FormPost      Reason = "form"           // it has the content type of a form
	RateLimit     Reason = "rate"           // the token publishes more than its rate
)

// Reasons are all of them.
var Reasons = [...]Reason{NoToken, WrongToken, TooMany, NoRight, WrongHost, ForeignOrigin, FormPost, RateLimit}

// Denied counts refused requests by their reasons. The zero value is ready for use.
type Denied struct{ n [len(Reasons)]atomic.Int64 }

func (d *Denied) add(why Reason) {
	for i, r := range Reasons {
		if r == why {
			d.n[i].Add(1)
		}
	}
}

// Each calls f for each reason.
func (d *Denied) Each(f func(why Reason, n int64)) {
	for i, why := range Reasons {
		f(why, d.n[i].Load())
	}
}
