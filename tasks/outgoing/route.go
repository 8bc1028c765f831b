package outgoing

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Route has the inputs of a kind that say how its requests reach their servers.
type Route struct {
	Proxy *expression.Template `key:"proxy" doc:"The proxy that requests go through: http://host:port, https:// or socks5://, with a user and a password if it needs them. environment: what HTTP_PROXY, HTTPS_PROXY and NO_PROXY of evrun's environment say. Left out, none, whatever the environment says."`
	CA    string               `key:"ca" doc:"A PEM file with the certificate authorities that may vouch for a server, in place of the system's. A file is relative to that of the wiring; when it changes, the next request uses it as it is then."`
	Cert  string               `key:"cert" doc:"A PEM file with the client certificate that servers may ask for, followed by those that vouch for it."`
	Key   string               `key:"key" doc:"The PEM file with the private key of cert. Default the same file."`

	proxy  func(*http.Request) (*url.URL, error) // nil: none
	trust  *trust                                // nil: the system's certificates, and none of ours
	socket string                                // absolute; empty: none
}

// fromEnvironment is the proxy of evrun's environment.
const fromEnvironment = "environment"

// Load checks the inputs, and reads the files, unless the secrets are sealed. Relative paths begin at dir. note is called for each check of a file that was turned off; nil: not called.
func (r *Route) Load(dir string, secrets *expression.Secrets, note func(text string)) []*fault.Fault {
	faults := r.readProxy(secrets)
	paths := map[string]string{"ca": r.CA, "cert": r.Cert, "key": r.Key}
	for _, name := range []string{"ca", "cert", "key"} {
		text, f := Path(name, paths[name], dir)
		if f != nil {
			faults = append(faults, f)
		}
		paths[name] = text
	}
	if len(faults) > 0 || r.CA+r.Cert+r.Key == "" {
		return faults
	}
	if r.Key != "" && r.Cert == "" {
		return append(faults, &fault.Fault{Path: []any{"key"}, Key: true, Message: "there is no certificate to this key", Hint: "name its file with cert"})
	}
	if r.Key == "" {
		paths["key"] = paths["cert"]
	}
	if secrets.Sealed() {
		return faults
	}
	t := &trust{ca: paths["ca"], cert: paths["cert"], key: paths["key"], ownKey: r.Key != ""}
	if wrong := t.read(note); wrong != nil {
		return append(faults, wrong)
	}
	r.trust = t
	return faults
}

// Path makes the path of an input absolute. It is constant.
func Path(name, text, dir string) (string, *fault.Fault) {
	text = strings.ReplaceAll(text, "$${", "\x00")
	switch {
	case strings.Contains(text, "${"):
		return "", &fault.Fault{Path: []any{name}, Offset: strings.Index(text, "${"), Message: fmt.Sprintf("%s is constant: no ${ … } can stand in it", name), Hint: "write the path out"}
	case text == "":
		return "", nil
	}
	if text = strings.ReplaceAll(text, "\x00", "${"); !filepath.IsAbs(text) {
		text = filepath.Join(dir, text)
	}
	return text, nil
}

// readProxy checks the proxy. An event can't choose it.
func (r *Route) readProxy(secrets *expression.Secrets) []*fault.Fault {
	if r.Proxy == nil {
		return nil
	}
	wrong := func(err error) []*fault.Fault { return []*fault.Fault{fault.Of(err).Within("proxy")} }
	text, constant := r.Proxy.Constant()
	switch {
	case text == fromEnvironment:
		r.proxy = http.ProxyFromEnvironment
		return nil
	case len(r.Proxy.OfEvent("x")) > 0:
		return wrong(fault.New("an event can't choose the proxy").Hinting(`write it out, or take it from env("NAME") or file("PATH")`))
	case constant:
		u, err := parseProxy(text)
		if err != nil {
			return wrong(err)
		}
		if password, ok := u.User.Password(); ok {
			secrets.Add(password)
		}
		r.proxy = http.ProxyURL(u)
		return nil
	}
	r.proxy = func(*http.Request) (*url.URL, error) {
		text, err := r.Proxy.Text(&expression.Env{})
		if err != nil {
			return nil, &proxyError{err}
		}
		u, err := parseProxy(text)
		if err != nil {
			return nil, &proxyError{err}
		}
		return u, nil
	}
	return nil
}

// proxyError is why there is no proxy to go through.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return "proxy: " + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// parseProxy accepts the url of a proxy. Its errors show at most the scheme.
func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case !strings.Contains(text, "://"):
		return nil, fault.New("it has no scheme").Hinting("such as http://proxy.example.com:3128 or socks5://127.0.0.1:1080, or write environment")
	case err != nil:
		return nil, fault.New("it is not a valid url").Hinting("the characters : / ? # %% @ in a password are written as %%3A, %%2F and so on")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return nil, fault.New("a proxy is http, https or socks5, not %s", fault.Quote(u.Scheme))
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.New("there is something after its host").Hinting("a proxy is a scheme, a host and a port")
	}
	return u, nil
}

// Through sets the unix socket that all requests go to, an absolute path.
func (r *Route) Through(socket string) { r.socket = socket }

// Proxied reports whether requests may go through a proxy.
func (r *Route) Proxied() bool { return r.proxy != nil }

// tls returns the settings of connections as the files are now; nil for those of the system.
func (r *Route) tls(log *slog.Logger) *tls.Config {
	if r == nil || r.trust == nil {
		return nil
	}
	return r.trust.now(log)
}

// Doubts returns what is no fault of the file, and yet wrong with the certificates at a time: they have expired, or will within a week. A path
// leads to the input.
func (r *Route) Doubts(at time.Time) []*fault.Fault {
	if r.trust == nil {
		return nil
	}
	return r.trust.doubts(at)
}
