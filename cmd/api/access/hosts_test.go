package access

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestAServerKnowsItsHosts(t *testing.T) {
	hosts := HostsOf([]string{"Evrun.example.com", "192.0.2.7", "[2001:db8::7]", "box:7770", ""})
	at := &net.TCPAddr{IP: net.ParseIP("203.0.113.5"), Port: 7770}
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:7770": true, "localhost.": true, "localhost.:80": true, "127.0.0.1": true, "127.0.0.1:7770": true, "127.9.9.9": true,
		"[::1]": true, "[::1]:7770": true, "[::ffff:127.0.0.1]:1": true, "[0:0:0:0:0:0:0:1]": true, "::1": true,
		"evrun.example.com": true, "EVRUN.example.com.:443": true, "192.0.2.7:1": true, "[2001:db8::7]:1": true, "[2001:DB8:0::7]": true, "box": true, "box:1": true,
		"203.0.113.5:7770": true, "203.0.113.5": true,
		"": false, ":7770": false, ".": false, "evil.example.com": false, "localhost.evil.example.com": false, "evilhost": false, "localhost@evil": false, "localhost/x": false,
		"localhost:port": false, "localhost:7770x": false, "localhost:777777": false, "localhost:80:80": false, "[::1": false, "[::1]x": false, "[::2]": false, "0.0.0.0": false,
		"[::]": false, "203.0.113.6": false, "127.0.0.1.evil.example.com": false, "0x7f.1": false, "2130706433": false, "127.1": false, "localhost..": false,
		"localhost%2eevil": false, "[fe80::1%25eth0]": false, "192.0.2.8": false, "example.com": false, "x.evrun.example.com": false,
	} {
		r := (&http.Request{Host: host}).WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(at)))
		if hosts.Know(r) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
	if HostsOf(nil).Know(&http.Request{Host: "203.0.113.5"}) {
		t.Error("an address without a connection is known")
	}
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost:80", "[::1]:7770", "evil.example.com", "localhost.", "[::ffff:127.0.0.1%x]"} {
		f.Add(host)
	}
	hosts := HostsOf([]string{"box"})
	f.Fuzz(func(t *testing.T, host string) {
		if !hosts.Know(&http.Request{Host: host}) {
			return
		}
		name := hostname(host)
		if ip := net.ParseIP(name); name != "localhost" && name != "box" && (ip == nil || !ip.IsLoopback()) {
			t.Errorf("%q is %q", host, name)
		}
		if !strings.Contains(strings.ToLower(host), strings.ToLower(strings.SplitN(name, ":", 2)[0])) && net.ParseIP(name) == nil {
			t.Errorf("%q is %q", host, name)
		}
	})
}
