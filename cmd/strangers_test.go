package cmd_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/events"
)

// TestStrangersOnThePort: while strangers fill the TCP port with connections that send nothing, garbage, half requests, handshakes and guesses, every event that comes by
// the socket is accepted, and a stop waits for none of them. When they are gone, the port answers.
func TestStrangersOnThePort(t *testing.T) {
	t.Parallel()
	dir := wired(t, `
server: {listen: "127.0.0.1:0", max_connections: 60, max_streams: 50}
log: {level: error}
handlers: [{name: note, on: a.b, do: log, with: {message: x}}]
`)
	d := serve(t, dir, nil)
	d.ready(t)
	url, token := d.tcp(t)
	addr := strings.TrimPrefix(url, "http://")
	emit := func(n int) time.Duration {
		began := time.Now()
		for range n {
			if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/test"}); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began) / time.Duration(n)
	}
	const each = 150
	alone := emit(each)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var strangers sync.WaitGroup
	var tried, answered atomic.Int64
	for i := range 40 {
		strangers.Go(func() {
			for ctx.Err() == nil {
				tried.Add(1)
				if bother(ctx, addr, i%8) {
					answered.Add(1)
				}
			}
		})
	}
	for range 80 { // they hold the port for as long as it lets them
		strangers.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				end := context.AfterFunc(ctx, func() { c.Close() })
				_, _ = io.Copy(io.Discard, c)
				end()
				c.Close()
			}
		})
	}
	beside := emit(each)
	var metrics string
	eventuallyTrue(t, "strangers are refused", func() (bool, string) {
		metrics, _ = run(t, dir, "status", "-o", "json")
		return !strings.Contains(metrics, `"refused":0`), metrics
	})
	t.Logf("an event by the socket takes %v, and %v beside %d tries of strangers, of which %d were answered", alone, beside, tried.Load(), answered.Load())
	stop()
	strangers.Wait()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/status", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	eventuallyTrue(t, "the port answers again", func() (bool, string) {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err.Error()
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK, res.Status
	})
	http.DefaultClient.CloseIdleConnections()
	for range 30 { // half a request, at the moment of the stop
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: ")
	}
	d.stop(t)
}

// bother is what a stranger does once. It reports whether there was an answer.
func bother(ctx context.Context, addr string, how int) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	defer context.AfterFunc(ctx, func() { c.Close() })()
	switch how {
	case 0:
		garbage := make([]byte, 2000)
		for i := range garbage {
			garbage[i] = byte(rand.Uint32())
		}
		_, _ = c.Write(garbage)
	case 1:
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) == nil
	case 2:
		fmt.Fprint(c, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
	case 3:
		fmt.Fprintf(c, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer evr_%d\r\n\r\n", rand.Uint64())
	case 4:
		fmt.Fprint(c, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n{")
	case 5:
		fmt.Fprint(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+strings.Repeat("\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 100))
	case 6:
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"+strings.Repeat("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 50)) // and does not read
		return false
	case 7:
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: evil.example\r\nX: "+strings.Repeat("x", 100_000)+"\r\n\r\n")
	}
	n, _ := c.Read(make([]byte, 100))
	return n > 0
}
