package handlers

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"evrun/tasks/outgoing"
)

func TestHTTPFollowsRedirectsToTheSameHostOnly(t *testing.T) {
	elsewhere, gotElsewhere := recorder(t, nil)
	for _, test := range []struct {
		method string
		status int
		to     string
		ok     bool
		hops   int
	}{
		{"POST", 307, "/next", true, 2}, {"POST", 308, "/next", true, 2}, {"GET", 301, "/next", true, 2}, {"GET", 302, "/next", true, 2}, {"GET", 303, "/next", true, 2},
		{"POST", 301, "/next", false, 1}, {"POST", 302, "/next", false, 1}, {"POST", 303, "/next", false, 1}, {"PUT", 302, "/next", false, 1},
		{"POST", 307, elsewhere.URL, false, 1}, {"GET", 302, elsewhere.URL, false, 1},
		{"GET", 302, "http://169.254.169.254/latest/meta-data/", false, 1}, {"GET", 302, "//127.0.0.1:1/", false, 1},
		{"GET", 302, "ftp://127.0.0.1/", false, 1}, {"GET", 302, "file:///etc/passwd", false, 1},
		{"POST", 307, "/around", false, 6},
	} {
		server, got := recorder(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/next" {
				return
			}
			w.Header().Set("Location", test.to)
			w.WriteHeader(test.status)
		})
		_, err := request(t, map[string]any{"url": server.URL + "/", "method": test.method}, Deps{}).Do(context.Background(), delivery(`{"a":1}`))
		requests := got()
		if (err == nil) != test.ok || len(requests) != test.hops || !test.ok && !isPermanentError(err) {
			t.Errorf("%s, %d to %s: %v after %d requests", test.method, test.status, test.to, err, len(requests))
		}
		last := requests[len(requests)-1]
		if last.method != test.method || last.header.Get("Idempotency-Key") != "7-h-abcdefgh" || test.method == "POST" && last.body != `{"a":1}` {
			t.Errorf("%d: the last request is %+v", test.status, last)
		}
	}
	if list := gotElsewhere(); list != nil {
		t.Errorf("%+v went elsewhere", list)
	}
}

func TestHTTPNeverGoesFromHTTPSToHTTP(t *testing.T) {
	for _, test := range []struct {
		from, to string
		follow   bool
	}{
		{"https://example.com/", "http://example.com/", false}, {"https://example.com:80/", "http://example.com:80/", false},
		{"http://example.com/", "https://example.com/", true}, {"http://example.com:8080/", "https://example.com/", false},
		{"https://example.com/", "https://EXAMPLE.com:443/x", true}, {"https://example.com/", "https://example.com:444/x", false},
		{"https://example.com/", "https://example.com.evil.org/", false}, {"https://example.com/", "https://user@example.com/", false},
	} {
		from, _ := http.NewRequest(http.MethodGet, test.from, nil)
		to, _ := http.NewRequest(http.MethodGet, test.to, nil)
		if err := outgoing.SameHost(to, []*http.Request{from}); (err == nil) != test.follow {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}

func TestHTTPNamesThePathOfARedirect(t *testing.T) {
	server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/log%20in?token=secret")
		w.WriteHeader(http.StatusFound)
	})
	_, err := request(t, map[string]any{"url": server.URL + "/in"}, Deps{}).Do(context.Background(), delivery(`{}`))
	if err == nil || !strings.Contains(err.Error(), `302 Found, a redirect to "`+server.URL+`/log%20in" that is not followed`) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
