package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"evrun/cmd/api/access"
	"evrun/tasks/emitter"
)

// gated runs a server behind the gate. send sends bytes on a connection of its own, and returns the statuses of the answers until the server closes it.
func gated(t *testing.T, tokens ...access.Token) (send func(raw string) []int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set := access.NewTokens()
	set.Set(access.File, tokens)
	j := &journal{}
	s := NewServer(Options{Store: j, Emitter: emitter.New(j, 1000), Log: quiet(), MaxData: 1000, Tokens: set})
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.ServeTCP(l, nil) })
	t.Cleanup(func() {
		_ = s.Close(context.Background())
		serving.Wait()
	})
	return func(raw string) (statuses []int) {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, raw); err != nil {
			return nil // it was closed before the end
		}
		_ = c.(*net.TCPConn).CloseWrite()
		for in := bufio.NewReader(c); ; {
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				return statuses
			}
			_, _ = io.Copy(io.Discard, res.Body)
			statuses = append(statuses, res.StatusCode)
		}
	}
}

// TestMalformedRequestsDoNotPassTheGate: whatever two readers could understand differently is refused, or answered as the gate has understood it.
func TestMalformedRequestsDoNotPassTheGate(t *testing.T) {
	const get, valid = "GET /v1/openapi.json HTTP/1.1\r\n", "Host: localhost\r\nAuthorization: Bearer secret\r\n"
	const post, smuggled = "POST /v1/explain HTTP/1.1\r\n" + valid, "GET /v1/openapi.json HTTP/1.1\r\n" + "Host: localhost\r\n\r\n"
	send := gated(t, access.Token{Name: "ci", Hash: access.HashOf("secret"), Rights: rights(t, "read")})
	for name, x := range map[string]struct {
		raw  string
		want []int // of the first answer; a second one must be 401. 0: closed without an answer
	}{
		"a request as it should be":     {get + valid + "\r\n", []int{200}},
		"without a token":               {get + "Host: localhost\r\n\r\n", []int{401}},
		"two headers Host":              {get + valid + "Host: evil.example\r\n\r\n", []int{400}},
		"two headers Host, foreign one": {get + "Host: evil.example\r\n" + valid + "\r\n", []int{400}},
		"no Host":                       {get + "Authorization: Bearer secret\r\n\r\n", []int{400}},
		"no Host in HTTP/1.0":           {"GET /v1/openapi.json HTTP/1.0\r\nAuthorization: Bearer secret\r\n\r\n", []int{421}},
		"a foreign host in the URL":     {"GET http://evil.example/v1/openapi.json HTTP/1.1\r\n" + valid + "\r\n", []int{421}},
		"Host with a blank before it":   {get + "Host : localhost\r\nAuthorization: Bearer secret\r\n\r\n", []int{400}},
		// net/http reads the chunks, as RFC 9112 lets it: what follows them is a request of its own, which needs a token of its own.
		"a length and chunks":            {post + "Content-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{415}},
		"two lengths":                    {post + "Content-Length: 0\r\nContent-Length: 40\r\n\r\n" + smuggled, []int{400}},
		"a length with a sign":           {post + "Content-Length: +0\r\n\r\n" + smuggled, []int{400}},
		"chunks under another name":      {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, []int{501, 400}},
		"chunks and identity":            {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + smuggled, []int{501, 400}},
		"a body for GET, a request":      {get + valid + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(smuggled)) + smuggled, []int{200}},
		"CONNECT":                        {"CONNECT localhost:443 HTTP/1.1\r\n" + valid + "\r\n", []int{404, 405}},
		"CONNECT without a token":        {"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n", []int{401}},
		"CONNECT to elsewhere":           {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", []int{421}},
		"OPTIONS for the whole server":   {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{401}},
		"OPTIONS, and a foreign host":    {"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", []int{421}},
		"TRACE":                          {"TRACE /v1/openapi.json HTTP/1.1\r\n" + valid + "\r\n", []int{404, 405}},
		"a method in small letters":      {"get /v1/openapi.json HTTP/1.1\r\n" + valid + "\r\n", []int{404, 405}},
		"the preface of HTTP/2":          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{421}},
		"HTTP/0.9":                       {"GET /v1/openapi.json\r\n\r\n", []int{400}},
		"HTTP/3.0":                       {"GET /v1/openapi.json HTTP/3.0\r\n" + valid + "\r\n", []int{505}},
		"a header of 80 KB":              {get + valid + "X: " + strings.Repeat("x", 80_000) + "\r\n\r\n", []int{431, 0}},
		"a token of 40 KB":               {get + "Host: localhost\r\nAuthorization: Bearer " + strings.Repeat("x", 40_000) + "\r\n\r\n", []int{401}},
		"lines that end with LF":         {strings.ReplaceAll(get+valid+"\r\n", "\r\n", "\n"), []int{200}},
		"CR in the token":                {get + "Host: localhost\r\nAuthorization: Bearer sec\rret\r\n\r\n", []int{400}},
		"NUL in the token":               {get + "Host: localhost\r\nAuthorization: Bearer secret\x00\r\n\r\n", []int{400, 401}},
		"a folded line before the token": {get + "Host: localhost\r\nX: a\r\n Authorization: Bearer secret\r\n\r\n", []int{401}},
		"a folded wrong token":           {get + "Host: localhost\r\nAuthorization: Bearer\r\n wrong\r\n\r\n", []int{401}},
		"a token folded in two":          {get + "Host: localhost\r\nAuthorization: Bearer sec\r\n ret\r\n\r\n", []int{401}},
		// net/http joins a folded line with one blank, which gives the header that is meant. The token must be valid all the same, and a proxy that reads the line
		// otherwise sends it on without a token, so that nothing is gained by it.
		"a valid token on a folded line": {get + "Host: localhost\r\nAuthorization: Bearer\r\n secret\r\n\r\n", []int{200}},
	} {
		got := send(x.raw)
		if len(got) == 0 {
			got = []int{0}
		}
		if !slices.Contains(x.want, got[0]) || slices.ContainsFunc(got[1:], func(status int) bool { return status != http.StatusUnauthorized }) {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

// TestAValidTokenPassesAfterWrongOnes: who has guessed too often must wait, and a valid token from the same address passes at once.
func TestAValidTokenPassesAfterWrongOnes(t *testing.T) {
	send := gated(t, access.Token{Name: "ci", Hash: access.HashOf("secret"), Rights: rights(t, "read")})
	ask := func(token string) string {
		return "GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	}
	var got []int
	for _, token := range slices.Concat(slices.Repeat([]string{"guess"}, 25), []string{"secret", "guess"}) {
		got = append(got, send(ask(token))...)
	}
	if len(got) != 27 || got[0] != http.StatusUnauthorized || got[24] != http.StatusTooManyRequests || got[25] != http.StatusOK || got[26] != http.StatusTooManyRequests {
		t.Errorf("%v", got)
	}
}
