package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Hosts are the names by which clients may call a server: localhost, any loopback address, the address that the connection came to, and the given names. The
// port does not count. A web page can have a name of its own lead to this machine, and then a browser sends that name.
type Hosts map[string]bool

// HostsOf returns hosts with more names. An address in a name is compared as an address.
func HostsOf(names []string) Hosts {
	hosts := Hosts{"localhost": true}
	for _, name := range names {
		if host := hostname(name); host != "" {
			hosts[host] = true
		}
	}
	return hosts
}

// Know reports whether the host of a request is known.
func (h Hosts) Know(r *http.Request) bool {
	host := hostname(r.Host)
	if h[host] {
		return true
	}
	at, err := netip.ParseAddr(host)
	if err != nil || at.IsUnspecified() {
		return false
	}
	return at.IsLoopback() || host == localAddress(r)
}

// localAddress is the address of this machine that the connection came to.
func localAddress(r *http.Request) string {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	return hostname(addr.String())
}

// hostname is a host without port and final dot, in lower case; an address is in its usual form. It is empty for a text that is not a host.
func hostname(text string) string {
	host := text
	switch colon := strings.LastIndexByte(text, ':'); {
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 || end+1 < len(text) && !isPort(text[end+1:]) {
			return ""
		}
		host = text[1:end]
	case colon >= 0 && strings.IndexByte(text, ':') == colon:
		if !isPort(text[colon:]) {
			return ""
		}
		host = text[:colon]
	}
	if at, err := netip.ParseAddr(host); err == nil {
		return at.Unmap().WithZone("").String()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.ContainsAny(host, ":/@[]%?# \t") {
		return ""
	}
	return host
}

// isPort reports whether a text is a colon and a port.
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	return ok && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}
