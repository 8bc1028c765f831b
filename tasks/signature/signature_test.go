package signature

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// header makes a header of names and values.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// documented are the examples that senders print in their documents, as of November 2026.
var documented = []struct {
	name    string
	options Options
	header  http.Header
	query   string
	body    string
	now     int64
}{
	// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
	{name: "GitHub", options: Options{Scheme: HMACSHA256, Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: []string{"It's a Secret to Everybody"}},
		header: header("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), body: "Hello, World!"},
	// https://github.com/standard-webhooks/standard-webhooks, libraries/go/webhook_test.go
	{name: "Standard Webhooks", options: Options{Scheme: StandardWebhooks, Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
		header: header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
		body:   `{"test": 2432232314}`, now: 1614265330},
	// https://docs.slack.dev/authentication/verifying-requests-from-slack
	{name: "Slack", options: Options{Scheme: Slack, Secrets: []string{"8f742231b10e8888abcd99yyyzzz85a5"}},
		header: header("X-Slack-Request-Timestamp", "1531420618", "X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
		body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
			"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
		now: 1531420618},
	// https://docs.gitlab.com/user/project/integrations/webhooks/#validate-requests-by-using-a-secret-token
	{name: "GitLab", options: Options{Scheme: Token, Header: "X-Gitlab-Token", Secrets: []string{"my-gitlab-token"}}, header: header("X-Gitlab-Token", "my-gitlab-token")},
	{name: "a bearer token", options: Options{Scheme: Token, Secrets: []string{"a", "mF_9.B5f-4.1JqM"}}, header: header("Authorization", "Bearer mF_9.B5f-4.1JqM")},
	{name: "a token in the query", options: Options{Scheme: Token, Query: "token", Secrets: []string{"42"}}, query: "token=42"},
	// RFC 7617, section 2.
	{name: "basic", options: Options{Scheme: Basic, Secrets: []string{"Aladdin:open sesame"}}, header: header("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")},
	{name: "nothing", options: Options{Scheme: None}},
}

func TestTheDocumentedExampleOfEachSenderIsAccepted(t *testing.T) {
	for _, x := range documented {
		s, err := New(x.options)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		query, _ := url.ParseQuery(x.query)
		r := Request{Header: x.header, Query: query, Body: []byte(x.body)}
		now := time.Unix(x.now, 0)
		if err := s.Verify(r, now); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		if x.options.Scheme == None {
			continue
		}
		if signs := strings.Contains(x.options.Scheme, "hmac") || x.now != 0; signs {
			r.Body = []byte(x.body + " ")
			if refusal, _ := s.Verify(r, now).(*Refusal); refusal == nil || refusal.Reason != Mismatch {
				t.Errorf("%s with another body: %v", x.name, refusal)
			}
		}
		if refusal, _ := s.Verify(Request{}, now).(*Refusal); refusal == nil || refusal.Reason != Missing {
			t.Errorf("%s without a signature: %v", x.name, refusal)
		}
	}
}
