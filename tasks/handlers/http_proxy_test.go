package handlers

import (
	"context"
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
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// proxy is an HTTP proxy in a test. It lets in who has the user ada with the password sesame, and all hosts are the one at to.
type proxy struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "CONNECT host:port", "POST http://host/path"
}

func newProxy(t *testing.T, to string) *proxy {
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.RequestURI)
		p.mu.Unlock()
		user := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if name, password, _ := user.BasicAuth(); name != "ada" || password != "sesame" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			r.Header.Del("Proxy-Authorization")
			r.URL.Host, r.RequestURI = to, ""
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			w.WriteHeader(resp.StatusCode)
			io.Copy(w, resp.Body)
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer server.Close()
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		join(client, server)
	}))
	t.Cleanup(func() {
		p.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return p
}

func (p *proxy) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.seen, ", ")
}

// join copies between two connections until one of them ends.
func join(a, b net.Conn) {
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			a.Close()
			b.Close()
		})
	}
	wg.Wait()
}

// newSOCKS is a SOCKS5 proxy (RFC 1928) without authentication; all hosts are the one at to. It returns its address, and what it was asked for.
func newSOCKS(t *testing.T, to string) (address string, asked func() string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var list []string
	var wg sync.WaitGroup
	serve := func(client net.Conn) {
		defer client.Close()
		head := make([]byte, 2)
		if _, err := io.ReadFull(client, head); err != nil || head[0] != 5 {
			return
		}
		_, _ = io.CopyN(io.Discard, client, int64(head[1]))
		_, _ = client.Write([]byte{5, 0})
		ask := make([]byte, 5) // version, connect, 0, 3: a name, its length
		if _, err := io.ReadFull(client, ask); err != nil || ask[3] != 3 {
			return
		}
		name := make([]byte, int(ask[4])+2)
		if _, err := io.ReadFull(client, name); err != nil {
			return
		}
		mu.Lock()
		list = append(list, fmt.Sprintf("%s:%d", name[:ask[4]], binary.BigEndian.Uint16(name[ask[4]:])))
		mu.Unlock()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		_, _ = client.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
		join(client, server)
	}
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(client) })
		}
	})
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String(), func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(list, ", ")
	}
}

func TestRequestsGoThroughTheirProxy(t *testing.T) {
	plain, got := recorder(t, nil)
	a := newAuthority(t, "ours")
	tlsServer := a.secure(nil)
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.pem": a.pem()})
	t.Setenv("EVRUN_TEST_SESAME", "sesame")
	for _, test := range []struct{ url, to, user, log, fails string }{
		{"http://crm.test/x", hostPort(plain), "ada:sesame@", "POST http://crm.test/x", ""},
		{"http://crm.test/x", hostPort(plain), `ada:${ env("EVRUN_TEST_SESAME") }@`, "POST http://crm.test/x", ""},
		{"https://server/x", tlsServer.Listener.Addr().String(), "ada:sesame@", "CONNECT server:443", ""},
		{"https://server/x", tlsServer.Listener.Addr().String(), "", "CONNECT server:443", "answered 407 Proxy Authentication Required"},
		{"http://crm.test/x", hostPort(plain), "", "POST http://crm.test/x", "407 Proxy Authentication Required"},
		{"https://server/x", "127.0.0.1:1", "ada:sesame@", "CONNECT server:443", "answered 502 Bad Gateway"},
	} {
		p := newProxy(t, test.to)
		secrets := new(expression.Secrets)
		h := request(t, map[string]any{"url": test.url, "ca": "ca.pem", "proxy": "http://" + test.user + hostPort(p.Server)}, Deps{BaseDir: dir, Secrets: secrets})
		_, err := h.Do(context.Background(), delivery(`{}`))
		got()
		if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails) || isPermanentError(err) != strings.Contains(test.fails, "407")) {
			t.Errorf("%s by %s: %v, permanent %v", test.url, test.user, err, isPermanentError(err))
		}
		if p.log() != test.log {
			t.Errorf("%s by %s: the proxy saw %s", test.url, test.user, p.log())
		}
		if test.user != "" && secrets.Redact("sesame") != expression.Masked {
			t.Error("the proxy's password is not a secret")
		}
		h.Close()
	}
}

func TestRequestsGoThroughASOCKSProxy(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.pem": a.pem()})
	address, asked := newSOCKS(t, a.secure(nil).Listener.Addr().String())
	h := request(t, map[string]any{"url": "https://server/x", "ca": "ca.pem", "proxy": "socks5://" + address}, Deps{BaseDir: dir})
	if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil || asked() != "server:443" {
		t.Errorf("%v, asked for %s", err, asked())
	}
	h.Close()
}

func TestAProxyThatIsWrongIsRefused(t *testing.T) {
	t.Setenv("EVRUN_TEST_PROXY", "proxy.test:3128")
	for _, test := range []struct {
		with map[string]any
		path string
		msg  string
	}{
		{map[string]any{"proxy": "proxy.test:3128"}, "proxy", "it has no scheme"},
		{map[string]any{"proxy": "ftp://proxy.test"}, "proxy", `a proxy is http, https or socks5, not "ftp"`},
		{map[string]any{"proxy": "http://"}, "proxy", "it has no host"},
		{map[string]any{"proxy": "http://proxy.test/x"}, "proxy", "there is something after its host"},
		{map[string]any{"proxy": "http://us%er:secret@proxy.test"}, "proxy", "it is not a valid url"},
		{map[string]any{"proxy": "http://${ data.proxy }"}, "proxy", "an event can't choose the proxy"},
		{map[string]any{"proxy": "http://proxy.test", "url": "http://${ data.host }/"}, "proxy", "evrun can't see whether the host of an event has a public address"},
		{map[string]any{"proxy": "environment", "url": "${ data.url }"}, "proxy", "evrun can't see whether the host of an event has a public address"},
		{map[string]any{"proxy": "http://proxy.test", "socket": "x.sock"}, "socket", "a socket is reached without a proxy"},
		{map[string]any{"socket": strings.Repeat("x", 108)}, "socket", "and a socket's can have 107"},
		{map[string]any{"socket": "${ data.x }"}, "socket", "socket is constant"},
	} {
		if test.with["url"] == nil {
			test.with["url"] = "https://example.com"
		}
		_, faults := Build("http", test.with, Deps{BaseDir: "/"})
		if len(faults) != 1 || fault.Path(faults[0].Path) != test.path || !strings.Contains(faults[0].Message, test.msg) {
			t.Errorf("%v: %v, want %s at %s", test.with, faults, test.msg, test.path)
		}
	}
	// One from the environment is only known at the attempt.
	h := request(t, map[string]any{"url": "http://crm.test", "proxy": `${ env("EVRUN_TEST_PROXY") }`}, Deps{})
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || !isPermanentError(err) || !strings.Contains(err.Error(), "proxy: it has no scheme") {
		t.Errorf("got %v", err)
	}
	if _, faults := Build("http", map[string]any{"url": "${ data.url }", "proxy": "http://proxy.test", "allow_private": true}, Deps{}); faults != nil {
		t.Error(faults)
	}
}

func TestARequestGoesToASocket(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) })}
	go server.Serve(listener)
	defer server.Close()
	h := request(t, map[string]any{"url": "http://docker/v1.47/info", "method": "GET", "socket": "docker.sock"}, Deps{BaseDir: dir})
	answer, err := h.Do(context.Background(), delivery(`{}`))
	if err != nil || answer.(map[string]any)["body"] != "docker/v1.47/info" {
		t.Errorf("%v, %v", answer, err)
	}
	// A service that does not listen yet is tried again.
	h = request(t, map[string]any{"url": "http://docker/", "socket": "none.sock"}, Deps{BaseDir: dir})
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || isPermanentError(err) || !strings.Contains(err.Error(), "none.sock: connect: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestANotificationTakesTheSameWay(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.pem": a.pem()})
	secure := a.secure(nil)
	p := newProxy(t, secure.Listener.Addr().String())
	n := notifier(t, map[string]any{"url": "generic+https://server/hook", "message": "m", "ca": "ca.pem", "proxy": "http://ada:sesame@" + hostPort(p.Server)}, Deps{BaseDir: dir})
	if _, err := n.Do(context.Background(), delivery(`{}`)); err != nil || p.log() != "CONNECT server:443" {
		t.Errorf("%v, the proxy saw %s", err, p.log())
	}
	n.Close()
	for _, test := range []struct {
		with map[string]any
		msg  string
	}{
		{map[string]any{"url": "smtp://mail.test/?from=a@b.c&to=a@b.c", "proxy": "http://proxy.test"}, "a mail is not sent through a proxy"},
		{map[string]any{"url": "generic+http://${ data.host }/", "proxy": "http://proxy.test"}, "evrun can't see"},
		{map[string]any{"url": "teams://?host=${ data.host }", "proxy": "http://proxy.test"}, "evrun can't see"},
		{map[string]any{"proxy": "http://proxy.test"}, "proxy has no effect on a notification in the log"},
		{map[string]any{"url": "generic+https://server/hook", "ca": "none.pem"}, "no such file"},
	} {
		test.with["message"] = "m"
		_, faults := Build("notify", test.with, Deps{BaseDir: dir})
		if len(faults) != 1 || !strings.Contains(faults[0].Message, test.msg) {
			t.Errorf("%v: %v", test.with, faults)
		}
	}
}
