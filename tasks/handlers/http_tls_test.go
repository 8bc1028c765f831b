package handlers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/tasks/fault"
)

// authority issues certificates in a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

// issue makes a certificate; the first one signs itself.
func (a *authority) issue(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), c.NotAfter.Add(-24*time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made, key
}

// pair returns a certificate and its key as PEM.
func (a *authority) pair(name string, ends time.Time) (cert, key []byte) {
	a.t.Helper()
	c, k := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: ends,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return asPEM("CERTIFICATE", c.Raw), asPEM("PRIVATE KEY", der)
}

func (a *authority) pem() []byte { return asPEM("CERTIFICATE", a.cert.Raw) }

func asPEM(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

// secure is a TLS server with a certificate of a. With clients, it asks for one of that authority. It answers with the name in it.
func (a *authority) secure(clients *authority) *httptest.Server {
	a.t.Helper()
	cert, key := a.pair("server", time.Now().Add(time.Hour))
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			w.Write([]byte(r.TLS.PeerCertificates[0].Subject.CommonName))
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	if clients != nil {
		pool := x509.NewCertPool()
		pool.AddCert(clients.cert)
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return server
}

// put writes files into a directory.
func put(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAuthorityOfOnesOwnIsTrustedAlone(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.pem": ours.pem()})
	for _, test := range []struct {
		with map[string]any
		of   *authority
		want string
	}{
		{map[string]any{"ca": "ca.pem"}, ours, ""},
		{map[string]any{"ca": filepath.Join(dir, "ca.pem")}, ours, ""},
		{map[string]any{"ca": "ca.pem"}, others, "unknown authority"},
		{map[string]any{}, ours, "unknown authority; if the server is yours, name the certificate of its authority with ca"},
	} {
		test.with["url"] = test.of.secure(nil).URL
		_, err := request(t, test.with, Deps{BaseDir: dir}).Do(context.Background(), delivery(`{}`))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || isPermanentError(err)) {
			t.Errorf("%v: %v, want %q", test.with, err, test.want)
		}
	}
}

func TestAClientCertificateIsShownAndRenewedWithoutAReload(t *testing.T) {
	a := newAuthority(t, "ours")
	server, dir := a.secure(a), t.TempDir()
	cert, key := a.pair("first", time.Now().Add(time.Hour))
	put(t, dir, map[string][]byte{"ca.pem": a.pem(), "client.pem": cert, "client.key": key, "both.pem": append(bytes.Clone(cert), key...)})
	inputs := func() map[string]any {
		return map[string]any{"url": server.URL, "ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
	}
	shown := func(h *httpRequest) any {
		t.Helper()
		answer, err := h.Do(context.Background(), delivery(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		return answer.(map[string]any)["body"]
	}
	both := inputs()
	both["cert"] = "both.pem"
	delete(both, "key")
	if got := shown(request(t, both, Deps{BaseDir: dir})); got != "first" {
		t.Errorf("the file with both showed %v", got)
	}

	h := request(t, inputs(), Deps{BaseDir: dir})
	if got := shown(h); got != "first" {
		t.Errorf("showed %v", got)
	}
	before := h.way.Transport
	if shown(h); h.way.Transport != before {
		t.Error("the connections were given up, though no file had changed")
	}
	// A renewal writes one file after the other: until both are there, the old pair stays in use.
	cert, key = a.pair("renewed", time.Now().Add(2*time.Hour))
	put(t, dir, map[string][]byte{"client.new": cert})
	if err := os.Rename(filepath.Join(dir, "client.new"), filepath.Join(dir, "client.pem")); err != nil {
		t.Fatal(err)
	}
	if got := shown(h); got != "first" {
		t.Errorf("showed %v with half of the renewal", got)
	}
	put(t, dir, map[string][]byte{"key.new": key})
	if err := os.Rename(filepath.Join(dir, "key.new"), filepath.Join(dir, "client.key")); err != nil {
		t.Fatal(err)
	}
	if got := shown(h); got != "renewed" {
		t.Errorf("showed %v after the renewal", got)
	}

	// Without one, the server refuses.
	without := inputs()
	delete(without, "cert")
	delete(without, "key")
	if _, err := request(t, without, Deps{BaseDir: dir}).Do(context.Background(), delivery(`{}`)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestWrongCertificatesAreFoundWhenTheFileIsRead(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	cert, key := a.pair("client", time.Now().Add(time.Hour))
	_, other := a.pair("other", time.Now().Add(time.Hour))
	put(t, dir, map[string][]byte{
		"ca.pem": a.pem(), "cert.pem": cert, "key.pem": key, "other.pem": other, "empty.pem": nil, "bad.pem": asPEM("CERTIFICATE", []byte("x")),
		"encrypted.pem": asPEM("ENCRYPTED PRIVATE KEY", []byte("x")), "writable.pem": a.pem(),
	})
	if err := os.Chmod(filepath.Join(dir, "writable.pem"), 0o666); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		with map[string]any
		path string
		msg  string
	}{
		{map[string]any{"ca": "none.pem"}, "ca", at("none.pem") + ": no such file or directory"},
		{map[string]any{"ca": "."}, "ca", "not a regular file"},
		{map[string]any{"ca": "empty.pem"}, "ca", "there is no certificate in it"},
		{map[string]any{"ca": "key.pem"}, "ca", "there is no certificate in it"},
		{map[string]any{"ca": "bad.pem"}, "ca", "certificate 1 in it can't be read: x509: malformed certificate"},
		{map[string]any{"ca": "writable.pem"}, "ca", at("writable.pem") + ": "},
		{map[string]any{"ca": "${ data.x }.pem"}, "ca", "ca is constant"},
		{map[string]any{"key": "key.pem"}, "key", "there is no certificate to this key"},
		{map[string]any{"cert": "cert.pem"}, "cert", "there is no private key in it"},
		{map[string]any{"cert": "cert.pem", "key": "ca.pem"}, "key", "there is no private key in it"},
		{map[string]any{"cert": "cert.pem", "key": "other.pem"}, "key", "the private key is not that of the certificate"},
		{map[string]any{"cert": "cert.pem", "key": "encrypted.pem"}, "key", "the private key is encrypted"},
	} {
		test.with["url"] = "https://example.com"
		_, faults := Build("http", test.with, Deps{BaseDir: dir})
		if len(faults) != 1 || fault.Path(faults[0].Path) != test.path || !strings.Contains(faults[0].Message, test.msg) {
			t.Errorf("%v: %v, want %s at %s", test.with, faults, test.msg, test.path)
		}
	}
}

func TestACertificateThatIsUsedUncheckedIsNoted(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	put(t, dir, map[string][]byte{"ca.pem": a.pem()})
	if err := os.Chmod(filepath.Join(dir, "ca.pem"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EVRUN_TRUST_FILES", "1")
	for kind, with := range map[string]map[string]any{
		"http":   {"url": "https://example.com", "ca": "ca.pem"},
		"notify": {"url": "generic+https://example.com/hook", "message": "m", "ca": "ca.pem"},
	} {
		var notes []string
		_, faults := Build(kind, with, Deps{BaseDir: dir, Note: func(text string) { notes = append(notes, text) }})
		if len(faults) > 0 || len(notes) != 1 || !strings.Contains(notes[0], "ca.pem: the file can be written by every user") {
			t.Errorf("%s: %v, %q", kind, faults, notes)
		}
	}
}

func TestWhatIsWrongWithCertificatesAtATimeIsADoubt(t *testing.T) {
	a := newAuthority(t, "ours")
	dir := t.TempDir()
	cert, key := a.pair("client", time.Now().Add(time.Hour))
	put(t, dir, map[string][]byte{"ca.pem": a.pem(), "cert.pem": cert, "key.pem": key})
	h := request(t, map[string]any{"url": "https://example.com", "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}, Deps{BaseDir: dir})
	if err := os.Chmod(filepath.Join(dir, "key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	open := request(t, map[string]any{"url": "https://example.com", "cert": "cert.pem", "key": "key.pem"}, Deps{BaseDir: dir})
	for _, test := range []struct {
		h    *httpRequest
		at   time.Time
		want string
	}{
		{h, time.Now().Add(-30 * 24 * time.Hour), "cert: the client certificate is valid from"},
		{h, time.Now(), "cert: the client certificate expires on"},
		{h, time.Now().Add(48 * time.Hour), "cert: the client certificate has expired on … ca: its certificates have expired"},
		{open, time.Now().Add(-30 * 24 * time.Hour), "… key: everybody can read the private key"},
	} {
		var got strings.Builder
		for _, f := range Doubts(test.h, test.at, nil) {
			got.WriteString(fault.Path(f.Path) + ": " + f.Message + "\n")
		}
		for part := range strings.SplitSeq(test.want, "… ") {
			if !strings.Contains(got.String(), part) {
				t.Errorf("%v: %s, want %s", test.at, got.String(), part)
			}
		}
	}
}
