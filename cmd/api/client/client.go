// Package client sends requests to evrun's HTTP API. The commands call it, and the tests of what serves the API.
//
// A [Client] does not know what answers: a daemon, over its socket ([New]), or a server in this process ([InProcess]) where no daemon runs.
// Errors are an [*api.Problem], [api.ErrNoDaemon], a [*ConnectError] or [ErrBroke]. The shapes of requests and answers are those of package
// api; the methods for a resource are in the file with its name there.
//
//	c := client.New(socket, wiringFile, store)
//	receipt, err := c.Emit(ctx, event)
//	page, info, err := c.Events(ctx, search.Selection{Types: []string{"order.*"}}, api.Paging{Limit: 20})
//
// Goroutines: a request in process has one, which its answer's Close waits for. [Client.EmitLines] has one that sends; it ends once its read
// has returned.
package client

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

	"evrun/cmd/api"
	"evrun/cmd/api/peer"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
)

// Client sends requests to the daemon, over its socket, or to a server in this process ([InProcess]). Safe for concurrent use.
type Client struct {
	// RunToken is the secret of the attempt for whose run the client publishes, in ASCII letters and digits; empty: for none.
	RunToken string
	// RunEnded is for a client that may outlive that attempt. An event that it publishes after the attempt's end belongs to no run, and
	// RunEnded is called. nil: such an event is refused.
	RunEnded func()

	http *http.Client
	dial func(context.Context) (net.Conn, error) // nil: in process
}

// New makes a client for the daemon at a socket path. It does not connect yet. It trusts a daemon whose process belongs to root, to
// this user, or to the owner of one of these files: the wiring file that names the socket, and its store.
func New(socket string, owned ...string) *Client {
	dial := dialer(socket, owned)
	return &Client{dial: dial, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

// CloseIdleConnections closes the connections that wait for the next request.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// body is the body of a request; the zero value is none.
type body struct {
	contentType string
	from        io.Reader
}

// do sends a request. The error is a *[api.Problem] for an answer that isn't 2xx, and [api.ErrNoDaemon] or a *[ConnectError] if there is no
// connection.
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
	if method == http.MethodPost && publishes(path) {
		c.joining(req.Header)
	}
	var refused *ConnectError
	res, err := c.http.Do(req)
	switch {
	case Nobody(err):
		return nil, api.ErrNoDaemon
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

// publishes reports whether a POST publishes events, which belong to the run of [Client.RunToken].
func publishes(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return strings.HasPrefix(path, "/v1/events") || path == "/v1/replay" || strings.HasSuffix(path, "/fire") || strings.HasSuffix(path, "/backfill") || strings.HasSuffix(path, "/edit")
}

// joining sets the headers of a request that publishes for a run.
func (c *Client) joining(h http.Header) {
	if c.RunToken == "" {
		return
	}
	h.Set(api.RunTokenHeader, c.RunToken)
	if c.RunEnded != nil {
		h.Set(api.RunLeftHeader, "true")
	}
}

// accept makes an answer that isn't 2xx a *[api.Problem].
func (c *Client) accept(res *http.Response) error {
	if res.StatusCode/100 != 2 {
		return problemIn(res)
	}
	if c.RunEnded != nil && res.Header.Get(api.RunEndedHeader) != "" {
		c.RunEnded()
	}
	return nil
}

// Nobody reports whether an error of dialling means that no process listens on the socket.
func Nobody(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, peer.ErrRefused)
}

// problemIn reads an answer that isn't 2xx.
func problemIn(res *http.Response) *api.Problem {
	defer res.Body.Close()
	if b, ok := res.Body.(*answerBody); ok && b.w.problem != nil {
		return b.w.problem // with its cause
	}
	p := &api.Problem{Status: res.StatusCode, Title: res.Status}
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

// post sends a value in JSON and decodes the answer.
func post[T any](ctx context.Context, c *Client, path string, v any) (answer T, _ error) {
	send, err := jsonBody(v)
	if err != nil {
		return answer, err
	}
	return request[T](ctx, c, http.MethodPost, path, send)
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

// jsonBody is a value in JSON.
func jsonBody(v any) (body, error) {
	text, err := events.MarshalJSON(v)
	return body{"application/json", bytes.NewReader(text)}, err
}

// notFound is the error of a name that no thing can be asked for by: its path is that of another route.
func notFound(kind, name string) error {
	return shape.ProblemOf(fmt.Errorf("%s %q: %w", kind, name, store.ErrNotFound))
}

// segment makes a name one segment of a path.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E") // net/http would resolve it as a part of the path
	}
	return url.PathEscape(name)
}

// Ping asks whether a daemon runs and is ready: nil, [api.ErrNoDaemon], or a *[api.Problem].
func (c *Client) Ping(ctx context.Context) error {
	return c.tell(ctx, http.MethodGet, "/readyz")
}

// Emit publishes one event. The receipt says whether a handler is wired to it.
func (c *Client) Emit(ctx context.Context, e *events.Event) (api.Receipt, error) {
	send, err := eventBody(e)
	if err != nil {
		return api.Receipt{}, err
	}
	return request[api.Receipt](ctx, c, http.MethodPost, "/v1/events?matches=true", send)
}

// set sets a parameter that is not empty.
func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}
