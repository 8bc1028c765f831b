package limits

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientIP is the address of who sent a request: the other end of its connection or, where that is a trusted proxy, what the proxies say in
// X-Forwarded-For. That is read from its end: what stands before the last proxy which is trusted may be invented. The address is not valid for a request
// that came by the socket or within this process.
func ClientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := plain(peer.Addr())
	said := r.Header["X-Forwarded-For"]
	for i := len(said) - 1; i >= 0; i-- {
		for rest, more := said[i], true; more; {
			if !Within(at, trusted) {
				return at
			}
			var entry string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, entry = rest[:cut], rest[cut+1:]
			} else {
				entry, more = rest, false
			}
			before, ok := forwarded(entry)
			if !ok { // this proxy says nothing that can be used
				return at
			}
			at = before
		}
	}
	return at
}

// Within reports whether an address is in one of the networks.
func Within(at netip.Addr, networks []netip.Prefix) bool {
	at = plain(at)
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(at) })
}

// Sender is what counts as one sender: an address or, of IPv6, the network of 64 bits, since each sender has so many addresses of it.
func Sender(at netip.Addr) netip.Addr {
	at = plain(at)
	if at.Is6() {
		network, _ := at.Prefix(64)
		at = network.Addr()
	}
	return at
}

// forwarded reads an entry of X-Forwarded-For: an address, some proxies add the port.
func forwarded(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if at, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]")); err == nil {
		return plain(at), true
	}
	at, err := netip.ParseAddrPort(entry)
	return plain(at.Addr()), err == nil
}

// plain is an address without its zone; one of IPv4 that is written as IPv6 is one of IPv4.
func plain(at netip.Addr) netip.Addr { return at.Unmap().WithZone("") }
