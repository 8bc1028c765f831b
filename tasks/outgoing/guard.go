package outgoing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Guard connects to hosts and refuses addresses that senders of events must not reach: the machine itself, its networks, and the
// metadata services of clouds. It resolves a name, checks every address, and connects to one that it checked, so a name server can't
// give another address in between.
type Guard struct {
	Open bool // private addresses may be reached
	// Resolve and Dial use the network, except in tests.
	Resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Timeouts: dialTimeout for resolving a name, and for the last of its addresses; firstDialTimeout for those before it.
const (
	dialTimeout      = 10 * time.Second
	firstDialTimeout = 3 * time.Second
)

func newGuard() *Guard {
	dialer := net.Dialer{KeepAlive: 30 * time.Second}
	return &Guard{Resolve: net.DefaultResolver.LookupNetIP, Dial: dialer.DialContext}
}

// DialContext connects to a host and port. A refusal is a *PrivateError.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	// One private address refuses the name: no honest name has both kinds.
	for _, a := range addrs {
		if !g.Open && !public(a) {
			return nil, &PrivateError{host: host, addr: a}
		}
	}
	var failures []error
	for i, a := range addrs {
		conn, err := g.connect(ctx, network, net.JoinHostPort(a.String(), port), i == len(addrs)-1)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

func (g *Guard) connect(ctx context.Context, network, address string, last bool) (net.Conn, error) {
	timeout := firstDialTimeout
	if last {
		timeout = dialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return g.Dial(ctx, network, address)
}

func (g *Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := g.Resolve(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

// PrivateError is an address that the guard refuses.
type PrivateError struct {
	host string
	addr netip.Addr
}

func (e *PrivateError) Error() string {
	what := e.addr.String()
	if e.host != what {
		what = fmt.Sprintf("%s is %s, which", e.host, what)
	}
	return what + " is not a public address: write the host out in the wiring file, or say allow_private: true"
}

// Public IPv6 addresses are in 2000::/3. Loopback, local, multicast, embedded IPv4 and NAT64 addresses are not.
var publicIPv6 = netip.MustParsePrefix("2000::/3")

// special are addresses that look public and are not: IANA's special-purpose registries (RFC 6890 and later), and the public
// address of Azure's metadata service.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		list[i] = netip.MustParsePrefix(s)
	}
	return list
}

// public reports whether an address belongs to the public Internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.Is6() && !publicIPv6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
