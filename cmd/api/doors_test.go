package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"evrun/cmd/api/access"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

func pipes() *piped { return &piped{conns: make(chan net.Conn), closed: make(chan struct{})} }

// house runs a server with both doors in a synctest bubble. conf is the TLS of the TCP port; nil: none.
func house(t *testing.T, conf *tls.Config, test func(t *testing.T, socket, tcp *piped, close func())) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, MaxConnections: 50,
			Daemon: &Daemon{Bus: events.NewBus(), Commits: events.NewFeed[store.Commit]()}})
		socket, tcp := pipes(), pipes()
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(socket) })
		serving.Go(func() { _ = s.ServeTCP(tcp, conf) })
		end := sync.OnceFunc(func() {
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
			serving.Wait()
		})
		test(t, socket, tcp, end)
		end()
	})
}

// certificate is one for a test of TLS.
func certificate() *tls.Config {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

// TestAStrangerIsNotWaitedFor: whatever a stranger half sends, or not at all, the connection ends in seconds.
func TestAStrangerIsNotWaitedFor(t *testing.T) {
	conf := certificate()
	for name, x := range map[string]struct {
		conf *tls.Config
		send string // then one byte a second, as long as it is taken
		drip string
		most time.Duration
		want string
	}{
		"nothing":                        {nil, "", "", 11 * time.Second, ""},
		"half a request line":            {nil, "GET /heal", "", 11 * time.Second, ""},
		"a header that never ends":       {nil, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", "x", 12 * time.Second, ""},
		"a body that never comes":        {nil, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n", "", 3 * time.Second, "401 Unauthorized"},
		"a body that drips":              {nil, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n", "{", 3 * time.Second, "401 Unauthorized"},
		"chunks that drip":               {nil, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1", 3 * time.Second, "401 Unauthorized"},
		"a body for a route without one": {nil, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", "", 3 * time.Second, "200 OK"},
		"garbage":                        {nil, "\x00\xff\x13\x37\r\n\r\n", "", time.Second, "400 Bad Request"},
		"TLS to a plain port":            {nil, "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", "", time.Second, "400 Bad Request"},
		"HTTP/2 by prior knowledge":      {nil, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", 3 * time.Second, "HTTP/1.1 421"},
		"an upgrade to HTTP/2":           {nil, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n", "", 3 * time.Second, "200 OK"},
		"a header of a megabyte":         {nil, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 1<<20), "", 3 * time.Second, "431 Request Header Fields Too Large"},
		"no TLS handshake":               {conf, "", "", 11 * time.Second, ""},
		"half a TLS handshake":           {conf, "\x16\x03\x01\x00\xa5\x01", "", 11 * time.Second, ""},
		"a TLS handshake that drips":     {conf, "\x16\x03\x01\x40\x00\x01", "x", 12 * time.Second, ""},
		"plain HTTP to a TLS port":       {conf, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "", time.Second, "Client sent an HTTP request to an HTTPS server"},
	} {
		t.Run(name, func(t *testing.T) {
			house(t, x.conf, func(t *testing.T, _, tcp *piped, _ func()) {
				c := tcp.dial()
				began := time.Now()
				var sending sync.WaitGroup
				defer sending.Wait()
				defer c.Close()
				sending.Go(func() {
					_, err := io.WriteString(c, x.send)
					for err == nil && x.drip != "" {
						time.Sleep(time.Second)
						_, err = io.WriteString(c, x.drip)
					}
				})
				answer, _ := io.ReadAll(c)
				if took := time.Since(began); took > x.most {
					t.Errorf("it took %v", took)
				}
				if !strings.Contains(string(answer), x.want) || x.want == "" && len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
					t.Errorf("the answer is %.200q", answer)
				}
			})
		})
	}
}

// TestStrangersTakeNoConnectionOfTheSocket: the TCP port is full of connections that send nothing, and the socket answers.
func TestStrangersTakeNoConnectionOfTheSocket(t *testing.T) {
	house(t, nil, func(t *testing.T, socket, tcp *piped, close func()) {
		for range 500 {
			c := tcp.dial()
			defer c.Close()
		}
		synctest.Wait()
		began := time.Now()
		c := socket.dial()
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: evrun\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(c)
		if took := time.Since(began); err != nil || took > 0 || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("after %v: %q, %v", took, answer, err)
		}
		c = tcp.dial() // one too many is refused, or closed
		go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if answer, _ := io.ReadAll(c); len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 503") {
			t.Errorf("%q", answer)
		}
		began = time.Now()
		if close(); time.Since(began) > time.Second {
			t.Errorf("strangers who send nothing are waited for, %v", time.Since(began))
		}
	})
}

// TestAnIdleConnectionEnds: a client that is answered may send more for two minutes.
func TestAnIdleConnectionEnds(t *testing.T) {
	house(t, nil, func(t *testing.T, _, tcp *piped, _ func()) {
		c := tcp.dial()
		defer c.Close()
		in := bufio.NewReader(c)
		for range 2 {
			go io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			time.Sleep(time.Minute)
		}
		began := time.Now()
		if _, err := in.ReadByte(); err != io.EOF || time.Since(began) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestHTTP2IsNotOffered: a client that wants it gets HTTP/1.1.
func TestHTTP2IsNotOffered(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{}
	s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000})
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.ServeTCP(l, certificate()) })
	defer serving.Wait()
	defer s.Close(t.Context())
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 1 || res.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%s %s, TLS %x", res.Proto, res.Status, res.TLS.Version)
	}
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return // refused: no protocol in common
	}
	defer c.Close()
	frame := binary.BigEndian.AppendUint32(nil, 0)
	fmt.Fprintf(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s", frame)
	if answer, _ := io.ReadAll(c); c.ConnectionState().NegotiatedProtocol == "h2" || strings.Contains(string(answer), "\x00\x00\x00\x04") {
		t.Errorf("HTTP/2 is spoken: %q", answer)
	}
}

// TestLinesAndStreamsByTLS: by TCP with TLS, each line of NDJSON is answered before the next one is sent, and a stream is read while they are.
func TestLinesAndStreamsByTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tokens := access.NewTokens()
	tokens.Set(access.File, []access.Token{{Name: "all", Hash: access.HashOf("secret"), Rights: rights(t, "read", "emit")}})
	s, stop := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	defer stop()
	bus := events.NewBus()
	server := NewServer(Options{Store: s, Emitter: emitter.New(s, 1000), Log: quiet(), MaxData: 1000, Tokens: tokens, Daemon: &Daemon{Bus: bus, Commits: events.NewFeed[store.Commit]()}})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.ServeTCP(l, certificate()) })
	defer serving.Wait()
	defer server.Close(context.Background())
	dial := func(head string) (*tls.Conn, *bufio.Reader) {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "%s\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n", head)
		return c, bufio.NewReader(c)
	}
	c, answers := dial("POST /v1/events HTTP/1.1")
	fmt.Fprint(c, "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
	var res *http.Response
	for i := range 20 {
		line := fmt.Sprintf(`{"type":"a.b","id":"%d"}`+"\n", i)
		fmt.Fprintf(c, "%x\r\n%s\r\n", len(line), line)
		if res == nil {
			if res, err = http.ReadResponse(answers, nil); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%+v, %v", res, err)
			}
			answers = bufio.NewReader(res.Body)
		}
		if answer, err := answers.ReadString('\n'); err != nil || !strings.Contains(answer, fmt.Sprintf(`"id":"%d"`, i)) {
			t.Fatalf("line %d: %q, %v", i, answer, err)
		}
	}
	stream, in := dial("GET /v1/stream?after=0 HTTP/1.1")
	fmt.Fprint(stream, "\r\n")
	for n := 0; n < 20; {
		text, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "data: ") && strings.Contains(text, fmt.Sprintf(`"id":"%d"`, n)) {
			n++
		}
	}
}
