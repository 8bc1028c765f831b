package handlers

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
)

// mailServer is a minimal SMTP server on a loopback port. replies has answers for commands ("RCPT TO:<x>", or its first word) other than those that
// let a mail through.
type mailServer struct {
	address string
	mails   chan string // the transcript of each connection: commands, then the message
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
		{"", "", "Notification"}, {"&subject=Alarm", "", "Alarm"}, {"&subject=Alarm", "Fire", "Fire"}, {"", strings.Repeat("x", 5000), strings.Repeat("x", 200) + "…"},
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

// SMTPUTF8 (RFC 6531) is asked for where an address needs it: servers refuse the address otherwise.
func TestAnAddressBeyondASCIIAsksForSMTPUTF8(t *testing.T) {
	server := newMailServer(t, map[string]string{"EHLO": "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8"})
	for to, want := range map[string]bool{"ada@b.c": false, "%C3%BC@b.c": true} {
		n := notifier(t, map[string]any{"url": "smtp://" + server.address + "/?from=a@b.c&to=x@b.c," + to, "message": "m", "title": "Grüße"}, Deps{})
		if _, err := n.Do(context.Background(), delivery(`{}`)); err != nil {
			t.Fatal(err)
		}
		if log := <-server.mails; strings.Contains(log, " SMTPUTF8\n") != want {
			t.Errorf("to %s:\n%s", to, log)
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

// testCertificate is a certificate that nobody trusts.
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
	stub(n.open.Guard, map[string][]string{"mail.test": {"127.0.0.1"}})
	n.open.Guard.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.address)
	}
	_, err := n.Do(context.Background(), delivery(`{}`))
	if transcript := <-server.mails; err == nil || !isPermanentError(err) || strings.Contains(transcript, "AUTH") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, said\n%s", err, transcript)
	}
}
