package settings

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// listenAddress is where the daemon listens for TCP: host:port, :port or [IPv6]:port.
type listenAddress string

// listenHint has an address of this machine alone: any other needs more than the address.
const listenHint = "write 127.0.0.1:7770"

func (l *listenAddress) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	if f := badListen(text); f != nil {
		at.Refuse(f)
		return
	}
	*l = listenAddress(text)
}

func (*listenAddress) FieldShape() fields.Shape {
	return fields.Shape{Words: "address", Schema: map[string]any{"type": "string", "pattern": `^(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}$`}}
}

func badListen(text string) *fault.Fault {
	host, port, err := net.SplitHostPort(text)
	_, wrong := strconv.ParseUint(port, 10, 16)
	switch addr, noIP := netip.ParseAddr(text); {
	case text == "":
		return fault.New("the address is empty").Hinting("leave it out for no TCP port")
	case strings.Contains(text, "://"):
		return fault.New("%s is a URL, not an address", fault.Quote(text)).Hinting(listenHint)
	case strings.Contains(text, "/"):
		return fault.New("%s is not an address", fault.Quote(text)).Hinting("the path of the socket belongs to socket; for TCP, %s", listenHint)
	case fields.IsNumber(text):
		return fault.New("%s has no address", fault.Quote(text)).Hinting("write 127.0.0.1:%s for this machine alone", fault.Clip(text, 60))
	case noIP == nil && addr.Is6():
		return fault.New("%s has no port, or an address without brackets", fault.Quote(text)).Hinting("write the address in brackets, then the port: [::1]:7770")
	case err != nil && strings.Count(text, ":") > 1:
		return fault.New("%s is not an address with a port", fault.Quote(text)).Hinting("write an IPv6 address in brackets: [::1]:7770")
	case err != nil:
		return fault.New("%s has no port", fault.Quote(text)).Hinting(listenHint)
	case wrong != nil:
		return fault.New("%s is not a port", fault.Quote(port)).Hinting("a port is a number from 0 to 65535: 7770")
	case host != "" && !isHost(host):
		return fault.New("%s is not a valid address", fault.Quote(host)).Hinting(listenHint)
	}
	return nil
}

var hostNames = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9_-]*[a-z][a-z0-9_-]*\.?$`)
})

// isHost reports whether a text is an IP address without brackets, or can be the name of a host: one of digits alone is neither.
func isHost(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return len(text) <= 253 && hostNames().MatchString(strings.ToLower(text))
}

// Loopback reports whether only this machine reaches an address: its host, by name or number.
func Loopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostName is a name or an address that clients use for this machine; in lower case.
type hostName string

func (h *hostName) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	name := strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(text), "["), "]")
	host, _, withPort := net.SplitHostPort(text)
	switch {
	case text == "":
		at.Refuse(fault.New("a name is empty").Hinting("leave it out"))
	case isHost(name):
		*h = hostName(strings.TrimSuffix(name, "."))
	case strings.Contains(text, "://"):
		at.Refuse(fault.New("%s is a URL", fault.Quote(text)).Hinting("write the name of the host alone: evrun.example.com"))
	case strings.Contains(text, "*"):
		at.Refuse(fault.New("%s: a pattern can't be used here", fault.Quote(text)).Hinting("write each name: evrun.example.com"))
	case withPort == nil && isHost(host):
		at.Refuse(fault.New("%s has a port", fault.Quote(text)).Hinting("write %s: its port does not matter", fault.Clip(host, 60)))
	default:
		at.Refuse(fault.New("%s is not a valid name of a host", fault.Quote(text)).Hinting("write a name or an address: evrun.example.com"))
	}
}

func (*hostName) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "minLength": 1, "not": map[string]any{"pattern": Unexpanded().String()}}}
}

// Network is a network, or an address alone.
type Network netip.Prefix

// DecodeField reads 10.0.0.0/8, fd00::/8 or 10.0.0.5.
func (n *Network) DecodeField(value any, at *fields.At) {
	const hint = "write an address or a network: 10.0.0.5 or 10.0.0.0/8"
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		*n = Network(netip.PrefixFrom(addr, addr.BitLen()))
		return
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		at.Refuse(fault.New("%s is not a valid network", fault.Quote(text)).Hinting(hint))
	case prefix.Addr().Is4In6(): // a sender's address is compared as one of IPv4
		at.Refuse(fault.New("%s is an IPv4 network, written as one of IPv6", fault.Quote(text)).Hinting("write it as %s", netip.PrefixFrom(prefix.Addr().Unmap(), max(prefix.Bits()-96, 0)).Masked()))
	case prefix != prefix.Masked():
		at.Refuse(fault.New("%s has bits of a host", fault.Quote(text)).Hinting("write %s for the network, or %s for the host alone", prefix.Masked(), prefix.Addr()))
	default:
		*n = Network(prefix)
	}
}

// FieldShape describes a network.
func (*Network) FieldShape() fields.Shape {
	return fields.Shape{Words: "network", Schema: map[string]any{"type": "string", "pattern": `^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$`}}
}

// checkTCP checks what the settings of the TCP port are together.
func (r *Reader) checkTCP(s *Server, origins map[string]string) {
	host, _, _ := net.SplitHostPort(s.Listen)
	switch {
	case r.wrong["server.tls.cert"] || r.wrong["server.tls.key"] || r.wrong["server.tls"]: // it is not known what was meant
	case s.TLS.Cert != "" && s.TLS.Key == "":
		r.complain("server.tls.cert", origins, "the certificate needs its private key", "add key: the file with the private key")
	case s.TLS.Key != "" && s.TLS.Cert == "":
		r.complain("server.tls.key", origins, "the private key needs its certificate", "add cert: the file with the certificate")
	case s.TLS.ClientCA != "" && s.TLS.Cert == "":
		r.complain("server.tls.client_ca", origins, "client_ca needs the certificate of the server", "add cert and key")
	case s.TLS.On() && s.Insecure:
		r.complain("server.insecure", origins, "tls is set: insecure has no effect", "leave one of the two out")
	case s.Listen != "" && !Loopback(host) && !s.TLS.On() && !s.Insecure && !r.wrong["server.insecure"]:
		r.complain("server.listen", origins, fmt.Sprintf("other machines can reach %s: without TLS, all on the way can read tokens and events", fault.Clip(s.Listen, 60)),
			"add tls: {cert: FILE, key: FILE}, or listen on 127.0.0.1; insecure: true says that a proxy or the network protects it")
	}
	r.checkStreams(s, origins)
	r.checkIdle(s)
}

// checkIdle reports keys of the file that have no effect. They are no faults: a flag or a variable of the daemon alone may give the port, and commands
// read the file without it.
func (r *Reader) checkIdle(s *Server) {
	idle := []string{"server.tls", "server.insecure", "server.hosts", "server.trusted_proxies", "server.tokens"}
	msg, hint := "%s has no effect without a TCP port", "add listen: 127.0.0.1:7770 to server, or leave %s out; serve --listen and EVRUN_SERVER_LISTEN give it a port as well"
	host, _, _ := net.SplitHostPort(s.Listen)
	switch {
	case r.wrong["server.listen"]:
		return
	case s.Listen != "" && (!Loopback(host) || !s.Insecure):
		return
	case s.Listen != "":
		idle, msg, hint = idle[1:2], "%s has no effect: other machines don't reach "+s.Listen, "leave %s out"
	}
	for _, key := range idle {
		if n := r.node(&setting{key: key}); n != nil {
			name := strings.TrimPrefix(key, "server.")
			r.o.Report.Doubt(n, fmt.Sprintf(msg, name), fmt.Sprintf(hint, name))
		}
	}
}

// checkStreams checks that there are connections for all streams.
func (r *Reader) checkStreams(s *Server, origins map[string]string) {
	const streams = "server.max_streams"
	switch {
	case s.MaxStreams <= s.MaxConnections || s.MaxConnections == 0:
	case r.node(&setting{key: streams}) == nil && origins[streams] == "":
		s.MaxStreams = s.MaxConnections
	default:
		r.complain(streams, origins, fmt.Sprintf("%d streams need as many connections, and max_connections is %d", s.MaxStreams, s.MaxConnections), fmt.Sprintf("set max_connections to more than %d", s.MaxStreams))
	}
}
