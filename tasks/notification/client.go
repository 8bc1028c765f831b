package notification

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"evrun/tasks/expression"
	"evrun/tasks/outgoing"
)

// client is the HTTP client of one attempt. It records how the last request failed: the library's errors say less, and some
// of its services ignore a 503. After a failure of the service or the network it refuses further requests: the runner retries.
type client struct {
	ctx     context.Context
	way     *outgoing.Way
	key     string // the idempotency key, for webhooks that get one request
	offline bool   // refuse all requests
	secrets *expression.Secrets

	mu       sync.Mutex
	requests int
	failure  error // of the last request; nil: success
	ended    bool  // refuse further requests
}

var errOffline = errors.New("nothing is sent while a file is checked")

func (c *client) asked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests > 0
}

// Do implements types.HTTPClient.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	switch {
	case c.offline:
		return nil, errOffline
	case c.ended:
		return nil, c.failure
	}
	req = req.Clone(c.ctx)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "evrun")
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	resp, err := c.way.Client().Do(req)
	if err != nil {
		return nil, c.failed(outgoing.RequestError(err), true)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, outgoing.MaxAnswer))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case resp.StatusCode < 300 && err == nil:
		c.failure = nil
	case resp.StatusCode >= 300:
		_ = c.failed(outgoing.StatusError(resp, body, c.secrets), outgoing.WorthARetry(resp.StatusCode))
	default:
		return nil, c.failed(err, true)
	}
	return resp, nil
}

func (c *client) failed(err error, end bool) error {
	c.failure, c.ended = err, end
	return err
}

// partsOf returns the parts of a service's url as secrets, because any may be a token: with host, the host too.
func partsOf(text string, host bool) *expression.Secrets {
	var parts expression.Secrets
	u, err := url.Parse(text)
	if err != nil {
		return &parts
	}
	parts.Add(text)
	add := func(s string) {
		parts.Add(s)
		parts.Add(url.QueryEscape(s))
		parts.Add(url.PathEscape(s))
	}
	password, _ := u.User.Password()
	add(password)
	add(u.User.Username())
	add(u.Fragment)
	for segment := range strings.SplitSeq(u.Path, "/") {
		add(segment)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	if host {
		add(u.Hostname())
	}
	return &parts
}
