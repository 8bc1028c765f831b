package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"sync"

	"evrun/cmd/api"
	"evrun/cmd/api/ndjson"
	"evrun/tasks/trace"
)

// lineConn carries lines to a server, and its answers back.
type lineConn struct {
	w       io.WriteCloser // Close ends the lines
	answers func() (io.ReadCloser, error)
	abort   func() // ends both directions at once

	mu    sync.Mutex
	ended bool // by mu
}

// send writes whole lines.
func (c *lineConn) send(text []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return ErrBroke
	}
	if _, err := c.w.Write(text); err != nil {
		return fmt.Errorf("%w (%w)", ErrBroke, err)
	}
	return nil
}

// end ends the lines.
func (c *lineConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		_ = c.w.Close() // the reader of the answers gets the error
	}
}

// openLines begins a POST of NDJSON whose answers are read while it is sent.
func (c *Client) openLines(ctx context.Context, path string, from trace.Context) (*lineConn, error) {
	if c.dial == nil {
		return c.pipeLines(ctx, path, from), nil
	}
	return c.dialLines(ctx, path, from)
}

// dialLines sends lines over a connection of their own, since [http.Transport] discards the answers that have arrived when
// the rest can't be sent.
func (c *Client) dialLines(ctx context.Context, path string, from trace.Context) (*lineConn, error) {
	conn, err := c.dial(ctx)
	if Nobody(err) {
		return nil, api.ErrNoDaemon
	}
	if err != nil {
		return nil, err
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: evrun\r\n", path)
	header := http.Header{"Content-Type": {ndjson.Type}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"}}
	from.SetIn(header)
	c.joining(header)
	_ = header.Write(&head) // a write to a buffer can't fail
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &lineConn{
		w:     &chunkedBody{conn: conn, w: httputil.NewChunkedWriter(conn)},
		abort: func() { _ = conn.Close() },
		answers: func() (io.ReadCloser, error) {
			res, err := http.ReadResponse(bufio.NewReaderSize(conn, 64<<10), nil) //nolint:bodyclose // Close would wait for the end: abort closes the connection
			if err != nil {
				return nil, fmt.Errorf("%w (%w)", ErrBroke, err)
			}
			return io.NopCloser(res.Body), c.accept(res)
		},
	}, nil
}

// pipeLines sends lines to a server in this process. The end of ctx does not end it, but abort does.
func (c *Client) pipeLines(ctx context.Context, path string, from trace.Context) *lineConn {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	lines, w := io.Pipe()
	return &lineConn{
		w: w,
		answers: func() (io.ReadCloser, error) {
			res, err := c.do(ctx, http.MethodPost, path, body{ndjson.Type, lines}, traced(from)...)
			if err != nil {
				return nil, err
			}
			return res.Body, nil
		},
		abort: func() {
			_ = lines.Close()
			cancel()
		},
	}
}

// chunkedBody is a request body of unknown length.
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

// traced are the headers of a request with a trace context, each name with its value.
func traced(from trace.Context) (headers []string) {
	h := http.Header{}
	from.SetIn(h)
	for name, values := range h {
		headers = append(headers, name, values[0])
	}
	return headers
}
