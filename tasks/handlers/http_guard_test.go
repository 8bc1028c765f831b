package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"evrun/tasks/outgoing"
)

// errStub is what a stubbed dial returns.
var errStub = errors.New("stubbed")

// stub sets a guard's resolver, which only knows these names, with an answer for each query (the last one is repeated), and a dialer that never sends
// anything. It returns the addresses that would have been dialled.
func stub(g *outgoing.Guard, names map[string][]string) (dials func() []string) {
	var mu sync.Mutex
	var list []string
	asked := map[string]int{}
	g.Resolve = func(_ context.Context, _, host string) ([]netip.Addr, error) {
		mu.Lock()
		defer mu.Unlock()
		host = strings.ToLower(host)
		answers := names[host]
		if answers == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		answer := answers[min(asked[host], len(answers)-1)]
		asked[host]++
		var addrs []netip.Addr
		for _, a := range strings.Fields(answer) {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs, nil
	}
	g.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, address)
		return nil, errStub
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

// names are the names that the stubbed resolver knows.
var names = map[string][]string{
	"public.test":       {"93.184.215.14"},
	"public6.test":      {"2606:4700::1111 93.184.215.14"},
	"loopback.test":     {"127.0.0.1"},
	"loopback.test.":    {"127.0.0.1"},
	"loopback6.test":    {"::1"},
	"private.test":      {"10.1.2.3"},
	"metadata.test":     {"169.254.169.254"},
	"mapped.test":       {"::ffff:127.0.0.1"},
	"nat64.test":        {"64:ff9b::a00:1"},
	"mixed.test":        {"93.184.215.14 127.0.0.1"},
	"rebinding.test":    {"93.184.215.14", "127.0.0.1"},
	"nothing.test":      {""},
	"localhost":         {"127.0.0.1 ::1"},
	"localhost.":        {"127.0.0.1 ::1"},
	"sub.public.test":   {"93.184.215.14"},
	"evil.test":         {"93.184.215.99"},
	"xn--mller-kva.de":  {"93.184.215.14"},
	"metadata.internal": {"169.254.169.254"},
}

// TestNoRequestLeavesForWhereTheFileDidNotSay is the corpus of attacks by a sender of events. A case has the file's url and the value of data.v in
// it; exactly the given addresses must be dialled.
func TestNoRequestLeavesForWhereTheFileDidNotSay(t *testing.T) {
	const pub = "93.184.215.14:80"
	for _, test := range []struct {
		url, v string
		dials  string // addresses, separated by spaces; empty: refused before any
	}{
		// The value is the whole url.
		{"${ data.v }", "http://public.test/", pub},
		{"${ data.v }", "HTTP://PUBLIC6.TEST:8080/", "[2606:4700::1111]:8080 93.184.215.14:8080"},
		{"${ data.v }", "http://127.0.0.1/", ""},
		{"${ data.v }", "http://127.0.0.1:22/", ""},
		{"${ data.v }", "http://localhost/", ""},
		{"${ data.v }", "http://localhost./", ""},
		{"${ data.v }", "http://LOCALHOST/", ""},
		{"${ data.v }", "http://0.0.0.0/", ""},
		{"${ data.v }", "http://0/", ""},
		{"${ data.v }", "http://10.0.0.1/", ""},
		{"${ data.v }", "http://192.168.1.1/", ""},
		{"${ data.v }", "http://172.16.0.1/", ""},
		{"${ data.v }", "http://100.64.0.1/", ""},
		{"${ data.v }", "http://169.254.169.254/latest/meta-data/", ""},
		{"${ data.v }", "http://[fd00:ec2::254]/latest/meta-data/", ""},
		{"${ data.v }", "http://metadata.internal/", ""},
		{"${ data.v }", "http://[::1]/", ""},
		{"${ data.v }", "http://[::]/", ""},
		{"${ data.v }", "http://[::ffff:127.0.0.1]/", ""},
		{"${ data.v }", "http://[::ffff:7f00:1]/", ""},
		{"${ data.v }", "http://[::127.0.0.1]/", ""},
		{"${ data.v }", "http://[64:ff9b::127.0.0.1]/", ""},
		{"${ data.v }", "http://[2002:7f00:1::]/", ""},
		{"${ data.v }", "http://[fe80::1%25lo]/", ""},
		{"${ data.v }", "http://[ff02::1]/", ""},
		{"${ data.v }", "http://224.0.0.1/", ""},
		{"${ data.v }", "http://255.255.255.255/", ""},
		{"${ data.v }", "http://127.1/", ""},
		{"${ data.v }", "http://127.0.1/", ""},
		{"${ data.v }", "http://2130706433/", ""},
		{"${ data.v }", "http://0x7f000001/", ""},
		{"${ data.v }", "http://0x7f.0.0.1/", ""},
		{"${ data.v }", "http://0177.0.0.1/", ""},
		{"${ data.v }", "http://017700000001/", ""},
		{"${ data.v }", "http://127.0.0.1./", ""},
		{"${ data.v }", "http://127.0.0.0x1/", ""},
		{"${ data.v }", "http://１２７.0.0.1/", ""},
		{"${ data.v }", "http://①②⑦.⓪.⓪.①/", ""},
		{"${ data.v }", "http://127。0。0。1/", ""},
		{"${ data.v }", "http://loc%61lhost/", ""},
		{"${ data.v }", "http://%31%32%37.0.0.1/", ""},
		{"${ data.v }", "http://%6c%6f%63%61%6c%68%6f%73%74/", ""},
		{"${ data.v }", "http://public.test%00.evil.test/", ""},
		{"${ data.v }", "http://loopback.test/", ""},
		{"${ data.v }", "http://loopback.test./", ""},
		{"${ data.v }", "http://loopback6.test/", ""},
		{"${ data.v }", "http://private.test/", ""},
		{"${ data.v }", "http://metadata.test/", ""},
		{"${ data.v }", "http://mapped.test/", ""},
		{"${ data.v }", "http://nat64.test/", ""},
		{"${ data.v }", "http://mixed.test/", ""},
		{"${ data.v }", "http://nothing.test/", ""},
		{"${ data.v }", "http://unknown.test/", ""},
		{"${ data.v }", "http://public.test@127.0.0.1/", ""},
		{"${ data.v }", "http://user:pass@public.test/", ""},
		{"${ data.v }", "http://@public.test/", ""},
		{"${ data.v }", "http://public.test\\@127.0.0.1/", ""},
		{"${ data.v }", "http:\\\\127.0.0.1\\", ""},
		{"${ data.v }", "http://public.test#@127.0.0.1/", pub},
		{"${ data.v }", "http://public.test?@127.0.0.1/", pub},
		{"${ data.v }", "http://public.test\t/", ""},
		{"${ data.v }", "\thttp://public.test/", ""},
		{"${ data.v }", "http://public.test/\r\nHost: evil.test", ""},
		{"${ data.v }", "http://pub\nlic.test/", ""},
		{"${ data.v }", "http://public.test/ HTTP/1.1\r\nX: y", ""},
		{"${ data.v }", "http://public.test:80:90/", ""},
		{"${ data.v }", "http://public.test:x/", ""},
		{"${ data.v }", "http://[public.test]/", ""},
		{"${ data.v }", "http://[127.0.0.1]/", ""},
		{"${ data.v }", "http:///public.test", ""},
		{"${ data.v }", "http:public.test", ""},
		{"${ data.v }", "//public.test/", ""},
		{"${ data.v }", "public.test", ""},
		{"${ data.v }", "", ""},
		{"${ data.v }", "ftp://public.test/", ""},
		{"${ data.v }", "file:///etc/passwd", ""},
		{"${ data.v }", "gopher://127.0.0.1:6379/_FLUSHALL", ""},
		{"${ data.v }", "unix:///var/run/docker.sock", ""},
		{"${ data.v }", "javascript:alert(1)", ""},
		{"${ data.v }", "http://müller.de/", pub},

		// The value is the host, or a part of it.
		{"http://${ data.v }/x", "public.test", pub},
		{"http://${ data.v }/x", "public.test:8080", "93.184.215.14:8080"},
		{"http://${ data.v }/x", "127.0.0.1", ""},
		{"http://${ data.v }/x", "[::1]", ""},
		{"http://${ data.v }/x", "loopback.test", ""},
		{"http://${ data.v }/x", "rebinding.test", pub},
		{"http://${ data.v }/x", "evil.test/", ""},
		{"http://${ data.v }/x", "", ""},
		{"http://${ data.v }.public.test/", "sub", pub},
		{"http://${ data.v }.public.test/", "evil.test/", ""},
		{"http://${ data.v }.public.test/", "evil.test?", ""},
		{"http://${ data.v }.public.test/", "evil.test#", ""},
		{"http://${ data.v }.public.test/", "evil.test\\", ""},
		{"http://${ data.v }.public.test/", "evil.test:80/", ""},
		{"http://${ data.v }.public.test/", "evil.test:80", ""},
		{"http://${ data.v }.public.test/", "evil.test%2f", ""},
		{"http://${ data.v }.public.test/", "evil.test／", ""},
		{"http://${ data.v }.public.test/", "x@evil.test\x00", ""},
		{"http://sub.${ data.v }", "public.test", pub},
		{"http://public.test${ data.v }", "@evil.test", ""},
		{"http://public.test${ data.v }", ".evil.test", ""},
		{"http://public.test:${ data.v }/", "8080", "93.184.215.14:8080"},
		{"http://public.test:${ data.v }/", "80@evil.test", ""},
		{"http://public.test:${ data.v }/", "x", ""},
		{"${ data.v }://public.test/", "http", pub},
		{"${ data.v }://public.test/", "http://127.0.0.1/?", ""},
		{"${ data.v }.public.test/", "http://evil.test/", "93.184.215.99:80"},
		{"ht${ data.v }", "tp://127.0.0.1/", ""},

		// The value is in the path or the query: the host is always the file's.
		{"http://public.test/${ data.v }", "@evil.test/", pub},
		{"http://public.test/${ data.v }", "/evil.test/", pub},
		{"http://public.test/${ data.v }", "\r\nHost: evil.test\r\n\r\n", pub},
		{"http://public.test/${ data.v }", "a b\\c?d#e%2f", pub},
		{"http://public.test/${ data.v }", "..", ""},
		{"http://public.test/a/${ data.v }/b", ".", ""},
		{"http://public.test/a/.${ data.v }/b", ".", ""},
		{"http://public.test/a/%2e${ data.v }/b", ".", ""},
		{"http://public.test/${ data.v }", "", ""},
		{"http://public.test/a/${ data.v }?x", "", ""},
		{"http://public.test?x=${ data.v }", "1&y=2#\r\n", pub},
		{"http://public.test#${ data.v }", "@evil.test", pub},
		{"http://127.0.0.1:9/${ data.v }", "x", "127.0.0.1:9"},
		{"http://loopback.test/${ data.v }", "x", "127.0.0.1:80"},
	} {
		h := request(t, map[string]any{"url": test.url}, Deps{})
		dials := stub(h.way.Guard, names)
		_, err := h.Do(context.Background(), delivery(fmt.Sprintf(`{"v":%s}`, quoteJSON(test.v))))
		if got := strings.Join(dials(), " "); got != test.dials {
			t.Errorf("%s with %q: dialled %q, want %q (%v)", test.url, test.v, got, test.dials, err)
		}
		dns := strings.Contains(test.v, "unknown") || strings.Contains(test.v, "nothing.test")
		if refused := err != nil && !errors.Is(err, errStub); refused != (test.dials == "") || refused && !isPermanentError(err) && !dns {
			var d *net.DNSError
			if !errors.As(err, &d) {
				t.Errorf("%s with %q: %v, permanent: %v", test.url, test.v, err, isPermanentError(err))
			}
		}
	}
}

func quoteJSON(s string) string {
	b := []byte{'"'}
	for _, r := range s {
		b = fmt.Appendf(b, "\\u%04x", r)
	}
	return string(append(b, '"'))
}

func TestANameIsCheckedAgainAtEachConnection(t *testing.T) {
	h := request(t, map[string]any{"url": "${ data.v }"}, Deps{})
	dials := stub(h.way.Guard, names)
	for i, want := range []bool{false, true, true} {
		_, err := h.Do(context.Background(), delivery(`{"v":"http://rebinding.test/"}`))
		var private *outgoing.PrivateError
		if errors.As(err, &private) != want {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
	if got := strings.Join(dials(), " "); got != "93.184.215.14:80" {
		t.Errorf("dialled %s", got)
	}
}

func TestAllowPrivateOpensTheGuard(t *testing.T) {
	for url, want := range map[string]string{
		"http://loopback.test/": "127.0.0.1:80", "http://10.0.0.1:8080/": "10.0.0.1:8080", "http://mixed.test/": "93.184.215.14:80 127.0.0.1:80", "http://127.1/": "",
	} {
		h := request(t, map[string]any{"url": "${ data.v }", "allow_private": true}, Deps{})
		dials := stub(h.way.Guard, names)
		_, err := h.Do(context.Background(), delivery(`{"v":"`+url+`"}`))
		if got := strings.Join(dials(), " "); got != want {
			t.Errorf("%s: dialled %q, want %q (%v)", url, got, want, err)
		}
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	for url, want := range map[string]string{
		"http://loopback.test/x": "POST http://loopback.test: loopback.test is 127.0.0.1, which is not a public address: write the host out in the wiring file, or say allow_private: true",
		"http://[::1]:80/x":      "POST http://[::1]:80: ::1 is not a public address: write the host out in the wiring file, or say allow_private: true",
		"http://a:hunter2@x/":    "url: " + outgoing.ErrUserinfo.Error(),
	} {
		h := request(t, map[string]any{"url": "${ data.v }"}, Deps{})
		stub(h.way.Guard, names)
		_, err := h.Do(context.Background(), delivery(`{"v":"`+url+`"}`))
		if err == nil || err.Error() != want || !isPermanentError(err) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestValuesAreEscapedWhereTheyStand(t *testing.T) {
	server, got := recorder(t, nil)
	for _, test := range []struct{ url, v, want string }{
		{"/u/${ data.v }/x?q=${ data.v }", "a b/c?d&e=ü%", "/u/a%20b%2Fc%3Fd&e=%C3%BC%25/x?q=a+b%2Fc%3Fd%26e%3D%C3%BC%25"},
		{"/u?${ data.v }=1", "a&b", "/u?a%26b=1"},
		{"?q=${ data.v }", "\r\nX: y", "/?q=%0D%0AX%3A+y"},
		{"/x#${ data.v }", "y", "/x"},
		{"/a%2Fb/${ data.v }", "c", "/a%2Fb/c"},
	} {
		h := request(t, map[string]any{"url": server.URL + test.url}, Deps{})
		if _, err := h.Do(context.Background(), delivery(`{"v":`+quoteJSON(test.v)+`}`)); err != nil {
			t.Fatal(err)
		}
		if uri := got()[0].uri; uri != test.want {
			t.Errorf("%s with %q: %s, want %s", test.url, test.v, uri, test.want)
		}
	}
}

func TestAValueCanNotAddAHeader(t *testing.T) {
	for _, v := range []string{"x\r\nX-Evil: 1", "x\n", "\r", "x\x00", "x\x7f", "\x1b[31m"} {
		h := request(t, map[string]any{"url": "http://public.test/", "headers": map[string]any{"X-A": "${ data.v }"}}, Deps{})
		dials := stub(h.way.Guard, names)
		_, err := h.Do(context.Background(), delivery(`{"v":`+quoteJSON(v)+`}`))
		if err == nil || !isPermanentError(err) || !strings.HasPrefix(err.Error(), "headers.X-A: a header can't have a ") || dials() != nil {
			t.Errorf("%q: %v, dialled %v", v, err, dials())
		}
	}
}
