package outgoing

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// A value can only fill its place in a url: it is escaped in the path and the query, and in the host it may have the characters of
// a host only. So a value can't change where a request goes, except for the part that the file leaves to it. A ${ … } at the
// beginning of a url is not escaped: it is a url itself.

// BuildURL evaluates a url. Its errors are permanent, and show at most the host.
func BuildURL(t *expression.Template, env *expression.Env) (*url.URL, error) {
	var inPath []int // where values of the path begin
	text, err := t.Expand(env, func(p expression.Piece) (string, error) {
		switch PlaceIn(p.Before) {
		case InHost:
			return p.Value, checkHostPart(p.Value)
		case InPath:
			inPath = append(inPath, len(p.Before))
			return url.PathEscape(p.Value), nil
		case InQuery:
			return url.QueryEscape(p.Value), nil
		}
		return p.Value, CheckScheme(p)
	})
	if err != nil {
		return nil, err
	}
	u, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	for _, at := range inPath {
		if err := CheckSegment(text, at); err != nil {
			return nil, err
		}
	}
	if host, ok := LiteralHost(t); ok && !strings.EqualFold(u.Host, host) {
		return nil, fmt.Errorf("it leads to %s, but the file says %s", fault.Quote(u.Host), host)
	}
	return u, nil
}

// CheckScheme checks a value in the place of a scheme. It may be a whole url only if the file does not continue with a host.
func CheckScheme(p expression.Piece) error {
	alone := p.Before == "" && !strings.HasPrefix(p.After, ":")
	if alone || !p.OfEvent {
		return nil
	}
	for _, r := range p.Value {
		if !Alphanumeric(r) && r != '+' {
			return fmt.Errorf("the value %s can't be in a scheme: it has a %q in it", fault.Quote(p.Value), r)
		}
	}
	if p.Value == "" {
		return errors.New("the value of its scheme is empty")
	}
	return nil
}

// Place is a part of a url.
type Place int

const (
	InScheme Place = iota // before the host: the scheme at most
	InHost                // host and port
	InPath
	InQuery // or the fragment
)

// PlaceIn returns the part of a url in which the text so far ends.
func PlaceIn(before string) Place {
	_, rest, ok := strings.Cut(before, "://")
	if !ok {
		return InScheme
	}
	switch i := strings.IndexAny(rest, `/?#\`); {
	case i < 0:
		return InHost
	case strings.ContainsAny(rest[i:], "?#"):
		return InQuery
	}
	return InPath
}

// checkHostPart accepts the characters of hosts and ports only, so that a value can't end the host. Names beyond ASCII must be
// written as xn--….
func checkHostPart(value string) error {
	for _, r := range value {
		if !Alphanumeric(r) && !strings.ContainsRune("-._:[]", r) {
			return fmt.Errorf("the value %s can't be in a host: it has a %q in it", fault.Quote(value), r)
		}
	}
	return nil
}

// Alphanumeric reports whether r is a letter or a digit of ASCII.
func Alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// CheckSegment checks the segment of the path that has a value at this place. An empty segment probably means a missing value, and
// "DELETE /users/" is not "DELETE /users/7"; dots would lead to another path.
func CheckSegment(text string, at int) error {
	start := strings.LastIndexByte(text[:at], '/') + 1
	segment := text[start:]
	if i := strings.IndexAny(segment, "/?#"); i >= 0 {
		segment = segment[:i]
	}
	if plain, err := url.PathUnescape(segment); err == nil {
		segment = plain
	}
	switch segment {
	case "":
		return errors.New("a value in its path is empty")
	case ".", "..":
		return fmt.Errorf("a value in its path makes it %q, which leads elsewhere", segment)
	}
	return nil
}

// parseURL accepts http and https urls without a user and with an unambiguous host.
func parseURL(text string) (*url.URL, error) {
	for _, r := range text {
		if r <= ' ' || r == 0x7f || r == '\\' {
			return nil, fmt.Errorf("it has a %q in it", r)
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) { // its text has the url
			err = e.Err
		}
		if strings.Contains(text, "@") {
			err = ErrUserinfo // the library's error may show it
		}
		return nil, err
	}
	switch {
	case u.Scheme == "" || u.Opaque != "" && !strings.HasPrefix(u.Scheme, "http"):
		return nil, errNoScheme
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme must be http or https, not %s", fault.Quote(u.Scheme))
	case u.User != nil:
		return nil, ErrUserinfo
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	}
	return u, checkHost(u)
}

var errNoScheme = errors.New("it must begin with http:// or https://")

// ErrUserinfo refuses user:password@ in a url.
var ErrUserinfo = errors.New(
	`it has a user name or a password in it: put them in headers, as in Authorization: 'Basic ${ toBase64("user:" + env("PASSWORD")) }'`)

// checkHost refuses hosts that are an address to some programs and a name to others: 127.1, 2130706433, 0x7f.1, 0177.0.0.1. A name
// whose last part is a number can't exist (RFC 3696, WHATWG URL "ends in a number").
func checkHost(u *url.URL) error {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return fmt.Errorf("%s is not an IPv6 address", fault.Quote(host))
		}
		return nil
	}
	name := strings.TrimSuffix(host, ".")
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	number := strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
	if number {
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("%s is not a valid host: an address has four decimal numbers", fault.Quote(host))
		}
	}
	for _, r := range host {
		if r < 0x80 && !Alphanumeric(r) && !strings.ContainsRune("-._", r) {
			return fmt.Errorf("%s is not a valid host: it has a %q in it", fault.Quote(host), r)
		}
	}
	return nil
}

// LiteralHost returns the host and port of a url if they are constant.
func LiteralHost(t *expression.Template) (string, bool) {
	base, ok := literalBase(t)
	if !ok {
		return "", false
	}
	u, err := parseURL(base)
	if err != nil {
		return "", false
	}
	return u.Host, true
}

// literalBase returns the scheme, host and port of a url if they are constant.
func literalBase(t *expression.Template) (string, bool) {
	prefix := t.Prefix()
	scheme, rest, ok := strings.Cut(prefix, "://")
	i := strings.IndexAny(rest, `/?#\`)
	if _, constant := t.Constant(); constant && i < 0 {
		i = len(rest)
	}
	if !ok || i < 0 {
		return "", false
	}
	return scheme + "://" + rest[:i], true
}

// CheckURL checks the constant beginning of a url.
func CheckURL(t *expression.Template) error {
	prefix := t.Prefix()
	_, rest, _ := strings.Cut(t.Outline("x"), "://")
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, "@") {
		return ErrUserinfo // for all values
	}
	if _, constant := t.Constant(); constant {
		_, err := parseURL(prefix)
		return err
	}
	if base, ok := literalBase(t); ok {
		_, err := parseURL(base)
		return err
	}
	if scheme, _, ok := strings.Cut(prefix, "://"); ok {
		_, err := parseURL(scheme + "://host")
		return err
	}
	if !strings.HasPrefix("https://", prefix) && !strings.HasPrefix("http://", prefix) {
		return errNoScheme
	}
	return nil
}
