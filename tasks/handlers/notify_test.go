package handlers

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks/expression"
)

// notifier builds a notify action whose idle connections end with the test.
func notifier(t testing.TB, with map[string]any, deps Deps) *notify {
	t.Helper()
	n := build[*notify](t, "notify", with, deps)
	t.Cleanup(func() {
		n.open.transport.CloseIdleConnections()
		n.guarded.transport.CloseIdleConnections()
	})
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
	if got, want := slices.Sorted(maps.Keys(serviceURLs)), slices.Sorted(maps.Keys(services)); !slices.Equal(got, want) {
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
		n.open.transport.DialContext, n.open.transport.DialTLSContext = dial, dial
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
			n.open.transport.DialContext, n.open.transport.DialTLSContext = dial, dial
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
	// A mail server that never says a word.
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
		{"signal://example.com/+15551234567/+15551234567?${ data.v }=127.0.0.1", "host", true},
		{"generic+http://127.0.0.1:1/${ data.v }", "@evil.test", false},
		{"generic+http://127.0.0.1:1/?x=${ data.v }", "a&host=evil.test", false},
		{"smtp://127.0.0.1:1/?from=a@b.c&to=${ data.v }", "b@b.c", false},
		{`generic+http://${ "127.0.0.1:1" }/${ data.v }`, "x", false},
	} {
		n := notifier(t, map[string]any{"message": "m", "url": test.url}, Deps{})
		open, guarded := stub(n.open.guard, names), stub(n.guarded.guard, names)
		_, err := n.Do(context.Background(), delivery(`{"v":`+quoteJSON(test.v)+`}`))
		var private *privateError
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

// mailServer speaks as much SMTP as a test needs, on a loopback port. replies has answers for commands ("RCPT TO:<x>", or
// its first word) other than those that let a mail through.
type mailServer struct {
	address string
	mails   chan string // the transcript of each connection: commands, then the message
}

func newMailServer(t testing.TB, replies map[string]string) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{address: listener.Addr().String(), mails: make(chan string, 10)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn, replies)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return s
}

func (s *mailServer) serve(conn net.Conn, replies map[string]string) {
	var log strings.Builder
	defer func() { s.mails <- log.String() }()
	if replies["TLS"] != "" {
		conn = tls.Server(conn, testCertificate())
	}
	r := bufio.NewReader(conn)
	io.WriteString(conn, "220 test\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		log.WriteString(line + "\n")
		word, _, _ := strings.Cut(line, " ")
		reply := map[string]string{"EHLO": "250-test\r\n250 AUTH PLAIN", "DATA": "354 go on", "QUIT": "221 bye", "AUTH": "235 welcome"}[word]
		if reply == "" {
			reply = "250 ok"
		}
		for _, key := range []string{word, line} {
			if other, ok := replies[key]; ok {
				reply = other
			}
		}
		fmt.Fprint(conn, reply+"\r\n")
		if word == "STARTTLS" {
			conn = tls.Server(conn, testCertificate())
			r = bufio.NewReader(conn)
		}
		if word == "DATA" && strings.HasPrefix(reply, "354") {
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				log.WriteString(line)
			}
			end := "250 taken"
			if other, ok := replies["."]; ok {
				end = other
			}
			fmt.Fprint(conn, end+"\r\n")
		}
		if word == "QUIT" {
			return
		}
	}
}

func TestNotifySendsAMail(t *testing.T) {
	server := newMailServer(t, nil)
	url := "smtp://ada:${ env(\"EVRUN_TEST_PASSWORD\") }@" + server.address + "/?from=evrun@example.com&fromname=Evrun&to=ops@example.com,${ data.email }"
	t.Setenv("EVRUN_TEST_PASSWORD", "p@ss:w/rd#%")
	n := notifier(t, map[string]any{"url": url, "message": "${ data.text }", "title": "${ data.title }"}, Deps{})
	text := "Grüße,\n.\n.dot\r\nFrom here on = " + strings.Repeat("a long line ", 20) + "\n\nBye"
	title := "Ada & Büro\r\nBcc: evil@example.com"
	d := delivery(fmt.Sprintf(`{"email":"ada+x@example.com","title":%s,"text":%s}`, quoteJSON(title), quoteJSON(text)))
	if _, err := n.Do(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	transcript := <-server.mails
	commands, message, _ := strings.Cut(transcript, "DATA\n")
	wantCommands := "EHLO localhost\nAUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00ada\x00p@ss:w/rd#%")) +
		"\nMAIL FROM:<evrun@example.com>\nRCPT TO:<ops@example.com>\nRCPT TO:<ada+x@example.com>\n"
	if commands != wantCommands {
		t.Errorf("said\n%swant\n%s", commands, wantCommands)
	}
	// The dots that lines begin with are doubled on the way.
	message = strings.TrimSuffix(strings.ReplaceAll(message, "\r\n..", "\r\n."), "QUIT\n")
	m, err := netmail.ReadMessage(strings.NewReader(message))
	if err != nil {
		t.Fatalf("%v in %s", err, message)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "Ada & Büro Bcc: evil@example.com" || m.Header.Get("Bcc") != "" {
		t.Errorf("subject %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"From": `"Evrun" <evrun@example.com>`, "To": "<ops@example.com>, <ada+x@example.com>", "Message-Id": "<7-h-abcdefgh@example.com>",
		"Content-Type": "text/plain; charset=utf-8", "Auto-Submitted": "auto-generated",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := m.Header.Date(); err != nil {
		t.Error(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || got != strings.ReplaceAll(text, "\r\n", "\n")+"\n" {
		t.Errorf("body %q, %v", got, err)
	}
}

func TestAMailHasASubjectInAnyCase(t *testing.T) {
	server := newMailServer(t, nil)
	for _, test := range []struct{ query, title, want string }{
		{"", "", "Notification"}, {"&subject=Alarm", "", "Alarm"}, {"&subject=Alarm", "Fire", "Fire"}, {"", strings.Repeat("x", 5000), strings.Repeat("x", maxSubject) + "…"},
	} {
		with := map[string]any{"url": "smtp://" + server.address + "/?from=a@b.c&to=b@b.c" + test.query, "message": "m"}
		if test.title != "" {
			with["title"] = test.title
		}
		if _, err := notifier(t, with, Deps{}).Do(context.Background(), delivery(`{}`)); err != nil {
			t.Fatal(err)
		}
		_, message, _ := strings.Cut(<-server.mails, "DATA\n")
		m, err := netmail.ReadMessage(strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil || got != test.want {
			t.Errorf("%q, %v, want %q", got, err, test.want)
		}
	}
}

func TestWhatAMailServerSaysDecidesOnAnotherAttempt(t *testing.T) {
	for _, test := range []struct {
		name      string
		replies   map[string]string
		query     string
		ok        bool
		permanent bool
		sent      bool // the message went over the wire
	}{
		{"all is well", nil, "", true, false, true},
		{"busy", map[string]string{"EHLO": "421 later", "HELO": "421 later"}, "", false, false, false},
		{"wrong password", map[string]string{"AUTH": "535 who?"}, "", false, true, false},
		{"no password now", map[string]string{"AUTH": "454 later"}, "", false, false, false},
		{"sender refused", map[string]string{"MAIL": "550 no"}, "", false, true, false},
		{"mailbox full", map[string]string{"RCPT": "452 full"}, "", false, false, false},
		{"nobody there", map[string]string{"RCPT": "550 nobody"}, "", false, true, false},
		{"one of two is gone", map[string]string{"RCPT TO:<b@b.c>": "550 gone"}, ",d@b.c", true, false, true},
		{"one of two is full", map[string]string{"RCPT TO:<d@b.c>": "452 full"}, ",d@b.c", false, false, false},
		{"spam", map[string]string{".": "554 spam"}, "", false, true, true},
		{"disk full", map[string]string{".": "451 later"}, "", false, false, true},
		{"no goodbye", map[string]string{"QUIT": "500 what?"}, "", true, false, true},
		{"no data", map[string]string{"DATA": "503 no"}, "", false, true, false},
		{"no TLS", nil, "&requirestarttls=yes", false, true, false},
	} {
		server := newMailServer(t, test.replies)
		url := "smtp://ada:pw@" + server.address + "/?from=a@b.c&to=b@b.c" + test.query
		_, err := notifier(t, map[string]any{"url": url, "message": "the message"}, Deps{}).Do(context.Background(), delivery(`{}`))
		transcript := <-server.mails
		if (err == nil) != test.ok || isPermanentError(err) != test.permanent || strings.Contains(transcript, "the message") != test.sent {
			t.Errorf("%s: %v, permanent: %v, said\n%s", test.name, err, isPermanentError(err), transcript)
		}
	}
}

// testCertificate is one that nobody trusts.
var testCertificate = sync.OnceValue(func() *tls.Config {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates}
})

func TestAMailGoesByTLS(t *testing.T) {
	starttls := map[string]string{"EHLO": "250-test\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN", "STARTTLS": "220 go on"}
	for _, test := range []struct {
		name    string
		replies map[string]string
		query   string
		sent    bool
		secure  bool
	}{
		{"STARTTLS, no trust", starttls, "", false, true},
		{"STARTTLS", starttls, "&skiptlsverify=yes&requirestarttls=yes", true, true},
		{"STARTTLS, not wanted", starttls, "&encryption=None", true, false},
		{"implicit TLS, no trust", map[string]string{"TLS": "yes"}, "&encryption=ImplicitTLS", false, true},
		{"implicit TLS", map[string]string{"TLS": "yes"}, "&encryption=ImplicitTLS&skiptlsverify=yes", true, true},
	} {
		server := newMailServer(t, test.replies)
		url := "smtp://ada:pw@" + server.address + "/?from=a@b.c&to=b@b.c" + test.query
		_, err := notifier(t, map[string]any{"url": url, "message": "the message"}, Deps{}).Do(context.Background(), delivery(`{}`))
		transcript := <-server.mails
		if (err == nil) != test.sent || strings.Contains(transcript, "the message") != test.sent {
			t.Errorf("%s: %v, said\n%s", test.name, err, transcript)
		}
		if secure := test.replies["TLS"] != "" || strings.Contains(transcript, "STARTTLS\n"); secure != test.secure {
			t.Errorf("%s: said\n%s", test.name, transcript)
		}
		if !test.sent && strings.Contains(transcript, "AUTH") {
			t.Errorf("%s: the password went to a stranger\n%s", test.name, transcript)
		}
	}
}

func TestAPasswordDoesNotGoOutInTheClear(t *testing.T) {
	n := notifier(t, map[string]any{"url": "smtp://ada:hunter2@mail.test:2525/?from=a@b.c&to=b@b.c", "message": "m"}, Deps{})
	server := newMailServer(t, nil)
	stub(n.open.guard, map[string][]string{"mail.test": {"127.0.0.1"}})
	n.open.guard.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.address)
	}
	_, err := n.Do(context.Background(), delivery(`{}`))
	if transcript := <-server.mails; err == nil || !isPermanentError(err) || strings.Contains(transcript, "AUTH") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, said\n%s", err, transcript)
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
