// Package sockets opens what the daemon listens on: the TCP port of the settings, with its certificate, and the sockets that a service manager
// opened before it started the daemon.
//
//	passed, err := sockets.Take()       // of LISTEN_FDS, if there are any
//	l, err := sockets.Listen(ctx, server, passed)
//	certificate, err := sockets.LoadCertificate(server.TLS, log)
//	err = api.ServeTCP(l, certificate.Config())
//
// An address that other machines reach is refused without TLS, unless the settings say insecure: the settings are checked when they are read, and
// the address that the system has bound is checked again here. Errors say what to do. No goroutines.
package sockets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"evrun/cmd/config/settings"
)

// Error is an address that can't be listened on.
type Error struct {
	Msg  string
	Hint string
	File bool  // the wiring file, or the unit of the service manager, must be changed: to try again doesn't help
	Err  error // may be nil
}

func (e *Error) Error() string { return e.Msg }
func (e *Error) Unwrap() error { return e.Err }

// Listen opens the TCP port of the settings, or takes the one that was passed for it. Without a port in the settings it returns nil.
func Listen(ctx context.Context, server settings.Server, passed *Passed) (net.Listener, error) {
	l := passed.tcp()
	switch {
	case server.Listen == "" && l == nil:
		return nil, nil
	case server.Listen == "":
		return nil, &Error{Msg: fmt.Sprintf("the service manager passes a TCP socket, %v, and the wiring file has no TCP port", l.Addr()),
			Hint: fmt.Sprintf("write server: {listen: %q}, or take the socket out of the .socket unit", l.Addr()), File: true}
	case l == nil:
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", server.Listen); err != nil {
			return nil, explained(server.Listen, err)
		}
	case !same(l.Addr(), server.Listen):
		return nil, &Error{Msg: fmt.Sprintf("the service manager passes the TCP socket %v, and server.listen is %s", l.Addr(), server.Listen),
			Hint: "write the same address in both: ListenStream= of the .socket unit, and server.listen", File: true}
	}
	if !Local(l.Addr()) && !server.TLS.On() && !server.Insecure {
		return nil, errors.Join(&Error{Msg: fmt.Sprintf("server.listen %s is %v, which other machines can reach: without TLS, all on the way can read tokens and events", server.Listen, l.Addr()),
			Hint: "set server.tls, or write insecure: true if a proxy or the network protects it", File: true}, l.Close())
	}
	return l, nil
}

// Files other than connections, and connections that are refused with an answer.
const otherFiles = 500

// Connections is how many connections each of socket and TCP port can have, of the number in the settings, so that strangers never take the files that
// the store and the socket need.
func Connections(wanted int) int {
	if limit := openFiles(); limit > 0 {
		return min(wanted, max((limit-otherFiles)/2, 10))
	}
	return wanted
}

// Local reports whether only this machine reaches an address.
func Local(a net.Addr) bool {
	at, ok := a.(*net.TCPAddr)
	return ok && at.AddrPort().Addr().Unmap().IsLoopback()
}

// same reports whether a passed socket has the address of the settings. A name is any address: its port decides.
func same(passed net.Addr, listen string) bool {
	at, ok := passed.(*net.TCPAddr)
	host, port, err := net.SplitHostPort(listen)
	if !ok || err != nil || fmt.Sprint(at.Port) != port {
		return false
	}
	want, err := netip.ParseAddr(host)
	have := at.AddrPort().Addr().Unmap()
	switch {
	case host == "" || err == nil && want.Unmap().IsUnspecified():
		return have.IsUnspecified()
	case err != nil:
		return true
	}
	return have == want.Unmap()
}

// explained is the error of the system, with what to do.
func explained(listen string, err error) error {
	e := &Error{Msg: fmt.Sprintf("server.listen %s: %v", listen, reason(err)), Err: err}
	var dns *net.DNSError
	_, port, _ := strings.Cut(listen[strings.LastIndexByte(listen, ':'):], ":")
	switch {
	case errors.Is(err, inUse):
		e.Msg = fmt.Sprintf("server.listen %s: another program listens there", listen)
		e.Hint = fmt.Sprintf("ss -ltnp 'sport = :%s' names it; end it, or set server.listen to another port", port)
	case errors.Is(err, fs.ErrPermission):
		e.Msg = fmt.Sprintf("server.listen %s: evrun may not open this port", listen)
		e.Hint = "take a port above 1023, or give the right: AmbientCapabilities= and CapabilityBoundingSet=CAP_NET_BIND_SERVICE in the systemd unit, or a .socket unit that passes the port"
	case errors.Is(err, notHere):
		e.Msg = fmt.Sprintf("server.listen %s: this machine does not have the address", listen)
		e.Hint = "ip address lists those that it has; 127.0.0.1 is this machine alone, and no host at all is every address"
	case errors.As(err, &dns):
		e.Msg = fmt.Sprintf("server.listen %s: no address is known for %s", listen, dns.Name)
		e.Hint = "write an IP address"
	}
	return e
}

// reason is the system's word, without the operation.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
