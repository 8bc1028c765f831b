package hook_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"evrun/tasks/signature"
)

// wiringOf is the block of a sender in webhooks.md.
func wiringOf(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../.github/docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n### "+heading+"\n")
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(after)
	if !ok || block == nil {
		t.Fatal("webhooks.md has no block of " + heading)
	}
	return block[1]
}

// fresh signs a body as a sender does now: the documented examples of these have a time that has passed. Package signature tests them.
func fresh(t *testing.T, o signature.Options, body string) (headers []string) {
	t.Helper()
	o.Signs = true
	s, err := signature.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range s.Sign("", []byte(body), time.Now()) {
		headers = append(headers, name, values[0])
	}
	return headers
}

// Each block of webhooks.md makes an event of what its sender documents. The bodies are shortened.
func TestTheBlockOfEachSenderTakesItsDocumentedExample(t *testing.T) {
	t.Setenv("GITHUB_SECRET", "It's a Secret to Everybody")
	t.Setenv("GITLAB_TOKEN", "my-gitlab-token")
	t.Setenv("STRIPE_SECRET", "whsec_test_secret")
	t.Setenv("SLACK_SIGNING_SECRET", "8f742231b10e8888abcd99yyyzzz85a5")
	t.Setenv("ALERTMANAGER_TOKEN", "token-of-alertmanager")
	t.Setenv("GRAFANA_SECRET", "secret-of-grafana")
	t.Setenv("META_SECRET", "secret-of-meta-1")
	t.Setenv("META_TOKEN", "meatyhamhock")
	t.Setenv("GRAPH_TOKEN", "token-of-graph-1")
	t.Setenv("EVENTS_TOKEN", "token-of-events")
	json := []string{"Content-Type", "application/json"}
	stripe := `{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","api_version":"2019-02-19","created":1686089970,"data":{"object":{"id":"seti_1NG8Du2eZvKYlo2C9XMqbR0x","object":"setup_intent"}},"type":"setup_intent.created"}`
	slack := `{"token":"z26uFbvR1xHJEdHE1OQiO6t8","team_id":"T123ABC456","api_app_id":"A123ABC456","event":{"type":"app_mention","user":"U061F7AUR","text":"<@U0LAN0Z89> is it everything a river should be?","ts":"1515449522.000016","channel":"C123ABC456"},"type":"event_callback","event_id":"Ev123ABC456","event_time":1515449522}`
	question := `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALMWHmkvFXO7tYXAYM8P","type":"url_verification"}`
	grafana := `{"receiver":"My Super Webhook","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"High memory usage"}}],"title":"[FIRING:2]  (blue zone-1)","state":"alerting"}`
	for _, x := range []struct {
		heading, path, body string
		headers             []string
		status              int
		answer              string
		typ, id, subject    string // of the event; no type: none
	}{
		// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, and webhook-events-and-payloads
		{heading: "GitHub", path: "github", body: "Hello, World!", status: 202, typ: "github.push", id: "72d3162e-cc78-11e3-81ab-4c9367dc0958", headers: []string{
			"X-GitHub-Event", "push", "X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "User-Agent", "GitHub-Hookshot/044aadd",
			"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		// https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events
		{heading: "GitLab", path: "gitlab", body: `{"object_kind":"push","event_name":"push","ref":"refs/heads/master","project":{"path_with_namespace":"mike/diaspora"}}`, status: 202,
			typ: "gitlab.push", id: "13792a34-cac6-4fda-95a8-c58e00a3954e", headers: append([]string{"X-Gitlab-Token", "my-gitlab-token", "X-Gitlab-Event", "Push Hook", "X-Gitlab-Event-UUID", "13792a34-cac6-4fda-95a8-c58e00a3954e"}, json...)},
		// https://docs.stripe.com/api/events/object
		{heading: "Stripe", path: "stripe", body: stripe, status: 202, typ: "stripe.setup_intent.created", id: "evt_1NG8Du2eZvKYlo2CUI79vXWy",
			headers: append(fresh(t, signature.Options{Scheme: signature.Stripe, Secrets: []string{"whsec_test_secret"}}, stripe), json...)},
		// https://docs.slack.dev/apis/events-api, and reference/events/url_verification
		{heading: "Slack", path: "slack", body: slack, status: 202, typ: "slack.app_mention", id: "Ev123ABC456",
			headers: append(fresh(t, signature.Options{Scheme: signature.Slack, Secrets: []string{"8f742231b10e8888abcd99yyyzzz85a5"}}, slack), json...)},
		{heading: "Slack", path: "slack", body: question, status: 200, answer: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALMWHmkvFXO7tYXAYM8P",
			headers: append(fresh(t, signature.Options{Scheme: signature.Slack, Secrets: []string{"8f742231b10e8888abcd99yyyzzz85a5"}}, question), json...)},
		{heading: "Slack", path: "slack", body: question, status: 401, headers: json}, // a challenge that nobody has signed
		// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
		{heading: "Alertmanager", path: "alertmanager", status: 202, typ: "alertmanager.firing", subject: "InstanceDown", headers: append([]string{"Authorization", "Bearer token-of-alertmanager"}, json...),
			body: `{"version":"4","groupKey":"{}:{alertname=\"InstanceDown\"}","truncatedAlerts":0,"status":"firing","receiver":"team-X","groupLabels":{"alertname":"InstanceDown"},"commonLabels":{"alertname":"InstanceDown"},"commonAnnotations":{},"externalURL":"http://localhost:9093","alerts":[{"status":"firing","labels":{"alertname":"InstanceDown"},"annotations":{},"startsAt":"2026-11-27T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"c6eadffa33fcdf37"}]}`},
		// https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier
		{heading: "Grafana", path: "grafana", body: grafana, status: 202, typ: "grafana.firing", subject: "[FIRING:2]  (blue zone-1)",
			headers: append(fresh(t, signature.Options{Scheme: signature.HMACSHA256, Header: "X-Grafana-Alerting-Signature", Timestamp: "X-Grafana-Alerting-Timestamp", Secrets: []string{"secret-of-grafana"}}, grafana), json...)},
		// https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks
		{heading: "Others", path: "graph?validationToken=Validation%3A%20Testing%20client", status: 200, answer: "Validation: Testing client"},
	} {
		s := start(t, wiringOf(t, x.heading))
		a := s.post(t, "/hooks/"+x.path, x.body, x.headers...)
		if a.want(t, x.status, x.answer); t.Failed() {
			t.Fatalf("%s: %+v", x.heading, s.status(t, strings.SplitN(x.path, "?", 2)[0]).Rejections)
		}
		if x.typ == "" {
			continue
		}
		if e := s.last(t); e["type"] != x.typ || x.id != "" && e["id"] != x.id || x.subject != "" && e["subject"] != x.subject {
			t.Errorf("%s: %v", x.heading, e)
		}
	}

	s := start(t, wiringOf(t, "Others"))
	// https://developers.facebook.com/docs/graph-api/webhooks/getting-started
	s.send(t, "GET", "/hooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock", nil).want(t, 200, "1158201444")
	if a := s.send(t, "GET", "/hooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x", nil); a.status != 405 || strings.Contains(a.text, "1158201444") {
		t.Errorf("%+v", a)
	}
	// CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, 4.1
	a := s.send(t, http.MethodOptions, "/hooks/events", nil, "WebHook-Request-Origin", "eventemitter.example.com", "WebHook-Request-Rate", "120")
	if a.status != 200 || a.header.Get("WebHook-Allowed-Origin") != "eventemitter.example.com" || a.header.Get("WebHook-Allowed-Rate") != "*" {
		t.Errorf("%+v", a)
	}
}
