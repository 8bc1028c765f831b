package signature

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// token is a header, or a parameter of the query, that is the secret itself.
type token struct {
	header, prefix, query string
	secrets               []string
}

func newToken(o *Options) *token {
	t := &token{query: o.Query, prefix: o.Prefix, secrets: o.Secrets}
	if o.Query == "" {
		t.header = or(o.Header, "Authorization")
	}
	if t.header == "Authorization" && !o.NoPrefix {
		t.prefix = cmp.Or(o.Prefix, "Bearer ")
	}
	return t
}

func (t *token) verify(r Request, _ time.Time) *Refusal {
	given, place := "", t.header
	if t.query != "" {
		place = "the parameter " + strconv.Quote(t.query) + " of the query"
		switch values := r.Query[t.query]; {
		case len(values) == 0 || values[0] == "":
			return &Refusal{Missing, "the request's query has no parameter " + strconv.Quote(t.query), otherwise(r.Header, "")}
		case len(values) > 1:
			return &Refusal{Malformed, "the request's query has the parameter " + strconv.Quote(t.query) + " more than once", ""}
		default:
			given = values[0]
		}
	} else {
		var refusal *Refusal
		if given, refusal = one(r, t.header); refusal != nil {
			return refusal
		}
	}
	given, begins := cutBeginning(given, t.prefix)
	if !begins {
		hint := ""
		if rest, other := cutBeginning(given, "basic "); other && rest != "" && t.header == "Authorization" {
			hint = "it has a user and a password, for verify: {scheme: basic, …}"
		}
		return &Refusal{Malformed, fmt.Sprintf("what is in %s does not begin with %q", place, t.prefix), hint}
	}
	return compare(given, t.secrets, "the token in "+place)
}

// compare refuses a text that is none of the secrets. It takes as long for each text of a length.
func compare(given string, secrets []string, what string) *Refusal {
	sum, found := sha256.Sum256([]byte(given)), 0
	for _, secret := range secrets {
		want := sha256.Sum256([]byte(secret))
		found |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	if found == 0 {
		return &Refusal{Mismatch, what + " is not the secret", "is it the same at the sender?"}
	}
	return nil
}

func (t *token) sign(_ string, _ []byte, _ time.Time, header http.Header) {
	if t.header != "" {
		header.Set(t.header, t.prefix+t.secrets[0])
	}
}

// basic is the header Authorization with a user and a password.
type basic struct{ secrets []string }

func (b *basic) verify(r Request, _ time.Time) *Refusal {
	const header, scheme = "Authorization", "Basic "
	text, refusal := one(r, header)
	if refusal != nil {
		return refusal
	}
	text, begins := cutBeginning(text, scheme)
	if !begins {
		return &Refusal{Malformed, "what is in Authorization is not a user and a password", "it should be Basic …; a bearer token is for verify: {scheme: token, …}"}
	}
	given, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !strings.Contains(string(given), ":") {
		return &Refusal{Malformed, "what is in Authorization is not the base64 of USER:PASSWORD", ""}
	}
	return compare(string(given), b.secrets, "the user or the password in Authorization")
}

func (b *basic) sign(_ string, _ []byte, _ time.Time, header http.Header) {
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(b.secrets[0])))
}
