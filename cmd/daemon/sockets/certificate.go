package sockets

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"evrun/cmd/config/settings"
	"evrun/store/files"
	"evrun/tasks/fault"
)

// Certificate is the certificate of the TCP port, with its key and the authorities of clients. It is read again when a client
// connects and its files have changed, at most once a second. While the files can't be used, such as when only one of certificate and key has been
// replaced, the certificate from before is served. Safe for concurrent use.
type Certificate struct {
	files settings.TLS
	log   *slog.Logger

	current atomic.Pointer[loaded]

	mu      sync.Mutex // by who looks at the files
	looked  time.Time
	problem atomic.Pointer[string] // why they can't be used; nil: they can
}

// loaded are the files as they were read.
type loaded struct {
	texts   [3][]byte
	config  *tls.Config
	expires time.Time
}

const (
	lookEvery   = time.Second
	largestFile = 1 << 20
)

// LoadCertificate reads the files.
func LoadCertificate(t settings.TLS, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{files: t, log: log}
	now, err := load(t, nil)
	if err != nil {
		return nil, err
	}
	c.looked = time.Now()
	c.current.Store(now)
	return c, nil
}

// load reads the files, and takes them as they are in before if they have not changed. before may be nil.
func load(t settings.TLS, before *loaded) (*loaded, error) {
	l := &loaded{}
	names := [3]string{"server.tls.cert", "server.tls.key", "server.tls.client_ca"}
	for i, path := range []string{t.Cert, t.Key, t.ClientCA} {
		if path == "" {
			continue
		}
		var err error
		if l.texts[i], err = read(path); err != nil {
			return nil, &Error{Msg: fmt.Sprintf("%s: %v", names[i], err), Hint: "name a file that the user of evrun can read", File: true, Err: err}
		}
	}
	if before != nil && slices.EqualFunc(l.texts[:], before.texts[:], bytes.Equal) {
		return before, nil
	}
	return l, l.parse(t)
}

func (l *loaded) parse(t settings.TLS) error {
	pair, err := tls.X509KeyPair(l.texts[0], l.texts[1])
	if err != nil {
		return &Error{Msg: fmt.Sprintf("server.tls: the certificate %s and the key %s can't be used: %v", t.Cert, t.Key, err),
			Hint: "both are in PEM: the certificate of this server comes first, and the key is its private key, without a password", File: true, Err: err}
	}
	l.config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	for _, der := range pair.Certificate {
		if cert, err := x509.ParseCertificate(der); err == nil && (l.expires.IsZero() || cert.NotAfter.Before(l.expires)) {
			l.expires = cert.NotAfter
		}
	}
	if t.ClientCA != "" {
		l.config.ClientCAs = x509.NewCertPool()
		if !l.config.ClientCAs.AppendCertsFromPEM(l.texts[2]) {
			return &Error{Msg: fmt.Sprintf("server.tls.client_ca: %s has no certificate", t.ClientCA), Hint: "it needs at least one in PEM: -----BEGIN CERTIFICATE-----", File: true}
		}
		l.config.ClientAuth = tls.RequireAndVerifyClientCert
		l.config.SessionTicketsDisabled = true // a resumed session would be that of an authority from before
	}
	return nil
}

func read(path string) ([]byte, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestFile))
	return text, err
}

// Config is the configuration for a listener. A nil Certificate has none.
func (c *Certificate) Config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c.look()
		return c.current.Load().config, nil
	}}
}

// State says until when the certificates are valid, with those between it and the root, and why the files, as they are now, can't be used; empty: they can.
func (c *Certificate) State() (expires time.Time, problem string) {
	c.look()
	if p := c.problem.Load(); p != nil {
		problem = *p
	}
	return c.current.Load().expires, problem
}

// expiresSoon is how long before its end a certificate is reported: what renews it has tried for weeks by then.
const expiresSoon = 14 * 24 * time.Hour

// Ending says that a certificate has expired or soon will; empty: neither.
func Ending(expires, now time.Time) string {
	switch left := expires.Sub(now); {
	case left <= 0:
		return "it expired on " + expires.UTC().Format(time.RFC3339) + ": clients refuse it"
	case left < expiresSoon:
		return "it expires in " + fault.Plural(int(left.Hours()/24), "day") + ", on " + expires.UTC().Format(time.RFC3339)
	}
	return ""
}

// look reads the files again if it is time to. A call while another reads them does not wait.
func (c *Certificate) look() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.read()
	}
}

// read reads the files again.
func (c *Certificate) read() {
	was := c.current.Load()
	now, err := load(c.files, was)
	if err != nil {
		text := err.Error()
		if before := c.problem.Swap(&text); before == nil || *before != text {
			c.log.Error("the changed certificate can't be used; the one from before goes on", "error", err, "expires", was.expires)
		}
		return
	}
	if c.problem.Store(nil); now != was {
		c.current.Store(now)
		c.log.Info("the certificate was read again", "cert", c.files.Cert, "expires", now.expires)
	}
}
