package signature

import (
	"cmp"
	"net/http"
	"net/url"
	"time"
)

// The schemes.
const (
	StandardWebhooks = "standard-webhooks"
	HMACSHA256       = "hmac-sha256"
	HMACSHA1         = "hmac-sha1"
	HMACSHA512       = "hmac-sha512"
	Stripe           = "stripe"
	Slack            = "slack"
	Token            = "token"
	Basic            = "basic"
	None             = "none"
)

// DefaultTolerance is how far the time of a request may be from now, before or after it.
const DefaultTolerance = 5 * time.Minute

// Options are a scheme's settings.
type Options struct {
	Scheme    string
	Secrets   []string // each is accepted; the first signs, or all of them where the scheme can have several signatures
	Header    string   // has the signature or the token. Default that of the scheme; the HMACs have none
	Prefix    string   // before the signature or the token in its header. Default "Bearer " for a token in Authorization
	NoPrefix  bool     // an empty Prefix is meant
	Encoding  string   // of an HMAC: "hex", the default, or "base64"
	Timestamp string   // the header with the time of an HMAC or of slack; default none, or X-Slack-Request-Timestamp
	Query     string   // the parameter of the query that is the token, in place of a header
	Tolerance time.Duration
	// Signs says that the scheme is for [Scheme.Sign]: its secrets must be those of a sender.
	Signs bool
}

// Request is what is verified: the parts of a request that schemes look at. Body has the exact bytes that were sent.
type Request struct {
	Header http.Header
	Query  url.Values
	Body   []byte
}

// Scheme verifies and signs requests. It is safe for concurrent use.
type Scheme struct{ method }

// method is how a scheme works. The time of a signature has whole seconds.
type method interface {
	verify(r Request, now time.Time) *Refusal
	sign(id string, body []byte, now time.Time, header http.Header)
}

// New makes a scheme. Its error is a [*fault.Fault] whose path begins with the wrong key of the file, if it is that of one.
func New(o Options) (*Scheme, error) {
	if f := o.check(); f != nil {
		return nil, f
	}
	for i, s := range o.Secrets {
		if f := o.checkSecret(s); f != nil {
			return nil, f.Within("secret", i)
		}
	}
	if len(o.Secrets) == 0 && o.Scheme != None {
		return nil, o.missing("secret")
	}
	return &Scheme{o.method()}, nil
}

func (o *Options) method() method {
	tolerance := cmp.Or(o.Tolerance, DefaultTolerance)
	switch o.Scheme {
	case StandardWebhooks:
		return newStandard(o.Secrets, tolerance)
	case Stripe:
		return &stripe{header: or(o.Header, stripeHeader), secrets: keys(o.Secrets), tolerance: tolerance}
	case Slack:
		return &hmacs{header: or(o.Header, slackHeader), prefix: "v0=", timestamp: or(o.Timestamp, slackTimestamp), before: "v0:",
			hash: hashes[HMACSHA256], secrets: keys(o.Secrets), tolerance: tolerance}
	case Token:
		return newToken(o)
	case Basic:
		return &basic{o.Secrets}
	case None:
		return none{}
	}
	return &hmacs{header: http.CanonicalHeaderKey(o.Header), prefix: o.Prefix, timestamp: http.CanonicalHeaderKey(o.Timestamp), base64: o.Encoding == "base64",
		hash: hashes[o.Scheme], secrets: keys(o.Secrets), tolerance: tolerance}
}

// The headers of schemes that can have others.
const (
	stripeHeader   = "Stripe-Signature"
	slackHeader    = "X-Slack-Signature"
	slackTimestamp = "X-Slack-Request-Timestamp"
)

// or returns a header's canonical name.
func or(name, otherwise string) string {
	return http.CanonicalHeaderKey(cmp.Or(name, otherwise))
}

func keys(secrets []string) [][]byte {
	list := make([][]byte, len(secrets))
	for i, s := range secrets {
		list[i] = []byte(s)
	}
	return list
}

// Verify checks a request. An error is a [*Refusal].
func (s *Scheme) Verify(r Request, now time.Time) error {
	if refusal := s.verify(r, now); refusal != nil {
		return refusal
	}
	return nil
}

// Sign returns the headers that a request with this body needs. The id is the same for all attempts of a delivery; only standard-webhooks sends it.
func (s *Scheme) Sign(id string, body []byte, now time.Time) http.Header {
	header := http.Header{}
	s.sign(id, body, now, header)
	return header
}

// none accepts everything.
type none struct{}

func (none) verify(Request, time.Time) *Refusal          { return nil }
func (none) sign(string, []byte, time.Time, http.Header) {}
