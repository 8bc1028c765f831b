package daemon

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/config/settings"
	"evrun/cmd/daemon/sockets"
)

// Listening is the URL of the TCP port; empty: there is none.
func (d *Daemon) Listening() string {
	if d.tcp == nil {
		return ""
	}
	if d.cert != nil {
		return "https://" + d.tcp.Addr().String()
	}
	return "http://" + d.tcp.Addr().String()
}

// Dashboard is the URL of the dashboard: that of the TCP port, with a name that a browser can go to; empty: there is none.
func (d *Daemon) Dashboard() string {
	if d.tcp == nil {
		return ""
	}
	at, _ := url.Parse(d.Listening())
	server, everywhere := d.cfg.Settings.Server, false
	if addr, err := netip.ParseAddrPort(at.Host); err == nil {
		everywhere = addr.Addr().IsUnspecified()
	}
	switch {
	case d.cert != nil && len(server.Hosts) > 0: // the certificate is for a name
		at.Host = net.JoinHostPort(server.Hosts[0], at.Port())
	case everywhere:
		at.Host = net.JoinHostPort("localhost", at.Port())
	}
	return at.String()
}

// Link is a link to the dashboard that signs a browser in as the owner, once; empty without a TCP port.
func (d *Daemon) Link() string {
	link, _ := d.server.Link(access.From(context.Background()), d.Dashboard(), "")
	return link.URL
}

// hostsOf are the names that clients call the daemon by: those of the settings, and the one that it listens on.
func hostsOf(server settings.Server) []string {
	host, _, err := net.SplitHostPort(server.Listen)
	if err != nil || host == "" {
		return server.Hosts
	}
	return append([]string{host}, server.Hosts...)
}

// listening logs where the daemon listens for TCP.
func (d *Daemon) listening() {
	d.log.Info("listening for TCP", "url", d.Listening())
	if d.cert == nil && !sockets.Local(d.tcp.Addr()) {
		d.log.Warn("other machines can reach the TCP port, and it has no TLS (insecure: true): tokens and events are sent as they are", "url", d.Listening())
	}
	if p := d.port(); p != nil && p.Problem != "" {
		d.log.Warn("the TCP port's certificate: " + p.Problem)
	}
}

// port is what a status says of the TCP port; nil: there is none.
func (d *Daemon) port() *api.Port {
	if d.tcp == nil {
		return nil
	}
	p := &api.Port{URL: d.Listening()}
	p.Connections, p.Refused = d.server.Strangers()
	if d.cert != nil {
		expires, problem := d.cert.State()
		p.Expires = &expires
		p.Problem = cmp.Or(problem, sockets.Ending(expires, time.Now()))
	}
	return p
}
