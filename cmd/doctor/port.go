package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"

	"evrun/cmd/api/access"
	"evrun/cmd/daemon/sockets"
	"evrun/store/files"
)

// port looks at the TCP port of the settings and at its certificate.
func (x *examination) port(ctx context.Context) {
	if x.cfg == nil {
		return
	}
	server := x.cfg.Settings.Server
	if server.Listen == "" {
		if x.daemon == nil || x.daemon.TCP == nil {
			x.add("tcp", OK, "", "no port, and so no dashboard: server.listen is not set")
		}
		return
	}
	if server.TLS.On() {
		x.certificate()
	}
	if wrong := access.CheckOwner(access.OwnerPath(x.cfg.Settings.Own())); wrong != "" && (x.daemon != nil || files.Size(x.cfg.Settings.Own()) > 0) {
		x.add("token", Warning, "", "the owner's token: %s", wrong)
	}
	switch {
	case x.daemon == nil:
		l, err := sockets.Listen(ctx, server, nil)
		if err != nil {
			x.unusable("tcp", err)
			return
		}
		_ = l.Close()
		x.add("tcp", OK, "", "%s is free", server.Listen)
	case x.daemon.TCP == nil:
		x.add("tcp", Warning, "restart the daemon: a reload does not open it", "the daemon has no TCP port; the file has %s", server.Listen)
	case x.daemon.TCP.Refused > 0:
		x.add("tcp", Warning, "raise server.max_connections, or name the proxy in front in server.trusted_proxies", "%s; %d connections were refused: there were too many, in all or from one address", x.daemon.TCP.URL, x.daemon.TCP.Refused)
	default:
		x.add("tcp", OK, "", "%s", x.daemon.TCP.URL)
	}
}

// certificate looks at the files of server.tls. How long they last is known better by a daemon that has them.
func (x *examination) certificate() {
	t := x.cfg.Settings.Server.TLS
	c, err := sockets.LoadCertificate(t, slog.New(slog.DiscardHandler))
	if err != nil {
		x.unusable("tls", err)
		return
	}
	if info, err := os.Stat(t.Key); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		x.add("tls", Warning, "chmod o-r "+t.Key, "everybody on this machine can read the private key %s (mode %o)", t.Key, info.Mode().Perm())
	}
	if x.daemon != nil && x.daemon.TCP != nil && x.daemon.TCP.Problem != "" {
		return // it is among the daemon's problems
	}
	expires, _ := c.State()
	if problem := sockets.Ending(expires, x.now); problem != "" {
		x.add("tls", Warning, "renew it; evrun takes new files without a restart", "the certificate %s: %s", t.Cert, problem)
		return
	}
	x.add("tls", OK, "", "%s is valid until %s", t.Cert, expires.UTC().Format("2006-01-02"))
}

// unusable adds an error with its hint.
func (x *examination) unusable(check string, err error) {
	hint := ""
	if e, ok := errors.AsType[*sockets.Error](err); ok {
		hint = e.Hint
	}
	if errors.Is(err, fs.ErrPermission) {
		hint = fmt.Sprintf("%s; run doctor as the user of the daemon", hint)
	}
	x.add(check, Error, hint, "%v", err)
}
