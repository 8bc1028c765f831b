package signature

import (
	"cmp"
	"slices"
	"strings"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// uses says which settings a scheme has beside its secrets. Those of both are required.
var uses = map[string]struct{ has, needs []string }{
	StandardWebhooks: {has: []string{"tolerance"}},
	HMACSHA256:       {has: []string{"header", "prefix", "encoding", "timestamp", "tolerance"}, needs: []string{"header"}},
	HMACSHA1:         {has: []string{"header", "prefix", "encoding", "timestamp", "tolerance"}, needs: []string{"header"}},
	HMACSHA512:       {has: []string{"header", "prefix", "encoding", "timestamp", "tolerance"}, needs: []string{"header"}},
	Stripe:           {has: []string{"header", "tolerance"}},
	Slack:            {has: []string{"header", "timestamp", "tolerance"}},
	Token:            {has: []string{"header", "prefix", "query"}},
	Basic:            {},
	None:             {},
}

// keysOf returns the settings that are given, by their keys in the file.
func (o *Options) keysOf() []string {
	var given []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"header", o.Header != ""}, {"prefix", o.Prefix != "" || o.NoPrefix}, {"encoding", o.Encoding != ""}, {"timestamp", o.Timestamp != ""},
		{"query", o.Query != ""}, {"tolerance", o.Tolerance != 0},
	} {
		if k.set {
			given = append(given, k.name)
		}
	}
	return given
}

// check checks the settings other than the secrets.
func (o *Options) check() *fault.Fault {
	use, known := uses[o.Scheme]
	if !known {
		return fault.At([]any{"scheme"}, "unknown scheme %s", fault.Quote(o.Scheme))
	}
	if o.Scheme == None && len(o.Secrets) > 0 {
		return wrongKey("secret", "the scheme none has no secret").Hinting("leave it out, or choose the sender's scheme")
	}
	given := o.keysOf()
	for _, name := range given {
		if !slices.Contains(use.has, name) {
			return wrongKey(name, "the scheme "+o.Scheme+" has no "+name).Hinting("%s", cmp.Or(elsewhere(o.Scheme, name), "leave it out"))
		}
	}
	for _, name := range use.needs {
		if !slices.Contains(given, name) {
			return o.missing(name)
		}
	}
	switch {
	case o.Header != "" && o.Query != "":
		return wrongKey("query", "the token is in a header or in the query, not in both").Hinting("keep one of them")
	case o.Query != "" && slices.Contains(given, "prefix"):
		return wrongKey("prefix", "a token in the query has no prefix").Hinting("leave it out")
	case o.Tolerance != 0 && o.Timestamp == "" && strings.HasPrefix(o.Scheme, "hmac-"):
		return wrongKey("tolerance", "nothing says when the request was signed").Hinting("leave it out, or name the header with the time: timestamp")
	}
	for _, name := range []string{"header", "timestamp"} {
		text := map[string]string{"header": o.Header, "timestamp": o.Timestamp}[name]
		if !expression.IsHeaderName(text) {
			return fault.At([]any{name}, "%s is not the name of a header", fault.Quote(text)).Hinting("such as X-Hub-Signature-256")
		}
	}
	return nil
}

// wrongKey is the fault of a key that should not be there.
func wrongKey(name, message string) *fault.Fault {
	return &fault.Fault{Path: []any{name}, Key: true, Message: message}
}

// elsewhere is a hint to what a key is that a scheme doesn't have; empty for none.
func elsewhere(scheme, name string) string {
	switch {
	case scheme == StandardWebhooks && (name == "header" || name == "timestamp"):
		return "leave it out: its headers are webhook-id, webhook-timestamp and webhook-signature"
	case scheme == Basic && name == "header":
		return "leave it out: it is Authorization"
	case scheme == Stripe && name == "timestamp":
		return "leave it out: the time is in the same header"
	case scheme == None:
		return "leave it out: nothing is checked"
	case name == "query":
		return "only a token can be there: scheme: token"
	}
	return ""
}

// missing is the fault of a key that the scheme needs.
func (o *Options) missing(name string) *fault.Fault {
	f := fault.New("the scheme %s needs %q", o.Scheme, name)
	switch {
	case name == "header":
		return f.Hinting("the header that the sender puts the signature in, such as X-Hub-Signature-256")
	case o.Scheme == Basic:
		return f.Hinting(`USER:PASSWORD, such as secret: 'alertmanager:${ env("HOOK_PASSWORD") }'`)
	}
	return f.Hinting(`take it from a file or the environment: secret: '${ file("hook.secret") }'`)
}

// minSigning is how many bytes a secret of Standard Webhooks has at least.
const minSigning = 24

// checkSecret checks a secret. The fault has nothing of it.
func (o *Options) checkSecret(secret string) *fault.Fault {
	switch {
	case secret == "":
		return fault.New("the secret is empty")
	case strings.TrimSpace(secret) != secret:
		return fault.New("the secret has white space at its beginning or end").Hinting("trim(…) removes it")
	case o.Scheme == Basic && !strings.Contains(secret, ":"):
		return fault.New("the secret is not USER:PASSWORD").Hinting(`such as secret: 'alertmanager:${ env("HOOK_PASSWORD") }'`)
	case (o.Scheme == Token || o.Scheme == Basic) && strings.ContainsAny(secret, "\r\n\x00"):
		return fault.New("the secret has a line break or a NUL in it, and a header can't")
	case o.Scheme != StandardWebhooks:
		return nil
	}
	key, wrong := parseStandardKey(secret)
	switch {
	case wrong != nil:
		return wrong
	case o.Signs && key.public != nil && key.private == nil:
		return fault.New("this is a public key, and only the private one signs").Hinting("sign with it: whsk_…")
	case !o.Signs && key.private != nil:
		return fault.New("this is a private key, which only the sender should have").Hinting("verify with the public one: whpk_…")
	case o.Signs && key.public == nil && len(key.secret) < minSigning:
		return fault.New("the secret has %d bytes; Standard Webhooks has %d to 64", len(key.secret), minSigning).Hinting(`echo "whsec_$(openssl rand -base64 32)" makes one`)
	}
	return nil
}
