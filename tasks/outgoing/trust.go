package outgoing

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"evrun/store/files"
	"evrun/tasks/fault"
)

// trust is whose servers are trusted, and the certificate to show them, from files. A file that has changed, as at the renewal of a certificate, is
// read at the next request. One that can't be read then, such as a half-written one, is logged, and the certificates before it stay in use.
type trust struct {
	ca, cert, key string // absolute; empty: none
	ownKey        bool   // key is another file than cert

	mu     sync.Mutex
	seen   [3]fs.FileInfo
	config *tls.Config
	failed string // what was logged last

	authorities []*x509.Certificate
	own         *x509.Certificate
}

// now returns the settings that the files make.
func (t *trust) now(log *slog.Logger) *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if same(t.seen, t.look()) {
		return t.config
	}
	switch wrong := t.load(func(note string) { log.Warn(note) }); {
	case wrong == nil:
		t.failed = ""
	case wrong.Message != t.failed:
		t.failed = wrong.Message
		log.Warn("a changed certificate can't be used; the one before it stays in use", "file", t.file(fmt.Sprint(wrong.Path[0])), "error", wrong.Message)
	}
	return t.config
}

// read reads the files for the first time.
func (t *trust) read(note func(text string)) *fault.Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.load(note)
}

func (t *trust) file(input string) string {
	return map[string]string{"ca": t.ca, "cert": t.cert, "key": t.key}[input]
}

// look returns the files as they are.
func (t *trust) look() (now [3]fs.FileInfo) {
	for i, path := range []string{t.ca, t.cert, t.key} {
		if path != "" {
			now[i], _ = os.Stat(path)
		}
	}
	return now
}

// same reports whether files are unchanged. One that is missing for a moment, while it is replaced, is not a change.
func same(before, now [3]fs.FileInfo) bool {
	for i, b := range before {
		n := now[i]
		if n != nil && (b == nil || !os.SameFile(b, n) || b.Size() != n.Size() || !b.ModTime().Equal(n.ModTime())) {
			return false
		}
	}
	return true
}

// load reads the files. After a fault, nothing of t has changed but what was seen.
func (t *trust) load(note func(text string)) *fault.Fault {
	t.seen = t.look() // before they are read: a change meanwhile is seen the next time
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	var authorities []*x509.Certificate
	if t.ca != "" {
		text, wrong := readPEM("ca", t.ca, note)
		if wrong != nil {
			return wrong
		}
		if authorities, wrong = certificates("ca", text); wrong != nil {
			return wrong
		}
		config.RootCAs = x509.NewCertPool()
		for _, c := range authorities {
			config.RootCAs.AddCert(c)
		}
	}
	var own *x509.Certificate
	if t.cert != "" {
		pair, wrong := t.pair(note)
		if wrong != nil {
			return wrong
		}
		own = pair.Leaf
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	t.config, t.authorities, t.own = config, authorities, own
	return nil
}

// pair reads the client certificate and its key.
func (t *trust) pair(note func(text string)) (*tls.Certificate, *fault.Fault) {
	cert, wrong := readPEM("cert", t.cert, note)
	if wrong != nil {
		return nil, wrong
	}
	if _, wrong := certificates("cert", cert); wrong != nil {
		return nil, wrong
	}
	key, input := cert, "cert"
	if t.ownKey {
		input = "key"
		if key, wrong = readPEM(input, t.key, note); wrong != nil {
			return nil, wrong
		}
	}
	refuse := func(hint, format string, args ...any) *fault.Fault {
		return &fault.Fault{Path: []any{input}, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	if !strings.Contains(string(key), "PRIVATE KEY-----") {
		hint := "its PEM begins with -----BEGIN PRIVATE KEY-----"
		if !t.ownKey {
			hint = "name the file that has it with key"
		}
		return nil, refuse(hint, "there is no private key in it")
	}
	if strings.Contains(string(key), "ENCRYPTED") {
		return nil, refuse("openssl pkey -in FILE -out NEW-FILE decrypts it; protect it by its mode", "the private key is encrypted, and nobody can be asked for its password")
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return nil, refuse("", "the private key is not that of the certificate")
	case err != nil:
		return nil, refuse("", "the private key can't be read: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &pair, nil
}

// maxPEM bounds a file of certificates: that of all public authorities has 220 KiB.
const maxPEM = 4 << 20

// readPEM reads a file, which nobody else may change: who can chooses whom evrun trusts. A check of that which was turned off is passed to note.
func readPEM(input, path string, note func(text string)) ([]byte, *fault.Fault) {
	refuse := func(err error) *fault.Fault {
		hint := ""
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		if untrusted, ok := errors.AsType[*files.Error](err); ok {
			return &fault.Fault{Path: []any{input}, Message: untrusted.Path + ": " + untrusted.Msg, Hint: untrusted.Hint}
		}
		if errors.Is(err, fs.ErrPermission) {
			hint = "evrun's user must be able to read it"
		}
		return &fault.Fault{Path: []any{input}, Message: fmt.Sprintf("%s: %v", path, err), Hint: hint}
	}
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, refuse(err)
	}
	defer f.Close()
	unchecked, err := files.Trusted(path, true)
	if err != nil {
		return nil, refuse(err)
	}
	if unchecked != "" && note != nil {
		note(unchecked)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, refuse(err)
	}
	if info.Size() > maxPEM {
		return nil, refuse(fmt.Errorf("it has %d bytes, more than a file of certificates", info.Size()))
	}
	text := make([]byte, info.Size())
	n, err := f.ReadAt(text, 0)
	if n < len(text) {
		return nil, refuse(err)
	}
	return text, nil
}

// certificates returns the certificates in the text of a PEM file.
func certificates(input string, text []byte) ([]*x509.Certificate, *fault.Fault) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &fault.Fault{Path: []any{input}, Message: fmt.Sprintf("certificate %d in it can't be read: %v", len(list)+1, err)}
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, &fault.Fault{Path: []any{input}, Message: "there is no certificate in it", Hint: "its PEM begins with -----BEGIN CERTIFICATE-----; openssl x509 -inform der -in FILE makes it of a binary one"}
	}
	return list, nil
}

// soon is how long before the end of a certificate it is reported.
const soon = 7 * 24 * time.Hour

func (t *trust) doubts(at time.Time) (list []*fault.Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const day = "2006-01-02 15:04 MST"
	if c := t.own; c != nil {
		switch {
		case at.After(c.NotAfter):
			list = append(list, fault.At([]any{"cert"}, "the client certificate has expired on %s", c.NotAfter.UTC().Format(day)).Hinting("replace the file: the next request uses the new one"))
		case at.Before(c.NotBefore):
			list = append(list, fault.At([]any{"cert"}, "the client certificate is valid from %s on", c.NotBefore.UTC().Format(day)).Hinting("is the clock right?"))
		case at.Add(soon).After(c.NotAfter):
			list = append(list, fault.At([]any{"cert"}, "the client certificate expires on %s", c.NotAfter.UTC().Format(day)).Hinting("replace the file: the next request uses the new one"))
		}
	}
	if key := t.seen[2]; key != nil && runtime.GOOS != "windows" && key.Mode().Perm()&0o004 != 0 {
		input := "cert"
		if t.ownKey {
			input = "key"
		}
		list = append(list, fault.At([]any{input}, "everybody can read the private key").Hinting("chmod 600 %s", t.key))
	}
	expired := 0
	var last time.Time
	for _, c := range t.authorities {
		if at.After(c.NotAfter) {
			expired++
			last = c.NotAfter
		}
	}
	if expired > 0 && expired == len(t.authorities) {
		list = append(list, fault.At([]any{"ca"}, "its certificates have expired, the last on %s: no server is trusted", last.UTC().Format(day)).Hinting("replace the file: the next request uses the new one"))
	}
	return list
}
