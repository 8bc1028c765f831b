package signature

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The cases of Standard Webhooks' own tests (libraries/go/webhook_test.go), with its secret, id and body.
const (
	theirSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	theirID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	theirBody   = `{"test": 2432232314}`
	another     = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
)

func newScheme(t *testing.T, o Options) *Scheme {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStandardWebhooksOwnCases(t *testing.T) {
	now := time.Unix(1614265330, 0)
	s := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{theirSecret}})
	for name, x := range map[string]struct {
		signed time.Time
		change func(r *Request)
		want   Reason // empty: accepted
	}{
		"a valid signature":       {now, nil, ""},
		"no id":                   {now, func(r *Request) { r.Header.Del("webhook-id") }, Missing},
		"no timestamp":            {now, func(r *Request) { r.Header.Del("webhook-timestamp") }, Missing},
		"no signature":            {now, func(r *Request) { r.Header.Del("webhook-signature") }, Missing},
		"an invalid signature":    {now, func(r *Request) { r.Header.Set("webhook-signature", another) }, Mismatch},
		"a partial signature":     {now, func(r *Request) { r.Header.Set("webhook-signature", "v1,") }, Malformed},
		"an old timestamp":        {now.Add(-DefaultTolerance - time.Second), nil, TooOld},
		"a new timestamp":         {now.Add(DefaultTolerance + time.Second), nil, TooNew},
		"just not too old":        {now.Add(-DefaultTolerance), nil, ""},
		"just not too new":        {now.Add(DefaultTolerance), nil, ""},
		"another timestamp":       {now, func(r *Request) { r.Header.Set("webhook-timestamp", "946684800") }, Mismatch},
		"another id":              {now, func(r *Request) { r.Header.Set("webhook-id", "msg_2") }, Mismatch},
		"another body":            {now, func(r *Request) { r.Body = []byte(theirBody + "\n") }, Mismatch},
		"several signatures":      {now, func(r *Request) { several(r, another, "v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", "", another) }, ""},
		"too many signatures":     {now, func(r *Request) { several(r, strings.Repeat(another+" ", maxSignatures), "") }, Malformed},
		"only another version":    {now, func(r *Request) { r.Header.Set("webhook-signature", strings.Replace(another, "v1", "v2", 1)) }, Malformed},
		"the version without one": {now, func(r *Request) { r.Header.Set("webhook-signature", "v1") }, Malformed},
		"two signature headers":   {now, func(r *Request) { r.Header.Add("webhook-signature", another) }, Malformed},
		"a time of milliseconds":  {now, func(r *Request) { r.Header.Set("webhook-timestamp", "1614265330000") }, Malformed},
		"a time with a sign":      {now, func(r *Request) { r.Header.Set("webhook-timestamp", "+1614265330") }, Malformed},
		"a time that is a text":   {now, func(r *Request) { r.Header.Set("webhook-timestamp", "now") }, Malformed},
		"the headers of Svix": {now, func(r *Request) {
			for _, name := range []string{"Id", "Timestamp", "Signature"} {
				r.Header["Svix-"+name] = r.Header["Webhook-"+name]
				delete(r.Header, "Webhook-"+name)
			}
		}, ""},
	} {
		r := Request{Header: s.Sign(theirID, []byte(theirBody), x.signed), Body: []byte(theirBody)}
		if x.change != nil {
			x.change(&r)
		}
		refusal, _ := s.Verify(r, now).(*Refusal)
		if refusal == nil && x.want != "" || refusal != nil && refusal.Reason != x.want {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
}

// several puts the signature of a request behind others; empty: in its place.
func several(r *Request, list ...string) {
	own := r.Header.Get("webhook-signature")
	for i, s := range list {
		if s == "" {
			list[i] = own
		}
	}
	r.Header.Set("webhook-signature", strings.Join(list, " "))
}

func TestTheSignatureOfStandardWebhooksOwnExample(t *testing.T) {
	for _, secret := range []string{theirSecret, "whsec_" + theirSecret, "v1,whsec_" + theirSecret} {
		header := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{secret}}).Sign(theirID, []byte(theirBody), time.Unix(1614265330, 0))
		if got := header.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
			t.Errorf("%s: %s", secret, got)
		}
	}
}

// RFC 8032, section 7.1, tests 1 and 2, as Standard Webhooks writes keys.
const (
	private1 = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	public1  = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	public2  = "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
)

func TestAKeyPairSignsAndVerifies(t *testing.T) {
	now := time.Unix(1614265330, 0)
	header := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{private1}, Signs: true}).Sign(theirID, []byte(theirBody), now)
	if s := header.Get("webhook-signature"); !strings.HasPrefix(s, "v1a,") {
		t.Errorf("signed with %s", s)
	}
	r := Request{Header: header, Body: []byte(theirBody)}
	for name, x := range map[string]struct {
		secrets []string
		want    string // a part of the refusal; empty: accepted
	}{
		"its key":           {[]string{public1}, ""},
		"one of two":        {[]string{public2, public1}, ""},
		"beside a secret":   {[]string{theirSecret, public1}, ""},
		"another key":       {[]string{public2}, "does not match"},
		"a secret alone":    {[]string{theirSecret}, "are of ed25519 (v1a), and the secret is not; verify them with the sender's public key"},
		"no padding":        {[]string{strings.TrimRight(public1, "=")}, ""},
		"another and a key": {[]string{theirSecret, public2}, "does not match"},
	} {
		err := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: x.secrets}).Verify(r, now)
		if err == nil && x.want != "" || err != nil && (x.want == "" || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Header = newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{theirSecret}}).Sign(theirID, []byte(theirBody), now)
	if err := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{public1}}).Verify(r, now); err == nil || !strings.Contains(err.Error(), "of a shared secret (v1)") {
		t.Error(err)
	}
	// An HMAC with the public key, which everybody knows, is no signature.
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(public1, "whpk_"))
	r.Header = newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{base64.StdEncoding.EncodeToString(raw)}}).Sign(theirID, []byte(theirBody), now)
	for _, version := range []string{"v1", "v1a"} {
		r.Header.Set("webhook-signature", version+r.Header.Get("webhook-signature")[strings.Index(r.Header.Get("webhook-signature"), ","):])
		if newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{public1}}).Verify(r, now) == nil {
			t.Error(version)
		}
	}
	// A private key may have the public one behind it.
	seed, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(private1, "whsk_"))
	both := "whsk_" + base64.StdEncoding.EncodeToString(append(seed, raw...))
	if got := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{both}, Signs: true}).Sign(theirID, []byte(theirBody), now); got.Get("webhook-signature") != header.Get("webhook-signature") {
		t.Error("the key of 64 bytes signs otherwise")
	}
}

// Whoever can write a text into a signed body can't have the rest of it taken for a request of another time.
func TestAPartOfTheBodyCanNotBecomeTheID(t *testing.T) {
	s := newScheme(t, Options{Scheme: StandardWebhooks, Secrets: []string{theirSecret}})
	sent, later := time.Unix(1614265330, 0), time.Unix(1900000000, 0)
	body := "comment=x.1900000000.type=admin"
	header := s.Sign(theirID, []byte(body), sent)
	before, after, _ := strings.Cut(body, ".1900000000.")
	forged := Request{Header: header.Clone(), Body: []byte(after)}
	forged.Header.Set("webhook-id", theirID+"."+strconv.FormatInt(sent.Unix(), 10)+"."+before)
	forged.Header.Set("webhook-timestamp", "1900000000")
	if refusal, _ := s.Verify(forged, later).(*Refusal); refusal == nil || refusal.Reason != Malformed {
		t.Errorf("%v", refusal)
	}
}

// A request that was recorded can't be sent again as another one, by the header of the id that was not signed.
func TestTheIDIsTheOneThatWasSigned(t *testing.T) {
	v := &Verify{Scheme: StandardWebhooks}
	for want, h := range map[string]http.Header{
		"a":    header("webhook-id", "a", "webhook-signature", "x", "svix-id", "b", "svix-signature", "y"),
		"b":    header("webhook-id", "a", "svix-id", "b", "svix-signature", "y"),
		"none": header("webhook-id", "none"),
	} {
		if id := v.ID(h); id != want {
			t.Errorf("%v: %s", h, id)
		}
	}
	if id := (&Verify{Scheme: Stripe}).ID(header("webhook-id", "a")); id != "" {
		t.Error(id)
	}
}
