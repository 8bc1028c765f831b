package signature

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/expression/secrets"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Verify has the keys of verify. It is safe for concurrent use after it was decoded. Its secrets are read at each request, so that a file with one can
// be replaced.
type Verify struct {
	Scheme string `key:"scheme,required,short" enum:"standard-webhooks,hmac-sha256,hmac-sha1,hmac-sha512,stripe,slack,token,basic,none" doc:"How the sender shows who it is. none: anybody may send."`
	keysOfBoth
	Header    string        `key:"header" doc:"The header with the signature or the token. An HMAC needs it; stripe and slack have one by default, and a token is in Authorization."`
	Prefix    string        `key:"prefix" doc:"What is before the signature or the token in its header, such as sha256=. Default none, and Bearer for a token in Authorization."`
	Query     string        `key:"query" doc:"For token: the parameter of the query that is the secret, in place of a header. Urls are often logged: prefer a header."`
	Tolerance time.Duration `key:"tolerance" doc:"How far the time in a signature may be from now, before or after it, for standard-webhooks, stripe, slack and an HMAC with timestamp. Default 5m."`
}

// Sign has the keys of sign. It is safe for concurrent use after it was decoded.
type Sign struct {
	Scheme string `key:"scheme,required" enum:"standard-webhooks,hmac-sha256,hmac-sha1,hmac-sha512,stripe,slack" doc:"How the receiver sees that evrun sent the request."`
	keysOfBoth
	Header string `key:"header" doc:"The header of the signature. An HMAC needs it; stripe and slack have one by default."`
	Prefix string `key:"prefix" doc:"What is before an HMAC in its header, such as sha256=. Default none."`
}

// keysOfBoth are the keys of verify and sign.
type keysOfBoth struct {
	Secret    []*expression.Template `key:"secret" scope:"env" masked:"true" min:"1" other:"secrets,key,password" hint:"write '${ file(\"hook.secret\") }' or '${ env(\"HOOK_SECRET\") }'" doc:"What sender and receiver share: a text, or a list of them while one replaces another. For standard-webhooks whsec_…, or a key of ed25519: whpk_… to verify, whsk_… to sign. ${ env(\"NAME\") } and ${ file(\"PATH\") } are known in it."`
	Encoding  string                 `key:"encoding" enum:"hex,base64" doc:"How an HMAC is written. Default hex."`
	Timestamp string                 `key:"timestamp" doc:"The header with the time, if the sender of an HMAC signs it as TIME:BODY, as Grafana can; for slack, a header other than X-Slack-Request-Timestamp."`

	options Options // all but the secrets
	mu      sync.Mutex
	made    *Scheme  // of the secrets when they were read last; nil: none yet
	of      []string // these secrets
}

// CheckFields checks the keys together.
func (v *Verify) CheckFields(given map[string]any, at *fields.At) {
	v.check(Options{Scheme: v.Scheme, Header: v.Header, Prefix: v.Prefix, Query: v.Query, Tolerance: v.Tolerance}, given, at)
}

// CheckFields checks the keys together.
func (s *Sign) CheckFields(given map[string]any, at *fields.At) {
	s.check(Options{Scheme: s.Scheme, Header: s.Header, Prefix: s.Prefix, Signs: true}, given, at)
}

func (k *keysOfBoth) check(o Options, given map[string]any, at *fields.At) {
	if at.Wrong() {
		return
	}
	_, prefixed := given["prefix"]
	o.NoPrefix, o.Encoding, o.Timestamp = prefixed && o.Prefix == "", k.Encoding, k.Timestamp
	k.options = o
	o.Secrets = make([]string, len(k.Secret))
	if f := o.check(); f != nil {
		at.Add(f)
		return
	}
	if len(k.Secret) == 0 && o.Scheme != None {
		at.Add(o.missing("secret"))
		return
	}
	if o.Signs && len(k.Secret) > 1 && o.Scheme != StandardWebhooks && o.Scheme != Stripe {
		at.Add(fault.At([]any{"secret"}, "the scheme %s has one signature", o.Scheme).Hinting("sign with one secret; a receiver can accept several"))
		return
	}
	_, list := given["secret"].([]any)
	for i, t := range k.Secret {
		path := []any{"secret"}
		if list {
			path = append(path, i)
		}
		if len(t.OfEvent("x")) > 0 {
			at.Add(fault.At(path, "an event can't choose the secret").Hinting(`write env("NAME") or file("PATH")`))
		} else if text, constant := t.Constant(); constant {
			if f := o.checkSecret(text); f != nil {
				at.Add(f.Within(path...))
			}
		}
	}
}

// Hide adds the secrets that are written out in the file to a set, which has them removed from texts. Those of env() and file() are in it by themselves.
func (k *keysOfBoth) Hide(set *secrets.Set) {
	for _, t := range k.Secret {
		if text, constant := t.Constant(); constant {
			set.Add(text)
		}
	}
}

// current returns the scheme for the secrets as they are now.
func (k *keysOfBoth) current() (*Scheme, error) {
	texts := make([]string, len(k.Secret))
	for i, t := range k.Secret {
		var err error
		if texts[i], err = t.Text(&expression.Env{}); err != nil {
			return nil, &SecretError{err}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made != nil && slices.Equal(texts, k.of) {
		return k.made, nil
	}
	o := k.options
	o.Secrets = texts
	made, err := New(o)
	if err != nil {
		return nil, &SecretError{err}
	}
	k.made, k.of = made, texts
	return made, nil
}

// SecretError is why no secret can be used. It is a fault of the receiver's settings, not of the request: the sender should try again.
type SecretError struct{ err error }

func (e *SecretError) Error() string { return "the secret can't be used: " + e.err.Error() }
func (e *SecretError) Unwrap() error { return e.err }

// Verify checks a request. An error is a [*Refusal], or a [*SecretError].
func (v *Verify) Verify(r Request, now time.Time) error {
	s, err := v.current()
	if err != nil {
		return err
	}
	return s.Verify(r, now)
}

// ID returns the id that a verified request's signature covers, which is the same at each attempt of its sender; empty for schemes without one. No other
// header will do: whoever sends a request again could change it.
func (v *Verify) ID(header http.Header) string {
	if v.Scheme != StandardWebhooks {
		return ""
	}
	return header.Get(standardHeaders(header)[0])
}

// Names returns the names of the headers that sign a request.
func (s *Sign) Names() []string {
	switch o := s.options; o.Scheme {
	case StandardWebhooks:
		return []string{webhookID, webhookTimestamp, webhookSignature}
	case Stripe:
		return []string{or(o.Header, stripeHeader)}
	case Slack:
		return []string{or(o.Header, slackHeader), or(o.Timestamp, slackTimestamp)}
	default:
		return []string{or(o.Header, ""), or(o.Timestamp, "")}
	}
}

// Headers returns the headers that sign a request: see [Scheme.Sign]. An error is a [*SecretError].
func (s *Sign) Headers(id string, body []byte, now time.Time) (http.Header, error) {
	scheme, err := s.current()
	if err != nil {
		return nil, err
	}
	return scheme.Sign(id, body, now), nil
}
