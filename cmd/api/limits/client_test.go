package limits

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestTheSenderOfARequest(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, test := range map[string]struct {
		remote string
		said   []string
		want   string
	}{
		"no proxy":                            {"192.0.2.1:5000", nil, "192.0.2.1"},
		"what a stranger says does not count": {"192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		"a proxy that says nothing":           {"10.0.0.1:5000", nil, "10.0.0.1"},
		"a proxy":                             {"10.0.0.1:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		"what stands before is invented":      {"10.0.0.1:5000", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":                         {"10.0.0.1:5000", []string{"127.0.0.1,203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"two lines":                           {"10.0.0.1:5000", []string{"127.0.0.1", "203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		"all are trusted":                     {"10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"nonsense after the sender":           {"10.0.0.1:5000", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"nonsense after a proxy":              {"10.0.0.1:5000", []string{"203.0.113.9, , 10.0.0.2"}, "10.0.0.2"},
		"an empty line":                       {"10.0.0.1:5000", []string{""}, "10.0.0.1"},
		"with a port":                         {"10.0.0.1:5000", []string{"203.0.113.9:1234"}, "203.0.113.9"},
		"IPv6":                                {"[fd00::1]:5000", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":                    {"[fd00::1]:5000", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 in brackets with a port":        {"[fd00::1]:5000", []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		"IPv4 in IPv6":                        {"[::ffff:10.0.0.1]:5000", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone":                              {"[fe80::1%eth0]:5000", nil, "fe80::1"},
		"the socket":                          {"@", []string{"203.0.113.9"}, "invalid IP"},
		"this process":                        {"", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.said}}
		if got := ClientIP(r, trusted).String(); got != test.want {
			t.Errorf("%s: %s, not %s", name, got, test.want)
		}
	}
}

func FuzzTheSenderOfARequest(f *testing.F) {
	f.Add("203.0.113.9, 10.0.0.2")
	f.Add(",,,[::1]:80%x")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, said string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {said}}}
		got := ClientIP(r, trusted)
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("%q: %v", said, got)
		}
		r.Header.Set("X-Forwarded-For", said+", 198.51.100.7") // by the proxy itself
		if got := ClientIP(r, trusted).String(); got != "198.51.100.7" {
			t.Errorf("%q: %v", said, got)
		}
		r.Header.Set("X-Forwarded-For", strings.Repeat("10.0.0.1,", 3)+said)
		_ = ClientIP(r, trusted)
	})
}
