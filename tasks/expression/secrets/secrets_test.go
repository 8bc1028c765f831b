package secrets

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"testing"
)

func TestSecretsAreRedacted(t *testing.T) {
	var none *Set
	none.Add("something")
	if got := none.Redact("something"); got != "something" {
		t.Error(got)
	}
	var s Set
	if got := s.Redact("x"); got != "x" {
		t.Error(got)
	}
	for _, v := range []string{"abcd", "abcdef", "on", "     ", "quo\"te\n<x>", "abcd"} {
		s.Add(v)
	}
	for in, want := range map[string]string{
		"abcdef abcd on":            "[secret] [secret] on",
		"quo\"te\n<x>":              "[secret]",
		`{"a":"quo\"te\n<x>"}`:      `{"a":"[secret]"}`,
		`"quo\"te\n\u003cx\u003e" `: `"[secret]" `,
	} {
		if got := s.Redact(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// At any position of a secret in an encoded text, at most one character of it remains.
func TestEncodedSecretsAreRedacted(t *testing.T) {
	for _, secret := range []string{"s3cret-value", "p4ss/w+rd?&=<x>\"\n", "0123456789abcdef0123456789abcdef", "ünïcödé-pass", "ten bytes!"} {
		var s Set
		s.Add(secret)
		for _, prefix := range []string{"", "u", "us", "use", "user:", "someone:"} {
			for _, suffix := range []string{"", ".", "..", "...", "\n"} {
				for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
					encoded := encoding.EncodeToString([]byte(prefix + secret + suffix))
					if got := s.Redact("Authorization: Basic " + encoded + ", next"); got != "Authorization: Basic [secret], next" {
						t.Errorf("%q%q%q: %s", prefix, secret, suffix, got)
					}
				}
			}
		}
		text, _ := json.Marshal(secret)
		for name, encoded := range map[string]string{
			"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "lower case": lowerHex(url.QueryEscape(secret)),
			"json": inner(string(text)), "html": html.EscapeString(secret), "quoted": inner(strconv.Quote(secret)),
		} {
			if got := s.Redact("a=" + encoded + "&b=1"); got != "a=[secret]&b=1" {
				t.Errorf("%s of %q: %s", name, secret, got)
			}
		}
	}

	// Texts without a short secret stay unchanged.
	var s Set
	s.Add("abcd")
	if text := "YWJj YmNk abce aWFiY2Rp"; s.Redact(text) != text {
		t.Error(s.Redact(text))
	}
	if got := s.Redact("YWJjZA== YWJjZA"); got != "[secret] [secret]" {
		t.Error(got)
	}
}

func TestASecretThatWasCutIsRedacted(t *testing.T) {
	var s Set
	s.Add("s3cret/value with a long end")
	for in, want := range map[string]string{
		`"it is s3cret/val…" and more…`:      `"it is [secret]…" and more…`,
		`s3cret%2Fvalue+with…, s3cr…`:        `[secret]…, [secret]…`,
		`Basic dXNlcjpzM2NyZXQvdmFsd…, done`: `Basic [secret]…, done`,
		`s3c…`:                               `s3c…`,
		`…`:                                  `…`,
	} {
		if got := s.Redact(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
