package handlers

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/signature"
)

const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// verifier checks requests as a receiver would.
func verifier(t *testing.T, o signature.Options) func(r seen) error {
	t.Helper()
	s, err := signature.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return func(r seen) error {
		return s.Verify(signature.Request{Header: r.header, Body: []byte(r.body)}, time.Now())
	}
}

func TestAReceiverCanVerifyWhatIsSigned(t *testing.T) {
	const private, public = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" // RFC 8032, 7.1, test 1
	server, got := recorder(t, nil)
	for name, x := range map[string]struct {
		sign     map[string]any
		receiver signature.Options
	}{
		"standard":         {map[string]any{"scheme": "standard-webhooks", "secret": standardSecret}, signature.Options{Scheme: "standard-webhooks", Secrets: []string{standardSecret}}},
		"standard ed25519": {map[string]any{"scheme": "standard-webhooks", "secret": private}, signature.Options{Scheme: "standard-webhooks", Secrets: []string{public}}},
		"rotation, the old one": {map[string]any{"scheme": "standard-webhooks", "secret": []any{"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", standardSecret}},
			signature.Options{Scheme: "standard-webhooks", Secrets: []string{standardSecret}}},
		"GitHub's": {map[string]any{"scheme": "hmac-sha256", "secret": "k", "header": "X-Hub-Signature-256", "prefix": "sha256="},
			signature.Options{Scheme: "hmac-sha256", Secrets: []string{"k"}, Header: "x-hub-signature-256", Prefix: "sha256="}},
		"Grafana's": {map[string]any{"scheme": "hmac-sha256", "secret": "k", "header": "X-Grafana-Alerting-Signature", "timestamp": "x-time"},
			signature.Options{Scheme: "hmac-sha256", Secrets: []string{"k"}, Header: "X-Grafana-Alerting-Signature", Timestamp: "X-Time"}},
		"base64": {map[string]any{"scheme": "hmac-sha512", "secret": "k", "header": "X-S", "encoding": "base64"},
			signature.Options{Scheme: "hmac-sha512", Secrets: []string{"k"}, Header: "X-S", Encoding: "base64"}},
		"Stripe's": {map[string]any{"scheme": "stripe", "secret": []any{"new", "old"}}, signature.Options{Scheme: "stripe", Secrets: []string{"old"}}},
		"Slack's":  {map[string]any{"scheme": "slack", "secret": "k"}, signature.Options{Scheme: "slack", Secrets: []string{"k"}}},
	} {
		verify := verifier(t, x.receiver)
		for input, value := range map[string]any{"method": "PUT", "body": map[string]any{"n": "${ data.n }", "s": "<é>"}} {
			h := request(t, map[string]any{"url": server.URL, "sign": x.sign, input: value}, Deps{})
			if _, err := h.Do(context.Background(), delivery(`{"n":9007199254740993}`)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := got()[0]
			if err := verify(r); err != nil || !strings.Contains(r.body, "9007199254740993") {
				t.Errorf("%s: %v, of %s", name, err, r.body)
			}
			r.body = strings.Replace(r.body, "9", "8", 1)
			if verify(r) == nil {
				t.Errorf("%s: another body has the same signature", name)
			}
		}
	}
}

func TestTheSignedIDIsThatOfTheRunAtEachAttempt(t *testing.T) {
	server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	h := request(t, map[string]any{"url": server.URL, "sign": map[string]any{"scheme": "standard-webhooks", "secret": standardSecret}}, Deps{})
	d := delivery(`{}`)
	d.RunID = "7-tell.crm-abcdefgh"
	for d.Attempt = 1; d.Attempt <= 2; d.Attempt++ {
		if _, err := h.Do(context.Background(), d); err == nil {
			t.Fatal("a 503 was taken for a success")
		}
	}
	requests := got()
	for _, r := range requests {
		if id := r.header.Get("webhook-id"); id != "7-tell~crm-abcdefgh" || r.header.Get("Idempotency-Key") != d.RunID {
			t.Errorf("sent as %q", id) // a dot would end the id in what is signed
		}
		if err := verifier(t, signature.Options{Scheme: "standard-webhooks", Secrets: []string{standardSecret}})(r); err != nil {
			t.Error(err)
		}
	}
	if len(requests) != 2 {
		t.Errorf("%d requests", len(requests))
	}
}

func TestARedirectHasTheSignatureOnlyWhereItHoldsAndIsMeant(t *testing.T) {
	verify := verifier(t, signature.Options{Scheme: "standard-webhooks", Secrets: []string{standardSecret}})
	elsewhere, gotElsewhere := recorder(t, nil)
	for _, x := range []struct {
		status int
		to     string
		signed bool
	}{
		{http.StatusTemporaryRedirect, "/end", true},
		{http.StatusSeeOther, "/end", false},                       // a GET without the body
		{http.StatusTemporaryRedirect, elsewhere.URL + "/", false}, // another receiver
	} {
		to := x.to
		url, got := redirecting(t, x.status, &to)
		h := request(t, map[string]any{"url": url, "follow": true, "allow_private": true, "sign": map[string]any{"scheme": "standard-webhooks", "secret": standardSecret}}, Deps{})
		if _, err := h.Do(context.Background(), delivery(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
		requests := append(got(), gotElsewhere()...)
		if len(requests) != 2 || verify(requests[0]) != nil {
			t.Fatalf("%d to %s: %+v", x.status, to, requests)
		}
		last := requests[1]
		if err := verify(last); (err == nil) != x.signed {
			t.Errorf("%d to %s: %v", x.status, to, err)
		}
		if !x.signed && last.header.Get("webhook-signature")+last.header.Get("webhook-id") != "" {
			t.Errorf("%d to %s has a signature: %v", x.status, to, last.header)
		}
	}
}

func TestASecretFileIsReadAtEachAttempt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hook.secret")
	write := func(secret string) {
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(standardSecret)
	server, got := recorder(t, nil)
	deps := Deps{BaseDir: dir, Secrets: &expression.Secrets{}}
	h := request(t, map[string]any{"url": server.URL, "sign": map[string]any{"scheme": "standard-webhooks", "secret": `${ file("hook.secret") }`}}, deps)
	for _, secret := range []string{standardSecret, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		write(secret)
		if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil {
			t.Fatal(err)
		}
		if err := verifier(t, signature.Options{Scheme: "standard-webhooks", Secrets: []string{secret}})(got()[0]); err != nil {
			t.Error(err)
		}
	}
	write("whsec_not base64 at all")
	_, err := h.Do(context.Background(), delivery(`{}`))
	if err == nil || isPermanentError(err) || strings.Contains(err.Error(), "at all") || !strings.Contains(err.Error(), "is not base64") || got() != nil {
		t.Error(err)
	}
}

func TestASecretThatIsWrittenOutIsNotShown(t *testing.T) {
	deps := Deps{Secrets: &expression.Secrets{}}
	server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		w.Write([]byte("you sign with " + standardSecret))
	})
	h := request(t, map[string]any{"url": server.URL, "sign": map[string]any{"scheme": "standard-webhooks", "secret": standardSecret}}, deps)
	_, err := h.Do(context.Background(), delivery(`{}`))
	if err == nil || strings.Contains(err.Error(), "MfKQ") || !strings.Contains(err.Error(), "[secret]") {
		t.Error(err)
	}
	with, err := Show(h, expression.NewEnv(delivery(`{}`).Event))
	if sign, _ := with["sign"].(map[string]any); err != nil || sign["scheme"] != "standard-webhooks" || sign["secret"] != expression.Masked {
		t.Errorf("shown as %v, %v", with, err)
	}
}

func TestWhatCanNotSignIsRefused(t *testing.T) {
	for want, x := range map[string]struct {
		sign    map[string]any
		headers map[string]any
	}{
		`headers["Webhook-Id"]: the header Webhook-Id can't be set; it is the signature's: see sign`: {
			map[string]any{"scheme": "standard-webhooks", "secret": standardSecret}, map[string]any{"Webhook-Id": "x"}},
		`headers["x-s"]: the header X-S can't be set; it is the signature's: see sign`: {
			map[string]any{"scheme": "hmac-sha1", "secret": "k", "header": "X-S"}, map[string]any{"x-s": "x"}},
		`sign.header: the header Idempotency-Key can't be set; it is the run's id, the same at every attempt`: {
			map[string]any{"scheme": "hmac-sha1", "secret": "k", "header": "idempotency-key"}, nil},
		`sign.secret: an event can't choose the secret; write env("NAME") or file("PATH")`: {
			map[string]any{"scheme": "stripe", "secret": "${ data.secret }"}, nil},
		`sign.secret: this is a public key, and only the private one signs; sign with it: whsk_…`: {
			map[string]any{"scheme": "standard-webhooks", "secret": "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}, nil},
		`sign.secret: the secret has 3 bytes; Standard Webhooks has 24 to 64; echo "whsec_$(openssl rand -base64 32)" makes one`: {
			map[string]any{"scheme": "standard-webhooks", "secret": "whsec_AAAA"}, nil},
		`sign.secret: the scheme slack has one signature; sign with one secret; a receiver can accept several`: {
			map[string]any{"scheme": "slack", "secret": []any{"a", "b"}}, nil},
		`sign: the scheme hmac-sha256 needs "header"; the header that the sender puts the signature in, such as X-Hub-Signature-256`: {
			map[string]any{"scheme": "hmac-sha256", "secret": "k"}, nil},
		`sign: "sign" needs "scheme"; how the receiver sees that evrun sent the request: standard-webhooks, hmac-sha256, hmac-sha1, hmac-sha512, stripe or slack`: {
			map[string]any{"secret": "k"}, nil},
		`sign: the scheme slack needs "secret"; take it from a file or the environment: secret: '${ file("hook.secret") }'`: {
			map[string]any{"scheme": "slack"}, nil},
	} {
		with := map[string]any{"url": "https://example.com/", "sign": x.sign}
		if x.headers != nil {
			with["headers"] = x.headers
		}
		_, faults := Build("http", with, Deps{})
		if len(faults) != 1 || faults[0].Error() != want {
			t.Errorf("%v\nwant %s", faults, want)
		}
	}
}
