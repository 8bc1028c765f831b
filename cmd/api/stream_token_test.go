package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api/access"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks/taskstest"
)

// TestAStreamEndsWithItsToken: a stream by TCP ends when its token is revoked or expires, whether or not there is something to send. Others go on.
func TestAStreamEndsWithItsToken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	token := func(name string) access.Token {
		return access.Token{Name: name, Hash: access.HashOf(name), Rights: rights(t, "read")}
	}
	expiring := token("expiring")
	expiring.Expires = time.Now().Add(time.Second)
	tokens := access.NewTokens()
	tokens.Set(access.File, []access.Token{token("revoked"), expiring, token("stays")})
	s, stop := taskstest.OpenStore(t, filepath.Join(t.TempDir(), "evrun.db"), sqlite.Options{})
	defer stop()
	bus := events.NewBus()
	server := NewServer(Options{Store: s, Log: quiet(), MaxData: 1000, Tokens: tokens, Daemon: &Daemon{Bus: bus, Commits: events.NewFeed[store.Commit]()}})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.ServeTCP(l, nil) })
	defer serving.Wait()
	defer server.Close(context.Background())
	open := func(token string) *bufio.Reader {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(res.Body)
		for line := ""; !strings.HasPrefix(line, "event: head"); {
			if line, err = in.ReadString('\n'); err == io.EOF && token == expiring.Name { // on a slow machine it is over by now
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return in
	}
	revoked, expired, stays := open("revoked"), open("expiring"), open("stays")
	tokens.Set(access.File, []access.Token{expiring, token("stays")})
	for name, in := range map[string]*bufio.Reader{"revoked": revoked, "expired": expired} {
		if _, err := io.Copy(io.Discard, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bus.Publish([]*events.Event{{Sequence: 1, ID: "x", Source: "/x", Type: "a.b"}})
	for line := ""; !strings.HasPrefix(line, "event: event"); {
		if line, err = stays.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}
