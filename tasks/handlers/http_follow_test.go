package handlers

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// redirecting is a server that redirects all but /end with a status to a place.
func redirecting(t *testing.T, status int, to *string) (url string, got func() []seen) {
	server, got := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/end" {
			w.Header().Set("Location", *to)
			w.WriteHeader(status)
		}
	})
	return server.URL, got
}

func TestFollowGoesToOtherHostsWithTheMethodOfTheStatus(t *testing.T) {
	elsewhere, gotElsewhere := recorder(t, nil)
	for _, test := range []struct {
		method string
		status int
		then   string // the method at the other host
	}{
		{"POST", 307, "POST"}, {"POST", 308, "POST"}, {"POST", 301, "GET"}, {"POST", 302, "GET"}, {"POST", 303, "GET"},
		{"PUT", 303, "GET"}, {"GET", 302, "GET"}, {"HEAD", 302, "HEAD"}, {"DELETE", 307, "DELETE"},
	} {
		to := elsewhere.URL + "/end?token=t0ken"
		url, _ := redirecting(t, test.status, &to)
		h := request(t, map[string]any{
			"url": url + "/in?key=k3y", "method": test.method, "follow": true, "allow_private": true,
			"headers": map[string]any{"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Cookie": "c=s3cret", "Accept": "text/plain"},
		}, Deps{})
		if _, err := h.Do(context.Background(), delivery(`{"a":1}`)); err != nil {
			t.Errorf("%s, %d: %v", test.method, test.status, err)
			continue
		}
		last := gotElsewhere()[0]
		if last.method != test.then || (last.body != "") != (test.then == "POST") || (last.header.Get("Ce-Id") != "") != (test.then == "POST") {
			t.Errorf("%s, %d: %+v", test.method, test.status, last)
		}
		if last.header.Get("Accept") != "text/plain" || last.header.Get("Idempotency-Key") != "7-h-abcdefgh" || last.header.Get("User-Agent") != "evrun" {
			t.Errorf("%s, %d: %+v", test.method, test.status, last.header)
		}
		for name, values := range last.header {
			if strings.Contains(strings.Join(values, " "), "s3cret") || name == "Referer" {
				t.Errorf("%s, %d: the other host got %s: %v", test.method, test.status, name, values)
			}
		}
	}
}

// A host that was led to chooses where it leads back, so the secrets stay away from there, too.
func TestWhoWasElsewhereComesBackWithoutSecrets(t *testing.T) {
	var back, away string
	home, gotHome := redirecting(t, 307, &away)
	other, _ := redirecting(t, 307, &back)
	away, back = other+"/x", home+"/end"
	h := request(t, map[string]any{"url": home, "follow": true, "allow_private": true, "headers": map[string]any{"Authorization": "Bearer s3cret"}}, Deps{})
	if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil {
		t.Fatal(err)
	}
	list := gotHome()
	if len(list) != 2 || list[0].header.Get("Authorization") == "" || list[1].uri != "/end" || list[1].header.Get("Authorization") != "" {
		t.Errorf("%+v", list)
	}
	// On the same host, they stay.
	away = "/end"
	if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil {
		t.Fatal(err)
	}
	if list := gotHome(); len(list) != 2 || list[1].header.Get("Authorization") == "" {
		t.Errorf("%+v", list)
	}
}

func TestFollowEndsWhereItMust(t *testing.T) {
	for _, test := range []struct {
		to, want string
		inputs   map[string]any
	}{
		{"http://loopback.test/", "loopback.test is 127.0.0.1, which is not a public address", nil},
		{"http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address", nil},
		{"http://[::1]/", "::1 is not a public address", nil},
		{"ftp://public.test/", "that is not followed: it leads away from http", nil},
		{"file:///etc/passwd", "that is not followed: it leads away from http", nil},
		{"http://user@public.test/", "that is not followed: it has a user name in it", nil},
		{"/again", "that is not followed: it would be one more than 10", nil},
		{"http://public.test/", "that is not followed: behind a proxy, evrun can't see whether the other host is a public one", map[string]any{"proxy": "http://127.0.0.1:1"}},
		{"http://public.test/", "that is not followed: it leads away from the socket", map[string]any{"socket": "x.sock"}},
	} {
		to := test.to
		url, got := redirecting(t, 307, &to)
		inputs := map[string]any{"url": url, "follow": true}
		for name, value := range test.inputs {
			inputs[name] = value
		}
		h := request(t, inputs, Deps{})
		h.way.Transport.Proxy, h.way.Transport.DialContext = nil, h.way.Guard.Dial // to the server; the guard is for where it leads
		dials := stub(h.way.Guard, names)
		_, err := h.Do(context.Background(), delivery(`{}`))
		if err == nil || !strings.Contains(err.Error(), test.want) || !isPermanentError(err) || dials() != nil {
			t.Errorf("to %s: %v, dialled %v", test.to, err, dials())
		}
		if n := len(got()); n != 1 && (test.to != "/again" || n != 11) {
			t.Errorf("to %s: %d requests", test.to, n)
		}
	}
}

func TestARedirectThatIsNotFollowedNamesTheKey(t *testing.T) {
	elsewhere, _ := recorder(t, nil)
	for _, test := range []struct {
		to      string
		status  int
		follows bool
	}{{elsewhere.URL + "/x", 307, true}, {"/end", 302, true}, {"ftp://public.test/", 302, false}} {
		url, _ := redirecting(t, test.status, &test.to)
		_, err := request(t, map[string]any{"url": url}, Deps{}).Do(context.Background(), delivery(`{}`))
		if err == nil || !strings.Contains(err.Error(), "that is not followed") || strings.Contains(err.Error(), "follow: true follows it") != test.follows {
			t.Errorf("to %s: %v", test.to, err)
		}
	}
	// The services of notify have no such key.
	to := elsewhere.URL
	url, _ := redirecting(t, 307, &to)
	n := notifier(t, map[string]any{"url": "generic+" + url, "message": "m"}, Deps{})
	if _, err := n.Do(context.Background(), delivery(`{}`)); err == nil || !strings.Contains(err.Error(), "that is not followed") || strings.Contains(err.Error(), "follow:") {
		t.Errorf("got %v", err)
	}
}

// An other host gets no certificate of ours, and is trusted by the same authorities.
func TestAnotherHostGetsNoClientCertificate(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	cert, key := a.pair("client", a.cert.NotAfter)
	put(t, dir, map[string][]byte{"ca.pem": a.pem(), "client.pem": append(cert, key...)})
	strict := a.secure(a)
	to := strict.URL + "/end"
	url, _ := redirecting(t, 307, &to)
	h := request(t, map[string]any{"url": url, "follow": true, "allow_private": true, "ca": "ca.pem", "cert": "client.pem"}, Deps{BaseDir: dir})
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("got %v", err)
	}
	friendly := a.secure(nil)
	to = friendly.URL + "/end"
	if _, err := h.Do(context.Background(), delivery(`{}`)); err != nil {
		t.Error(err)
	}
}

// A private server that the file names is not reached where another host leads to it, nor does it get the certificate then.
func TestAnotherHostCanNotLeadBackIntoThePrivateNetwork(t *testing.T) {
	var away, back string
	home, gotHome := redirecting(t, 307, &away)
	other, gotOther := redirecting(t, 307, &back)
	away, back = "http://public.test:"+other[strings.LastIndexByte(other, ':')+1:], home+"/end"
	h := request(t, map[string]any{"url": home, "follow": true}, Deps{})
	h.way.Guard.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}
	dial := h.way.Guard.Dial
	h.way.Guard.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, network, strings.Replace(address, "93.184.216.34", "127.0.0.1", 1))
	}
	_, err := h.Do(context.Background(), delivery(`{}`))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1 is not a public address") || !isPermanentError(err) {
		t.Errorf("got %v", err)
	}
	if here, there := len(gotHome()), len(gotOther()); here != 1 || there != 1 {
		t.Errorf("%d requests, %d at the other host", here, there)
	}
}
