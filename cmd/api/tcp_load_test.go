package api

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"evrun/cmd/api/access"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

// bothDoors is a server with a socket and a TCP port, whose only tokens are "all" and "guest".
type bothDoors struct {
	*Server
	tokens      *access.Tokens
	socket, tcp net.Listener
}

func openDoors(t *testing.T, o Options) *bothDoors {
	t.Helper()
	d := &bothDoors{tokens: access.NewTokens()}
	d.tokens.Set(access.File, []access.Token{{Name: "all", Hash: access.HashOf("all"), Rights: rights(t, "admin")}, {Name: "guest", Hash: access.HashOf("guest"), Rights: rights(t, "operate", "emit")}})
	dir := t.TempDir()
	s, stop := taskstest.OpenStore(t, filepath.Join(dir, "evrun.db"), sqlite.Options{})
	t.Cleanup(stop)
	o.Store, o.Log, o.Tokens, o.MaxData = s, quiet(), d.tokens, 1<<20
	o.Emitter, o.Daemon = emitter.New(s, 1<<20), &Daemon{Bus: events.NewBus(), Commits: events.NewFeed[store.Commit]()}
	d.Server = NewServer(o)
	var err error
	if d.socket, err = net.Listen("unix", filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	if d.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = d.Serve(d.socket) })
	serving.Go(func() { _ = d.ServeTCP(d.tcp, nil) })
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = d.Close(context.Background()) })
	return d
}

// send begins a request; what follows its headers is body.
func (d *bothDoors) send(t *testing.T, l net.Listener, token, request, headers, body string) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n%s", request, token, headers, body); err != nil {
		t.Fatal(err)
	}
	return c
}

// headOf reads the head of an answer.
func headOf(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Tokens that hold all streams and bodies of lines by TCP leave some to the socket.
func TestTokensLeavePlacesToTheSocket(t *testing.T) {
	for _, x := range []struct{ name, request, headers string }{
		{"streams", "GET /v1/stream", ""},
		{"lines", "POST /v1/events", "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"},
		{"users", "POST /v1/users", "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			d, line := openDoors(t, Options{MaxStreams: 10}), ""
			if x.headers != "" {
				line = "2\r\n1\n\r\n" // is refused, and so answered at once
			}
			for range 9 {
				if res := headOf(t, d.send(t, d.tcp, "guest", x.request, x.headers, line)); res.StatusCode != http.StatusOK {
					t.Fatal("the first ones:", res.Status)
				}
			}
			if res := headOf(t, d.send(t, d.tcp, "guest", x.request, x.headers, line)); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
				t.Error("one more by TCP:", res.Status)
			}
			if res := headOf(t, d.send(t, d.socket, "", x.request, x.headers, line)); res.StatusCode != http.StatusOK {
				t.Error("by the socket:", res.Status)
			}
		})
	}
}

// Large bodies by TCP have a bounded memory, compressed ones too, and not that of the socket.
func TestLargeBodiesByTCPHaveTheirMemory(t *testing.T) {
	batch := `[{"specversion":"1.0","id":"1","source":"/x","type":"a.b","data":"` + strings.Repeat("x", 900_000) + `"},
		{"specversion":"1.0","id":"2","source":"/x","type":"a.b","data":"` + strings.Repeat("y", 900_000) + `"}]`
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = z.Write([]byte(batch))
	_ = z.Close()
	plain := fmt.Sprintf("Content-Type: application/cloudevents-batch+json\r\nContent-Length: %d\r\n", len(batch))
	zipped := fmt.Sprintf("Content-Type: application/cloudevents-batch+json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n", small.Len())

	d := openDoors(t, Options{})
	d.bodies[1].Most = 3 << 20 / 2
	for headers, body := range map[string]string{plain: batch, zipped: small.String()} {
		if res := headOf(t, d.send(t, d.tcp, "guest", "POST /v1/events", headers, body)); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Error("more than there is memory for:", res.Status)
		}
	}
	if res := headOf(t, d.send(t, d.tcp, "guest", "POST /v1/events/a.b", "Content-Type: application/json\r\nContent-Length: 2\r\n", "{}")); res.StatusCode != http.StatusAccepted {
		t.Error("a small event:", res.Status)
	}
	if res := headOf(t, d.send(t, d.socket, "", "POST /v1/events", zipped, small.String())); res.StatusCode != http.StatusAccepted {
		t.Error("by the socket:", res.Status)
	}

	// Who announces much and sends little takes nothing, and what is answered gives its memory back.
	d = openDoors(t, Options{})
	d.bodies[1].Most = 2 << 20
	for range 20 {
		d.send(t, d.tcp, "guest", "POST /v1/events", plain, "[")
	}
	for _, status := range []int{http.StatusAccepted, http.StatusOK, http.StatusOK} {
		if res := headOf(t, d.send(t, d.tcp, "guest", "POST /v1/events", zipped, small.String())); res.StatusCode != status {
			t.Error("a compressed batch:", res.Status)
		}
	}
}
