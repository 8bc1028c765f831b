package signature

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A refusal says what is wrong and what to do, and shows neither a secret nor what the sender wrote.
func TestARefusalTeaches(t *testing.T) {
	now := time.Unix(1614265330, 0)
	hex256 := strings.Repeat("ab", 32)
	github := Options{Scheme: HMACSHA256, Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: []string{"hunter2"}}
	plain := Options{Scheme: HMACSHA256, Header: "X-Signature", Secrets: []string{"hunter2"}}
	for _, x := range []struct {
		options Options
		header  http.Header
		query   url.Values
		want    string
	}{
		{github, header("x-hub-signature", "sha1=00"),
			nil, `the request has no header X-Hub-Signature-256; it has X-Hub-Signature, for verify: {scheme: hmac-sha1, header: X-Hub-Signature, prefix: "sha1=", …}`},
		{github, header("x-gitlab-token", "hunter3"), nil, "the request has no header X-Hub-Signature-256; it has X-Gitlab-Token, for verify: {scheme: token, header: X-Gitlab-Token, …}"},
		{github, header("authorization", "bearer hunter3"), nil, "the request has no header X-Hub-Signature-256; it has Authorization with a bearer token, for verify: {scheme: token, …}"},
		{github, header("authorization", "Digest hunter3"), nil, "the request has no header X-Hub-Signature-256; was the sender told to sign, or to send the secret?"},
		{github, nil, nil, "the request has no header X-Hub-Signature-256; was the sender told to sign, or to send the secret?"},
		{github, header("X-Hub-Signature-256", "sha256="+hex256), nil,
			"the signature in X-Hub-Signature-256 does not match; is the secret the same at the sender, and does nothing in between change the body?"},
		{Options{Scheme: HMACSHA256, Header: "X-S", Secrets: []string{"a", "b"}}, header("X-S", hex256), nil,
			"the signature in X-S does not match; is one of the 2 secrets the sender's, and does nothing in between change the body?"},
		{github, header("X-Hub-Signature-256", hex256), nil, `the signature in X-Hub-Signature-256 does not begin with "sha256="`},
		{github, header("X-Hub-Signature-256", "sha1="+strings.Repeat("ab", 20)), nil, `the signature in X-Hub-Signature-256 does not begin with "sha256="; it needs prefix: "sha1="`},
		{plain, header("X-Signature", strings.Repeat("ab", 20)), nil, "the signature in X-Signature has the size of hmac-sha1, not of hmac-sha256; it may need scheme: hmac-sha1"},
		{plain, header("X-Signature", strings.Repeat("ab", 64)), nil, "the signature in X-Signature has the size of hmac-sha512, not of hmac-sha256; it may need scheme: hmac-sha512"},
		{plain, header("X-Signature", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="), nil, "the signature in X-Signature is base64, not hex; it needs encoding: base64"},
		{plain, header("X-Signature", "sha256="+hex256), nil, `what is in X-Signature is not the hex of hmac-sha256; it needs prefix: "sha256="`},
		{plain, header("X-Signature", "hunter3"), nil, "what is in X-Signature is not the hex of hmac-sha256"},
		{Options{Scheme: HMACSHA256, Header: "X-Signature", Encoding: "base64", Secrets: []string{"hunter2"}}, header("X-Signature", hex256), nil,
			"the signature in X-Signature is hex, not base64; it needs encoding: hex"},
		{plain, header("X-Signature", hex256, "X-Signature", hex256), nil, "the request has the header X-Signature more than once"},
		{plain, header("X-Signature", strings.Repeat(hex256+",", 20)), nil, "there are more than 16 signatures in X-Signature"},
		{Options{Scheme: HMACSHA256, Header: "X-S", Timestamp: "x-t", Secrets: []string{"hunter2"}}, header("X-S", hex256), nil,
			"the request has no header X-T; was the sender told to sign, or to send the secret?"},
		{Options{Scheme: Stripe, Secrets: []string{"hunter2"}}, header("Stripe-Signature", "t=1614265330"), nil,
			"Stripe-Signature has no signature of the version v1; it should be t=…,v1=…"},
		{Options{Scheme: Stripe, Secrets: []string{"hunter2"}}, header("Stripe-Signature", "v1="+hex256), nil, "Stripe-Signature has no time; it should be t=…,v1=…"},
		{Options{Scheme: Stripe, Secrets: []string{"hunter2"}}, header("Stripe-Signature", "t=1,v1="+hex256+",t=2"), nil, "there is more than one time in Stripe-Signature"},
		// https://docs.stripe.com/webhooks/signature prints this header without its secret and body.
		{Options{Scheme: Stripe, Secrets: []string{"hunter2"}}, header("Stripe-Signature", "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"), nil,
			"the signature in Stripe-Signature does not match; is the secret the same at the sender, and does nothing in between change the body? Each endpoint has a secret of its own, and so has stripe listen."},
		{Options{Scheme: Token, Secrets: []string{"hunter2"}}, header("Authorization", "Basic aHVudGVyMzp4"), nil,
			`what is in Authorization does not begin with "Bearer "; it has a user and a password, for verify: {scheme: basic, …}`},
		{Options{Scheme: Token, Secrets: []string{"hunter2"}}, header("Authorization", "Bearer hunter3"), nil, "the token in Authorization is not the secret; is it the same at the sender?"},
		{Options{Scheme: Token, Header: "X-Gitlab-Token", Secrets: []string{"hunter2"}}, header("X-Gitlab-Token", "hunter22"), nil, "the token in X-Gitlab-Token is not the secret; is it the same at the sender?"},
		{Options{Scheme: Token, Query: "token", Secrets: []string{"hunter2"}}, header("Authorization", "Bearer hunter2"), nil,
			`the request's query has no parameter "token"; it has Authorization with a bearer token, for verify: {scheme: token, …}`},
		{Options{Scheme: Token, Query: "token", Secrets: []string{"hunter2"}}, nil, url.Values{"token": {"hunter2", "hunter2"}}, `the request's query has the parameter "token" more than once`},
		{Options{Scheme: Token, Query: "token", Secrets: []string{"hunter2"}}, nil, url.Values{"token": {"hunter3"}}, `the token in the parameter "token" of the query is not the secret; is it the same at the sender?`},
		{Options{Scheme: Basic, Secrets: []string{"a:hunter2"}}, header("Authorization", "Bearer hunter3"), nil,
			"what is in Authorization is not a user and a password; it should be Basic …; a bearer token is for verify: {scheme: token, …}"},
		{Options{Scheme: Basic, Secrets: []string{"a:hunter2"}}, header("Authorization", "Basic hunter3"), nil, "what is in Authorization is not the base64 of USER:PASSWORD"},
		{Options{Scheme: Basic, Secrets: []string{"a:hunter2"}}, header("Authorization", "Basic YTpodW50ZXIz"), nil, "the user or the password in Authorization is not the secret; is it the same at the sender?"},
	} {
		err := newScheme(t, x.options).Verify(Request{Header: x.header, Query: x.query, Body: []byte("x")}, now)
		if err == nil || err.Error() != x.want {
			t.Errorf("%v\nwant %s", err, x.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("shows a secret: %v", err)
		}
	}
}

func TestATimeIsRefusedOnlyIfItsSignatureIsRight(t *testing.T) {
	sent := time.Unix(1614265330, 0)
	for name, o := range map[string]Options{
		StandardWebhooks: {Scheme: StandardWebhooks, Secrets: []string{theirSecret}},
		Stripe:           {Scheme: Stripe, Secrets: []string{"k"}},
		Slack:            {Scheme: Slack, Secrets: []string{"k"}},
		"an HMAC":        {Scheme: HMACSHA1, Header: "X-S", Timestamp: "X-T", Secrets: []string{"k"}},
	} {
		for _, tolerance := range []time.Duration{0, time.Hour} {
			o.Tolerance = tolerance
			s := newScheme(t, o)
			limit := max(tolerance, DefaultTolerance)
			if tolerance != 0 {
				limit = tolerance
			}
			r := Request{Header: s.Sign("id", []byte("body"), sent), Body: []byte("body")}
			for after, want := range map[time.Duration]Reason{0: "", limit: "", -limit: "", limit + time.Second: TooOld, -limit - time.Second: TooNew, 90 * 24 * time.Hour: TooOld} {
				refusal, _ := s.Verify(r, sent.Add(after)).(*Refusal)
				if refusal == nil && want != "" || refusal != nil && refusal.Reason != want {
					t.Errorf("%s after %v: %v", name, after, refusal)
				}
				if r := (Request{Header: r.Header, Body: []byte("Body")}); s.Verify(r, sent.Add(after)).(*Refusal).Reason != Mismatch {
					t.Errorf("%s of another body after %v", name, after)
				}
			}
		}
	}
	s := newScheme(t, Options{Scheme: Stripe, Secrets: []string{"k"}})
	r := Request{Header: s.Sign("", nil, sent)}
	if err := s.Verify(r, sent.Add(6*time.Minute)); err == nil ||
		err.Error() != "the signature is right, but 6m0s old; the tolerance is 5m0s; was the request held up or sent again, or is the clock of this machine wrong?" {
		t.Error(err)
	}
	if err := s.Verify(r, sent.Add(-72*time.Hour)); err == nil || !strings.Contains(err.Error(), "its time is 3 days ahead; the tolerance is 5m0s") {
		t.Error(err)
	}
}

func TestOldAndNewSecretAreBothAccepted(t *testing.T) {
	now := time.Unix(1614265330, 0)
	for _, o := range []Options{
		{Scheme: StandardWebhooks}, {Scheme: HMACSHA512, Header: "X-S"}, {Scheme: HMACSHA256, Header: "X-S", Encoding: "base64", Prefix: "v1="}, {Scheme: Stripe}, {Scheme: Slack},
		{Scheme: Token, Header: "X-Token"}, {Scheme: Token}, {Scheme: Token, NoPrefix: true}, {Scheme: Basic},
	} {
		secrets := []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}
		if o.Scheme == Basic {
			secrets = []string{"a:b", "a:c", "a:d"}
		}
		o.Secrets = secrets[:2]
		s := newScheme(t, o)
		for i, secret := range secrets {
			o.Secrets = []string{secret}
			r := Request{Header: newScheme(t, o).Sign("id", []byte("body"), now), Body: []byte("body")}
			if err := s.Verify(r, now); (err == nil) != (i < 2) {
				t.Errorf("%s, secret %d: %v", o.Scheme, i, err)
			}
		}
	}
}

// PagerDuty signs with each of its secrets, and has all signatures in one header.
func TestOneOfSeveralSignaturesIsEnough(t *testing.T) {
	s := newScheme(t, Options{Scheme: HMACSHA256, Header: "X-PagerDuty-Signature", Prefix: "v1=", Secrets: []string{"k"}})
	own := s.Sign("", []byte("body"), time.Now()).Get("X-PagerDuty-Signature")
	r := Request{Header: header("X-PagerDuty-Signature", "v1="+strings.Repeat("ab", 32)+", v0=x,"+own), Body: []byte("body")}
	if err := s.Verify(r, time.Now()); err != nil {
		t.Error(err)
	}
}

func TestWhatCanNotVerifyIsRefused(t *testing.T) {
	for want, o := range map[string]Options{
		`scheme: unknown scheme "md5"`: {Scheme: "md5", Secrets: []string{"k"}},
		`secret: the scheme none has no secret; leave it out, or choose the sender's scheme`:                                 {Scheme: None, Secrets: []string{"k"}},
		`header: the scheme none has no header; leave it out: nothing is checked`:                                            {Scheme: None, Header: "X"},
		`query: the scheme stripe has no query; only a token can be there: scheme: token`:                                    {Scheme: Stripe, Query: "q", Secrets: []string{"k"}},
		`query: the token is in a header or in the query, not in both; keep one of them`:                                     {Scheme: Token, Query: "q", Header: "X", Secrets: []string{"k"}},
		`prefix: a token in the query has no prefix; leave it out`:                                                           {Scheme: Token, Query: "q", NoPrefix: true, Secrets: []string{"k"}},
		`tolerance: nothing says when the request was signed; leave it out, or name the header with the time: timestamp`:     {Scheme: HMACSHA1, Header: "X", Tolerance: 1, Secrets: []string{"k"}},
		`header: "X Y" is not the name of a header; such as X-Hub-Signature-256`:                                             {Scheme: HMACSHA1, Header: "X Y", Secrets: []string{"k"}},
		`secret[1]: the secret has white space at its beginning or end; trim(…) removes it`:                                  {Scheme: Token, Secrets: []string{"k", "k\n"}},
		`secret[0]: the secret is empty`:                                                                                     {Scheme: Token, Secrets: []string{""}},
		`secret[0]: the secret has a line break or a NUL in it, and a header can't`:                                          {Scheme: Token, Secrets: []string{"a\nb"}},
		"secret[0]: the secret is not USER:PASSWORD; such as secret: 'alertmanager:${ env(\"HOOK_PASSWORD\") }'":             {Scheme: Basic, Secrets: []string{"k"}},
		`secret[0]: this is a private key, which only the sender should have; verify with the public one: whpk_…`:            {Scheme: StandardWebhooks, Secrets: []string{private1}},
		`secret[0]: the public key has 3 bytes; ed25519 has 32`:                                                              {Scheme: StandardWebhooks, Secrets: []string{"whpk_AAAA"}},
		`secret[0]: the secret is empty `:                                                                                    {Scheme: StandardWebhooks, Secrets: []string{"whsec_"}},
		`the scheme hmac-sha1 needs "header"; the header that the sender puts the signature in, such as X-Hub-Signature-256`: {Scheme: HMACSHA1, Secrets: []string{"k"}},
		`the scheme stripe needs "secret"; take it from a file or the environment: secret: '${ file("hook.secret") }'`:       {Scheme: Stripe},
		`the scheme basic needs "secret"; USER:PASSWORD, such as secret: 'alertmanager:${ env("HOOK_PASSWORD") }'`:           {Scheme: Basic},
	} {
		if _, err := New(o); err == nil || err.Error() != strings.TrimSpace(want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
