package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"evrun/events"
)

// ErrNoDaemon: nothing listens on the socket.
var ErrNoDaemon = errors.New("no daemon is running")

// Client talks to the daemon over its socket. Safe for concurrent use.
type Client struct {
	// RunToken is the secret of the attempt in whose run's name the client publishes, ASCII letters and digits; empty: in none.
	RunToken string
	// RunEnded is for what may outlive that attempt: what is published after its end is in no run, and RunEnded is called. nil: it
	// is refused.
	RunEnded func()

	http *http.Client
	dial func(context.Context) (net.Conn, error)
}

// NewClient makes a client for the daemon at a socket path. It does not connect yet. It talks to a daemon of root's or of this user's,
// or of the owner of one of these files: the wiring file that names the socket, and its store.
func NewClient(socket string, owned ...string) *Client {
	dial := dialer(socket, owned)
	return &Client{dial: dial, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

// CloseIdleConnections ends the connections that wait for the next request.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// do sends a request. An answer that isn't 2xx comes back as a *[Problem], no connection as [ErrNoDaemon] or a
// *[ConnectError].
func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://evrun"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.RunToken != "" && method == http.MethodPost {
		req.Header.Set(RunTokenHeader, c.RunToken)
		if c.RunEnded != nil {
			req.Header.Set(RunLeftHeader, "true")
		}
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
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
	case res.StatusCode/100 == 2:
		c.tellEnded(res)
		return res, nil
	}
	return nil, problemIn(res)
}

func (c *Client) tellEnded(res *http.Response) {
	if c.RunEnded != nil && res.Header.Get(RunEndedHeader) != "" {
		c.RunEnded()
	}
}

// nobody says whether nothing listens on the socket.
func nobody(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// problemIn reads an answer that isn't 2xx.
func problemIn(res *http.Response) *Problem {
	defer res.Body.Close()
	p := &Problem{Status: res.StatusCode, Title: res.Status}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(p); err != nil {
		p.Detail = res.Status
	}
	return p
}

// Ping asks whether a daemon is there and ready: nil, [ErrNoDaemon], or a *[Problem].
func (c *Client) Ping(ctx context.Context) error {
	res, err := c.do(ctx, http.MethodGet, "/readyz", "", nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Emit publishes one event.
func (c *Client) Emit(ctx context.Context, e *events.Event) (Receipt, error) {
	var rc Receipt
	body, err := e.MarshalJSON()
	if err != nil {
		return rc, err
	}
	res, err := c.do(ctx, http.MethodPost, "/v1/events", "application/cloudevents+json", bytes.NewReader(body))
	if err != nil {
		return rc, err
	}
	defer res.Body.Close()
	return rc, json.NewDecoder(res.Body).Decode(&rc)
}

// openLines begins a POST of NDJSON whose answers are read while it is sent. It has a connection of its own, since
// [http.Transport] gives up the answers that are there already when the rest can't be sent.
func (c *Client) openLines(ctx context.Context, d LineDefaults) (*lineConn, error) {
	conn, err := c.dial(ctx)
	if nobody(err) {
		return nil, ErrNoDaemon
	}
	if err != nil {
		return nil, err
	}
	q := url.Values{"source": {d.Source}, "id": {d.ID}, "line": {strconv.Itoa(max(d.First, 1))}}
	token := ""
	if c.RunToken != "" {
		token = RunTokenHeader + ": " + c.RunToken + "\r\n"
		if c.RunEnded != nil {
			token += RunLeftHeader + ": true\r\n"
		}
	}
	if _, err := fmt.Fprintf(conn, "POST /v1/events?%s HTTP/1.1\r\nHost: evrun\r\nContent-Type: application/x-ndjson\r\n"+
		"Transfer-Encoding: chunked\r\nConnection: close\r\n%s\r\n", q.Encode(), token); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &lineConn{
		w:     &chunkedBody{conn: conn, w: httputil.NewChunkedWriter(conn)},
		abort: func() { _ = conn.Close() },
		answers: func() (io.Reader, error) {
			res, err := http.ReadResponse(bufio.NewReaderSize(conn, 64<<10), nil)
			if err != nil {
				return nil, fmt.Errorf("%w (%w)", ErrBroke, err)
			}
			if res.StatusCode/100 != 2 {
				return nil, problemIn(res)
			}
			c.tellEnded(res)
			return res.Body, nil
		},
	}, nil
}

// chunkedBody is a request body whose length isn't known.
type chunkedBody struct {
	conn io.Writer
	w    io.WriteCloser
}

func (b *chunkedBody) Write(p []byte) (int, error) { return b.w.Write(p) }

func (b *chunkedBody) Close() error {
	if err := b.w.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(b.conn, "\r\n")
	return err
}

// ErrBroke: the daemon ended its answer before it was complete. An event that was acknowledged stays so.
var ErrBroke = errors.New("the daemon stopped before everything was done")

// EmitWait publishes one event and follows what it causes for at most wait. accepted is called with the receipt, each
// with every event and run, as JSON. After the receipt, the error can be [ErrBroke].
func (c *Client) EmitWait(ctx context.Context, e *events.Event, wait time.Duration, accepted func(Receipt) error,
	each func(kind string, body json.RawMessage) error) (End, error) {
	body, err := e.MarshalJSON()
	if err != nil {
		return End{}, err
	}
	return c.follow(ctx, "/v1/events", "application/cloudevents+json", body, wait, accepted, each)
}

// follow posts what publishes one event, and follows what that causes.
func (c *Client) follow(ctx context.Context, path, contentType string, body []byte, wait time.Duration, accepted func(Receipt) error,
	each func(kind string, body json.RawMessage) error) (end End, err error) {
	res, err := c.do(ctx, http.MethodPost, path+"?wait="+url.QueryEscape(wait.String()), contentType, bytes.NewReader(body))
	if err != nil {
		return end, err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var line map[string]json.RawMessage
		if err := dec.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return end, ctx.Err()
			}
			return end, ErrBroke
		}
		for kind, body := range line {
			switch kind {
			case "receipt":
				var rc Receipt
				if err := events.DecodeJSON(body, &rc); err != nil {
					return end, err
				}
				if err := accepted(rc); err != nil || rc.Duplicate {
					return End{Matched: true}, err
				}
			case "end":
				return end, events.DecodeJSON(body, &end)
			default:
				if err := each(kind, body); err != nil {
					return end, err
				}
			}
		}
	}
}

// StreamQuery says what to stream, and from where: after a sequence if Resume, else as Last and Since say.
type StreamQuery struct {
	Patterns []string
	Runs     bool
	Resume   bool
	After    int64
	Last     int // the last so many, first
	Since    time.Time
}

// Stream follows the daemon's events, and runs, until the connection ends; each gets the kind and its JSON: "event", "run",
// "gap", and "head", which has the seq from which on the stream can be resumed, and comes before all others. ready is called once the daemon has answered.
func (c *Client) Stream(ctx context.Context, q StreamQuery, ready func() error, each func(kind string, body []byte) error) error {
	v := url.Values{"type": q.Patterns}
	var header []string
	if q.Runs {
		v.Set("runs", "1")
	}
	switch {
	case q.Resume:
		header = []string{"Last-Event-ID", strconv.FormatInt(q.After, 10)}
	case !q.Since.IsZero():
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	case q.Last > 0:
		v.Set("last", "1")
		v.Set("limit", strconv.Itoa(q.Last))
	}
	res, err := c.do(ctx, http.MethodGet, "/v1/stream?"+v.Encode(), "", nil, header...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := ready(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(res.Body, 64<<10)
	kind := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w (%w)", ErrBroke, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = name
		} else if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := each(kind, []byte(data)); err != nil {
				return err
			}
		}
	}
}
