package outgoing

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// StatusError makes an error of a response with an unexpected status, with the beginning of its body. Secrets are removed before
// the body is cut: a part of a secret would not be recognised.
func StatusError(resp *http.Response, body []byte, secrets *expression.Secrets) error {
	words, _ := redirectWords(resp)
	return statusError(resp, words, body, secrets)
}

// StatusError is the function StatusError, whose error also says why a redirect was not followed, or which input follows it.
func (w *Way) StatusError(resp *http.Response, body []byte, secrets *expression.Secrets) error {
	return statusError(resp, w.redirectWords(resp), body, secrets)
}

func statusError(resp *http.Response, redirect string, body []byte, secrets *expression.Secrets) error {
	text := resp.Status + redirect
	if said := beginning(secrets.Redact(string(body))); said != "" && redirect == "" {
		text += ": " + fault.Quote(said)
	}
	return classify(resp, errors.New(text))
}

// redirectWords says where a redirect leads that was not followed; ok is false, and the words empty, for another answer.
func redirectWords(resp *http.Response) (words string, ok bool) {
	to, err := resp.Location()
	if err != nil || resp.StatusCode >= 400 {
		return "", false
	}
	return fmt.Sprintf(", a redirect to %s that is not followed", fault.Quote(to.Scheme+"://"+to.Host+to.EscapedPath())), true
}

// beginning returns the first kilobyte of a text, on one line.
func beginning(text string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(text[:min(len(text), 1000)], "")), " ")
}

// classify marks the error of a response: as permanent, or with the delay that the server asks for.
func classify(resp *http.Response, err error) error {
	if !WorthARetry(resp.StatusCode) {
		return tasks.Permanent(err)
	}
	if after := RetryAfter(resp.Header); after > 0 {
		return tasks.RetryAfter(after, err)
	}
	return err
}

// WorthARetry reports whether a status is temporary.
func WorthARetry(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// maxRetryAfter is the longest delay that a server can ask for, should its date be wrong.
const maxRetryAfter = time.Hour

// RetryAfter reads the header Retry-After of an answer: seconds, or a date, which is compared with the server's own. It is an hour at most; 0: the
// server asks for nothing.
func RetryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// RequestError removes the url, which may contain tokens, from an error of an http.Client. An error of the guard, or of the proxy's url, is permanent.
func RequestError(err error) error {
	var refused *PrivateError
	var proxy *proxyError
	var e *url.Error
	switch {
	case errors.As(err, &refused):
		return tasks.Permanent(refused)
	case errors.As(err, &proxy):
		return tasks.Permanent(proxy)
	case errors.As(err, &e):
		err = e.Err
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil {
		return fmt.Errorf("%w; if the server is yours, name the certificate of its authority with ca", err)
	}
	return err
}

// Redacted removes secrets from the text of an error. errors.Is and errors.As still see the original.
func Redacted(secrets *expression.Secrets, err error) error {
	text := err.Error()
	if clean := secrets.Redact(text); clean != text {
		return &redactedError{clean, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }
