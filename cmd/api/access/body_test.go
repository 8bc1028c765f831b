package access

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestARequestEndsWithItsToken: a token that is revoked ends a read of the body that waits, and a handler that waits for anything else. What comes then on the same
// connection, with another token, is not ended with it.
func TestARequestEndsWithItsToken(t *testing.T) {
	tokens := NewTokens()
	all := func(names ...string) {
		var list []Token
		for _, name := range names {
			list = append(list, token(t, name, name, "operate"))
		}
		tokens.Set(File, list)
	}
	begun, ended := make(chan bool), make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /read", func(_ http.ResponseWriter, r *http.Request) {
		_, err := r.Body.Read(make([]byte, 1))
		begun <- err == nil
		_, err = io.ReadAll(r.Body)
		ended <- err
	})
	mux.HandleFunc("POST /wait", func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		begun <- err == nil
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	gate := New(Options{Tokens: tokens, Log: slog.New(slog.DiscardHandler), Client: func(*http.Request) netip.Addr { return netip.Addr{} },
		Refuse: func(w http.ResponseWriter, _ *http.Request, no Refused) { w.WriteHeader(no.Status) }})
	server := httptest.NewServer(gate.Handler(mux, map[string]Rule{"POST /read": {Right: Operate}, "POST /wait": {Right: Operate}, "GET /alive": {Right: Read}}, mux))
	defer server.Close()
	for path, length := range map[string]int{"/read": 100, "/wait": 1} {
		all("goes", "stays")
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer goes\r\nContent-Length: %d\r\n\r\nx", path, length)
		if !<-begun {
			t.Fatalf("%s: the body is not read", path)
		}
		all("stays")
		if err := <-ended; err == nil {
			t.Errorf("%s goes on", path)
		}
		in := bufio.NewReader(c)
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK || path == "/read" && !res.Close {
			t.Fatalf("%s: %+v, %v", path, res, err)
		}
		if path == "/read" { // what was not read of the body could be taken for a request: the connection ends
			continue
		}
		fmt.Fprint(c, "GET /alive HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer stays\r\n\r\n")
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("the next request: %+v, %v", res, err)
		}
	}
}
