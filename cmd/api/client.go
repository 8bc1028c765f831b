package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"evrun/events"
)

// ErrNoDaemon: nothing listens on the socket.
var ErrNoDaemon = errors.New("no daemon is running")

// Client asks the daemon, over its socket; or, made by [Server.InProcess], a server in this process. Safe for concurrent use.
type Client struct {
	// RunToken is the secret of the attempt in whose run's name the client publishes, ASCII letters and digits; empty: in none.
	RunToken string
	// RunEnded is for what may outlive that attempt: what is published after its end is in no run, and RunEnded is called. nil: it
	// is refused.
	RunEnded func()

	http *http.Client
	dial func(context.Context) (net.Conn, error) // nil: in process
}

// NewClient makes a client for the daemon at a socket path. It does not connect yet. It accepts a daemon of root's or of this
// user's, or of the owner of one of these files: the wiring file that names the socket, and its store.
func NewClient(socket string, owned ...string) *Client {
	dial := dialer(socket, owned)
	return &Client{dial: dial, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

// CloseIdleConnections ends the connections that wait for the next request.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// body is what a request sends; the zero value is nothing.
type body struct {
	contentType string
	from        io.Reader
}

// do sends a request. An answer that isn't 2xx comes back as a *[Problem], no connection as [ErrNoDaemon] or a
// *[ConnectError].
func (c *Client) do(ctx context.Context, method, path string, send body, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://evrun"+path, send.from)
	if err != nil {
		return nil, err
	}
	if send.contentType != "" {
		req.Header.Set("Content-Type", send.contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if method == http.MethodPost {
		c.joining(req.Header)
	}
	var refused *ConnectError
	res, err := c.http.Do(req)
	switch {
	case nobody(err):
		return nil, ErrNoDaemon
	case errors.As(err, &refused):
		return nil, refused // without the request
	case err != nil:
		return nil, err
	}
	if err := c.accept(res); err != nil {
		return nil, err
	}
	return res, nil
}

// joining sets the headers of a request that publishes in a run's name.
func (c *Client) joining(h http.Header) {
	if c.RunToken == "" {
		return
	}
	h.Set(RunTokenHeader, c.RunToken)
	if c.RunEnded != nil {
		h.Set(RunLeftHeader, "true")
	}
}

// accept makes an answer that isn't 2xx a *[Problem].
func (c *Client) accept(res *http.Response) error {
	if res.StatusCode/100 != 2 {
		return problemIn(res)
	}
	if c.RunEnded != nil && res.Header.Get(RunEndedHeader) != "" {
		c.RunEnded()
	}
	return nil
}

// nobody says whether nothing listens on the socket.
func nobody(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// problemIn reads an answer that isn't 2xx.
func problemIn(res *http.Response) *Problem {
	defer res.Body.Close()
	if b, ok := res.Body.(*answerBody); ok && b.w.problem != nil {
		return b.w.problem // with its cause
	}
	p := &Problem{Status: res.StatusCode, Title: res.Status}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(p); err != nil {
		p.Detail = res.Status
	}
	return p
}

// request sends a request and decodes its answer. Whole numbers in it stay exact.
func request[T any](ctx context.Context, c *Client, method, path string, send body) (answer T, _ error) {
	res, err := c.do(ctx, method, path, send)
	if err != nil {
		return answer, err
	}
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		return answer, fmt.Errorf("the daemon's answer: %w", err)
	}
	return answer, nil
}

// tell sends a request whose answer is not read.
func (c *Client) tell(ctx context.Context, method, path string) error {
	res, err := c.do(ctx, method, path, body{})
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// eventBody is an event in CloudEvents' structured mode.
func eventBody(e *events.Event) (body, error) {
	text, err := e.MarshalJSON()
	return body{"application/cloudevents+json", bytes.NewReader(text)}, err
}

// segment makes a name one segment of a path.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E") // else it is the path's own
	}
	return url.PathEscape(name)
}

// Ping asks whether a daemon runs and is ready: nil, [ErrNoDaemon], or a *[Problem].
func (c *Client) Ping(ctx context.Context) error {
	return c.tell(ctx, http.MethodGet, "/readyz")
}

// Emit publishes one event.
func (c *Client) Emit(ctx context.Context, e *events.Event) (Receipt, error) {
	send, err := eventBody(e)
	if err != nil {
		return Receipt{}, err
	}
	return request[Receipt](ctx, c, http.MethodPost, "/v1/events", send)
}
