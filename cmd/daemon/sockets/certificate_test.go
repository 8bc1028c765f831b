package sockets

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"evrun/cmd/config/settings"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for localhost, valid for this long, and its key, both as PEM.
func (a *authority) issue(t *testing.T, name string, valid time.Duration) (cert, key []byte) {
	t.Helper()
	own := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid)}, a.cert, &own.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func save(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shake does a handshake with the certificate's server, as a client with this configuration, and returns the name in the server's certificate.
func shake(c *Certificate, client *tls.Config) (name string, err error) {
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() {
		conn := tls.Server(there, c.Config())
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x")) // with TLS 1.3, a client learns of a refusal here
		}
		there.Close()
		served <- err
	}()
	conn := tls.Client(here, client)
	err = conn.Handshake()
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	here.Close()
	<-served
	if err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

// TestAChangedCertificateIsReadAgain: the files are read again within a second; what is half written, or not a certificate, leaves the one from before.
func TestAChangedCertificateIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, dir := newAuthority(t, "ca"), t.TempDir()
		files := settings.TLS{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem")}
		first, firstKey := ca.issue(t, "first", time.Hour)
		second, secondKey := ca.issue(t, "second", 1000*time.Hour)
		save(t, files.Cert, first)
		save(t, files.Key, firstKey)
		var log bytes.Buffer
		c, err := LoadCertificate(files, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		client.RootCAs.AddCert(ca.cert)
		serves := func(want, problem string) {
			t.Helper()
			for range 3 {
				name, err := shake(c, client)
				if err != nil || name != want {
					t.Fatalf("%q, %v, not %s", name, err, want)
				}
				time.Sleep(lookEvery)
			}
			if _, text := c.State(); problem == "" && text != "" || !strings.Contains(text, problem) {
				t.Errorf("the problem is %q, not %q", text, problem)
			}
		}
		serves("first", "")
		save(t, files.Cert, second) // and not yet its key
		time.Sleep(lookEvery)
		serves("first", "private key does not match public key")
		save(t, files.Key, secondKey[:len(secondKey)/2])
		time.Sleep(lookEvery)
		serves("first", "can't be used")
		save(t, files.Key, secondKey)
		time.Sleep(lookEvery)
		serves("second", "")
		if expires, _ := c.State(); time.Until(expires) < 990*time.Hour {
			t.Errorf("it expires in %v", time.Until(expires))
		}
		if err := os.Remove(files.Cert); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		serves("second", "no such file")
		if n := strings.Count(log.String(), "level=ERROR"); n != 3 {
			t.Errorf("%d errors are logged, each of 3 once:\n%s", n, log.String())
		}
		if !strings.Contains(log.String(), "the certificate was read again") {
			t.Errorf("it isn't logged:\n%s", log.String())
		}
	})
}

func TestAClientNeedsACertificateOfTheAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other, dir := newAuthority(t, "ca"), newAuthority(t, "other"), t.TempDir()
		files := settings.TLS{Cert: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem"), ClientCA: filepath.Join(dir, "ca.pem")}
		cert, key := ca.issue(t, "server", time.Hour)
		save(t, files.Cert, cert)
		save(t, files.Key, key)
		save(t, files.ClientCA, ca.pem())
		c, err := LoadCertificate(files, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		client := func(by *authority) *tls.Config {
			conf := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(10)}
			conf.RootCAs.AddCert(ca.cert)
			if by != nil {
				pair, err := tls.X509KeyPair(by.issue(t, "client", time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				conf.Certificates = []tls.Certificate{pair}
			}
			return conf
		}
		mine, foreign := client(ca), client(other)
		for name, x := range map[string]struct {
			conf *tls.Config
			ok   bool
		}{"no certificate": {client(nil), false}, "one of another authority": {foreign, false}, "one of the authority": {mine, true}} {
			if _, err := shake(c, x.conf); err == nil != x.ok {
				t.Errorf("%s: %v", name, err)
			}
		}
		save(t, files.ClientCA, other.pem()) // the authority is replaced: what it signed, and sessions from before, end
		time.Sleep(lookEvery)
		if _, err := shake(c, mine); err == nil {
			t.Error("a certificate of the authority from before still counts")
		}
		if _, err := shake(c, foreign); err != nil {
			t.Errorf("one of the new authority: %v", err)
		}
		old := client(other)
		old.MaxVersion = tls.VersionTLS11
		if _, err := shake(c, old); err == nil {
			t.Error("TLS 1.1 is spoken")
		}
	})
}

func TestACertificateThatCannotBeUsedSaysWhy(t *testing.T) {
	ca, dir := newAuthority(t, "ca"), t.TempDir()
	cert, key := ca.issue(t, "server", time.Hour)
	_, otherKey := ca.issue(t, "other", time.Hour)
	at := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		save(t, path, text)
		return path
	}
	c, k := at("c.pem", cert), at("k.pem", key)
	for name, x := range map[string]struct {
		files settings.TLS
		want  string
	}{
		"no file":        {settings.TLS{Cert: filepath.Join(dir, "none.pem"), Key: k}, "none.pem: no such file"},
		"a directory":    {settings.TLS{Cert: c, Key: dir}, "server.tls.key: "},
		"another key":    {settings.TLS{Cert: c, Key: at("o.pem", otherKey)}, "private key does not match public key"},
		"swapped":        {settings.TLS{Cert: k, Key: c}, "can't be used"},
		"empty":          {settings.TLS{Cert: at("e.pem", nil), Key: k}, "can't be used"},
		"no authorities": {settings.TLS{Cert: c, Key: k, ClientCA: k}, "has no certificate"},
	} {
		_, err := LoadCertificate(x.files, slog.New(slog.DiscardHandler))
		var e *Error
		if !errors.As(err, &e) || !e.File || e.Hint == "" || !strings.Contains(e.Msg, x.want) || strings.Contains(e.Msg, "PRIVATE") {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
