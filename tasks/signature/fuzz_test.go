package signature

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fuzzed are the schemes whose parsers strangers reach, and the headers that they read.
var fuzzed = []struct {
	options Options
	headers []string
}{
	{Options{Scheme: StandardWebhooks, Secrets: []string{theirSecret, public1}}, []string{"Webhook-Signature", "Webhook-Timestamp", "Webhook-Id"}},
	{Options{Scheme: HMACSHA256, Header: "X-S", Prefix: "sha256=", Timestamp: "X-T", Secrets: []string{"hunter2-secret"}}, []string{"X-S", "X-T"}},
	{Options{Scheme: HMACSHA1, Header: "X-S", Encoding: "base64", Secrets: []string{"hunter2-secret"}}, []string{"X-S"}},
	{Options{Scheme: Stripe, Secrets: []string{"hunter2-secret"}}, []string{"Stripe-Signature"}},
	{Options{Scheme: Slack, Secrets: []string{"hunter2-secret"}}, []string{"X-Slack-Signature", "X-Slack-Request-Timestamp"}},
	{Options{Scheme: Token, Secrets: []string{"hunter2-secret"}}, []string{"Authorization"}},
	{Options{Scheme: Basic, Secrets: []string{"user:hunter2-secret"}}, []string{"Authorization"}},
}

// FuzzVerify changes the headers of requests that were signed. What is accepted must be signed with this secret, and over this body. No refusal may show a
// secret, or what the sender wrote.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1614265330, 0)
	for i, x := range fuzzed {
		s, err := New(x.options)
		if err != nil {
			f.Fatal(err)
		}
		h := s.Sign(theirID, []byte(theirBody), now)
		f.Add(i, h.Get(x.headers[0]), second(h, x.headers), theirID, theirBody)
	}
	f.Add(0, "v1,AAAA v1a,AAAA v2,x , v1", "1614265330", "a.1614265330.b", "{}")
	f.Add(3, "t=1614265330,v1=00,v1=,t=,=,v0=", "", "", "")
	f.Add(1, "sha256=00,sha256=,SHA256=zz", "99999999999", "", "")
	f.Fuzz(func(t *testing.T, which int, signature, at, id, body string) {
		x := fuzzed[uint(which)%uint(len(fuzzed))]
		s := newScheme(t, x.options)
		h := http.Header{x.headers[0]: {signature}, "Webhook-Id": {id}}
		if len(x.headers) > 1 {
			h[x.headers[1]] = []string{at}
		}
		err := s.Verify(Request{Header: h, Query: url.Values{}, Body: []byte(body)}, now)
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") || len(signature) > 40 && strings.Contains(err.Error(), signature) {
				t.Fatalf("shows too much: %v", err)
			}
			return
		}
		if x.options.Scheme == Token || x.options.Scheme == Basic {
			if own := s.Sign("", nil, now).Get("Authorization"); own[len("Basic "):] != signature[len("Basic "):] {
				t.Fatalf("accepted %q", signature)
			}
			return
		}
		if s.Verify(Request{Header: h, Body: []byte(body + "x")}, now) == nil {
			t.Fatalf("%s: %q is a signature of two bodies", x.options.Scheme, signature)
		}
		other := x.options
		other.Secrets = []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
		if newScheme(t, other).Verify(Request{Header: h, Body: []byte(body)}, now) == nil {
			t.Fatalf("%s: %q is the signature of two secrets", x.options.Scheme, signature)
		}
	})
}

// second returns the value of the second header.
func second(h http.Header, names []string) string {
	if len(names) < 2 {
		return ""
	}
	return h.Get(names[1])
}
