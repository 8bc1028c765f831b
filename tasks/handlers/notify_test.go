package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/notification"
	"evrun/tasks/outgoing"
)

// notifier builds a notify action whose idle connections end with the test.
func notifier(t testing.TB, with map[string]any, deps Deps) *notify {
	t.Helper()
	n := build[*notify](t, "notify", with, deps)
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// hostPort is a test server's address.
func hostPort(server *httptest.Server) string { return strings.TrimPrefix(server.URL, "http://") }

func TestNotifyAsksAWebhook(t *testing.T) {
	server, got := recorder(t, nil)
	for _, test := range []struct{ url, title, body string }{
		{"generic://%s/hook/x?disabletls=yes&template=json&@Via=evrun", "New: ${ data.name }", `{"message":"Ada & Bob","title":"New: Ada \u0026 Bob"}`},
		{"generic+http://%s/hook/x", "", "Ada & Bob"},
		{"generic+http://%s/hook/x", "New", "New\n\nAda & Bob"},
	} {
		with := map[string]any{"url": fmt.Sprintf(test.url, hostPort(server)), "message": "${ data.name }"}
		if test.title != "" {
			with["title"] = test.title
		}
		result, err := notifier(t, with, Deps{}).Do(context.Background(), delivery(`{"name":"Ada & Bob"}`))
		if err != nil {
			t.Fatal(err)
		}
		r := got()[0]
		var sent, want any
		if json.Unmarshal([]byte(r.body), &sent) != nil || json.Unmarshal([]byte(test.body), &want) != nil {
			sent, want = r.body, test.body
		} else {
			want.(map[string]any)["message"] = "Ada & Bob"
		}
		if r.method != "POST" || r.uri != "/hook/x" || !reflect.DeepEqual(sent, want) || r.header.Get("Idempotency-Key") != "7-h-abcdefgh" || r.header.Get("User-Agent") != "evrun" {
			t.Errorf("%s: %+v", test.url, r)
		}
		if result.(map[string]any)["message"] != "Ada & Bob" {
			t.Errorf("result %v", result)
		}
	}
}

// serviceURLs has a url for each service.
var serviceURLs = map[string]string{
	"bark":       "bark://:device-key@bark.example.com",
	"discord":    "discord://tokentoken@123456789",
	"generic":    "generic://example.com/hook?template=json",
	"googlechat": "googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=bar&token=baz",
	"gotify":     "gotify://gotify.example.com/AzyoeNS.D4iJLVa",
	"hangouts":   "hangouts://chat.googleapis.com/v1/spaces/FOO/messages?key=bar&token=baz",
	"ifttt":      "ifttt://keykey/?events=event1",
	"join":       "join://:apikey@join/?devices=device",
	"lark":       "lark://open.larksuite.com/token",
	"matrix":     "matrix://user:password@matrix.example.com?rooms=!r:x",
	"mattermost": "mattermost://bot@mattermost.example.com/token/channel",
	"notifiarr":  "notifiarr://apikey123?channel=123456789",
	"ntfy":       "ntfy://ntfy.example.com/topic",
	"opsgenie":   "opsgenie://api.opsgenie.com/keykeykey",
	"pagerduty":  "pagerduty://events.pagerduty.com/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
	"pushbullet": "pushbullet://o.34charactertokenstringhere123456",
	"pushover":   "pushover://:apptoken@usertoken",
	"rocketchat": "rocketchat://rocketchat.example.com/tokenA/tokenB/channel",
	"signal":     "signal://signal.example.com:8080/+1234567890/+1987654321",
	"signalgrid": "signalgrid://abc123@channel",
	"slack":      "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook",
	"smtp":       "smtp://mail.example.com/?from=a@example.com&to=b@example.com",
	"teams":      "teams://?host=https%3A%2F%2Fprod-00.westus.logic.azure.com%3A443%2Fworkflows%2F00000000000000000000000000000000%2Ftriggers%2Fmanual%2Fpaths%2Finvoke%3Fapi-version%3D2016-06-01%26sp%3D%252Ftriggers%252Fmanual%252Frun%26sv%3D1.0%26sig%3DXXXXXXXX",
	"telegram":   "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0@telegram?chats=@channel",
	"twilio":     "twilio://ACXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:authToken@+15551234567/+15559876543",
	"wecom":      "wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
	"zulip":      "zulip://bot%40example.com:secret-key@zulip.example.com/?stream=s&topic=t",
}

func TestEveryServiceSendsTitleAndMessageByOurClient(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(serviceURLs)), notification.Names(); !slices.Equal(got, want) {
		t.Fatalf("urls for %v, services %v", got, want)
	}
	for name, url := range serviceURLs {
		// A server that stands for all hosts.
		server, got := recorder(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/login") && r.Method == http.MethodGet {
				io.WriteString(w, `{"flows":[{"type":"m.login.password"}]}`)
				return
			}
			io.WriteString(w, `{"ok":true,"success":true,"access_token":"t","room_id":"!r:x","event_id":"e"}`)
		})
		n := notifier(t, map[string]any{"url": url, "message": "the message", "title": "the title"}, Deps{})
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, hostPort(server))
		}
		n.open.Transport.DialContext, n.open.Transport.DialTLSContext = dial, dial
		if name == "smtp" {
			continue
		}
		_, err := n.Do(context.Background(), delivery(`{}`))
		var all strings.Builder
		for _, r := range got() {
			fmt.Fprintln(&all, r.uri, r.header, r.body)
		}
		sent := strings.NewReplacer("+", " ", "%20", " ").Replace(all.String())
		if !strings.Contains(sent, "the message") || !strings.Contains(sent, "the title") {
			t.Errorf("%s: %v, sent %s", name, err, sent)
		}
	}
}

func TestAServiceThatFailsIsTriedAgainByTheRunnerOnly(t *testing.T) {
	for name, url := range serviceURLs {
		if name == "smtp" {
			continue
		}
		for status, permanent := range map[int]bool{503: false, 429: false, 401: true} {
			server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				io.WriteString(w, "no, "+strings.Repeat(url+" ", 2))
			})
			n := notifier(t, map[string]any{"url": url, "message": "m"}, Deps{})
			dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, hostPort(server))
			}
			n.open.Transport.DialContext, n.open.Transport.DialTLSContext = dial, dial
			_, err := n.Do(context.Background(), delivery(`{}`))
			if err == nil || isPermanentError(err) != permanent || !strings.HasPrefix(err.Error(), name+": "+fmt.Sprint(status)) {
				t.Errorf("%s, %d: %v, permanent: %v", name, status, err, isPermanentError(err))
			}
			if err != nil && strings.Contains(err.Error(), url) {
				t.Errorf("%s: the error shows the url: %v", name, err)
			}
			if requests := len(got()); requests != 1 && !permanent {
				t.Errorf("%s, %d: %d requests in one attempt", name, status, requests)
			}
		}
	}
}

func TestANotificationEndsWithItsTimeout(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	server, _ := recorder(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	// A mail server that never answers.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for _, url := range []string{"generic+http://" + hostPort(server), "smtp://" + mute.Addr().String() + "/?from=a@example.com&to=b@example.com"} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_, err := notifier(t, map[string]any{"url": url, "message": "m"}, Deps{}).Do(ctx, delivery(`{}`))
		if !errors.Is(err, context.DeadlineExceeded) || isPermanentError(err) {
			t.Errorf("%s: %v", url, err)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() {
		_, err := notifier(t, map[string]any{"url": "smtp://" + mute.Addr().String() + "/?from=a@example.com&to=b@example.com", "message": "m"}, Deps{}).Do(ctx, delivery(`{}`))
		stopped <- err
	}()
	cancel()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheURLOfAServiceStaysOutOfErrors(t *testing.T) {
	t.Setenv("EVRUN_TEST_URL", "generic+http://127.0.0.1:1/tok3n-path?key=tok3n-query")
	t.Setenv("EVRUN_TEST_BAD", "gotify://tok3n.example.com/tok3n/%zz tok3n")
	server, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "who is tok3n-path, "+r.RequestURI)
	})
	for _, url := range []string{
		`${ env("EVRUN_TEST_URL") }`, `${ env("EVRUN_TEST_BAD") }`, "generic+http://127.0.0.1:1/tok3n-path?key=tok3n-query", "generic+http://tok3n-user:tok3n-pass@127.0.0.1:1/",
		"generic+http://" + hostPort(server) + "/tok3n-path?token=tok3n-query",
		"telegram://${ \"tok3n\" }@telegram?chats=1", "slack://${ \"tok3n\" }@x", "discord://${ \"tok3n\" }@", "smtp://tok3n-user:tok3n-pass@127.0.0.1:1/?from=a@b.c&to=${ \"tok3n tok3n\" }",
		"smtp://tok3n:tok3n@127.0.0.1:1/?from=a@b.c&to=b@b.c&auth=${ \"tok3n\" }", "ntfy://${ \"tok3n tok3n:tok3n@x y\" }/x", "${ \"tok3n\" }", "${ \"tok3n tok3n\" }://x",
	} {
		deps := Deps{Secrets: &expression.Secrets{}}
		n := notifier(t, map[string]any{"url": url, "message": "m"}, deps)
		_, err := n.Do(context.Background(), delivery(`{}`))
		if err == nil || strings.Contains(strings.ReplaceAll(err.Error(), `unknown service "tok3n tok3n"`, ""), "tok3n") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWrongServiceURLsAreExplained(t *testing.T) {
	for url, want := range map[string]toldFault{
		"slak://x":                                    {path: "url", msg: `unknown service "slak"`, hint: `did you mean "slack"?`},
		"slak://${ data.x }":                          {path: "url", msg: `unknown service "slak"`, hint: `did you mean "slack"?`},
		`telegrm://${ env("X") }@telegram`:            {path: "url", msg: `unknown service "telegrm"`, hint: `did you mean "telegram"?`},
		"https://example.com/hook":                    {path: "url", msg: `unknown service "https"`, hint: "generic+https:// is a webhook"},
		"mailto:ada@example.com":                      {path: "url", msg: `unknown service "mailto"`, hint: "smtp://user:password@server:587/?from=…&to=… is a mail"},
		"logger://":                                   {path: "url", msg: `unknown service "logger"`, hint: "leave the url out, and the notification goes to the daemon's log"},
		"hunter2":                                     {path: "url", msg: "it names no service", hint: "such as slack://…, telegram://…, smtp://… or generic://…"},
		"slack+https://example.com/hook":              {path: "url", msg: "the service slack takes no url of a webhook", hint: "begin it with slack://"},
		"smtp://user:hunter2/x@example.com":           {path: "url", msg: "it is not a valid url", hint: "the characters : / ? # % @ and spaces in a password or a token are written as %3A, %2F and so on"},
		"smtp://user:hunter2@example.com/":            {path: "url", msg: "fromAddress missing from config URL"},
		"smtp://user:hunter2@example.com/?from=a@b.c": {path: "url", msg: "toAddress missing from config URL"},
	} {
		_, errs := Build("notify", map[string]any{"message": "m", "url": url}, Deps{})
		if got := faultsOf(errs); !slices.Equal(got, []toldFault{want}) || strings.Contains(fmt.Sprint(errs), "hunter2") {
			t.Errorf("%s:\n got  %+v\n want %+v", url, got, want)
		}
	}
	for _, url := range []string{`${ env("SLACK_URL") }`, "${ data.url }", `smtp://user:${ env("X") }@mail/?from=a@b.c&to=${ data.email }`, serviceURLs["matrix"]} {
		if _, errs := Build("notify", map[string]any{"message": "m", "url": url}, Deps{}); errs != nil {
			t.Errorf("%s: %v", url, errs)
		}
	}
	_, errs := Build("notify", map[string]any{"message": "m", "url": "teleport://x"}, Deps{})
	if len(errs) != 1 || !strings.Contains(errs[0].Hint, "there are bark, discord, generic") {
		t.Errorf("%v", errs)
	}
}

func TestAWrongURLOfTheEnvironmentIsPermanent(t *testing.T) {
	for url, want := range map[string]string{
		"slak://x":                  `url: unknown service "slak"; did you mean "slack"?`,
		"smtp://x/?a=b":             "",
		"discord://x":               "",
		"generic://":                "",
		"smtp://x:1/?from=a&to=b@c": "",
	} {
		t.Setenv("EVRUN_TEST_URL", url)
		_, err := notifier(t, map[string]any{"message": "m", "url": `${ env("EVRUN_TEST_URL") }`}, Deps{}).Do(context.Background(), delivery(`{}`))
		if err == nil || !isPermanentError(err) && url != "generic://" && !strings.HasPrefix(url, "smtp://x:1") || want != "" && err.Error() != want {
			t.Errorf("%s: %v, permanent: %v", url, err, isPermanentError(err))
		}
	}
}

func TestAnEventCanNotChooseAPrivateHostToNotify(t *testing.T) {
	for _, test := range []struct {
		url, v  string
		guarded bool
	}{
		{"${ data.v }", "generic+http://169.254.169.254/", true},
		{"${ data.v }", "smtp://127.0.0.1:25/?from=a@b.c&to=b@b.c", true},
		{"generic+http://${ data.v }/", "127.0.0.1", true},
		{"gotify://${ data.v }/Aaaaaaaaaaaaaaa?disabletls=yes", "localhost", true},
		{"signal://example.com/+15551234567/+15551234567?host=${ data.v }", "127.0.0.1", true},
		{"signal://example.com/+15551234567/+15551234567?ho%73t=${ data.v }", "127.0.0.1", true},
		{"signal://example.com/+15551234567/+15551234567?${ data.v }=127.0.0.1", "host", true},
		{"generic+http://127.0.0.1:1/${ data.v }", "@evil.test", false},
		{"generic+http://127.0.0.1:1/?x=${ data.v }", "a&host=evil.test", false},
		{"smtp://127.0.0.1:1/?from=a@b.c&to=${ data.v }", "b@b.c", false},
		{`generic+http://${ "127.0.0.1:1" }/${ data.v }`, "x", false},
	} {
		n := notifier(t, map[string]any{"message": "m", "url": test.url}, Deps{})
		open, guarded := stub(n.open.Guard, names), stub(n.guarded.Guard, names)
		_, err := n.Do(context.Background(), delivery(`{"v":`+quoteJSON(test.v)+`}`))
		var private *outgoing.PrivateError
		switch {
		case guarded() != nil:
			t.Errorf("%s with %q: dialled %v", test.url, test.v, guarded())
		case test.guarded && (!errors.As(err, &private) || !isPermanentError(err) || open() != nil):
			t.Errorf("%s with %q: %v, dialled %v", test.url, test.v, err, open())
		case !test.guarded && (!errors.Is(err, errStub) || !slices.Equal(open(), []string{"127.0.0.1:1"})):
			t.Errorf("%s with %q: %v, dialled %v", test.url, test.v, err, open())
		}
	}
}

func TestANotificationIsRepeatedByTheRunner(t *testing.T) {
	attempts := 0
	server, got := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts <= 2 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	r := run(t, notifier(t, map[string]any{"url": "generic+http://" + hostPort(server), "message": "m"}, Deps{}))
	if requests := got(); r.State != store.Succeeded || r.Attempt != 3 || len(requests) != 3 || requests[0].header.Get("Idempotency-Key") != r.ID || requests[2].header.Get("Idempotency-Key") != r.ID {
		t.Errorf("%+v, %d requests", r, len(requests))
	}
}
