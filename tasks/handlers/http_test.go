package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// request builds an http action whose idle connections end with the test.
func request(t testing.TB, with map[string]any, deps Deps) *httpRequest {
	t.Helper()
	h := build[*httpRequest](t, "http", with, deps)
	t.Cleanup(h.transport.CloseIdleConnections)
	return h
}

// seen is a request as a server got it.
type seen struct {
	method, uri string
	header      http.Header
	body        string
}

// recorder is a server that keeps what it is asked and answers with reply; nil: 200 and nothing.
func recorder(t testing.TB, reply http.HandlerFunc) (*httptest.Server, func() []seen) {
	requests := make(chan seen, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- seen{r.Method, r.RequestURI, r.Header, string(body)}
		if reply != nil {
			reply(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server, func() []seen {
		var list []seen
		for range len(requests) {
			list = append(list, <-requests)
		}
		return list
	}
}

// isPermanentError says whether an error is marked as permanent, which only package tasks can see.
func isPermanentError(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if reflect.TypeOf(err) == reflect.TypeOf(tasks.Permanent(io.EOF)) {
			return true
		}
	}
	return false
}

func TestHTTPSendsTheEvent(t *testing.T) {
	server, got := recorder(t, nil)
	d := delivery(`{"name":"Ada"}`)
	d.Event.Subject, d.Event.Time = "a \"ü\" 100%", time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	d.Event.CorrelationID, d.Event.CausationID, d.Event.Chain, d.Event.Hops = "c0", "c1", 3, 2
	d.Event.Extensions = map[string]any{"tenant": "x\r\ny", "sequence": "0007", "n": int64(3), "ok": true}
	if _, err := request(t, map[string]any{"url": server.URL + "/in"}, Deps{}).Do(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	r := got()[0]
	for name, want := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "e1", "Ce-Source": "/test", "Ce-Type": "user.registered", "Ce-Subject": "a%20%22%C3%BC%22%20100%25",
		"Ce-Time": "2026-01-02T03:04:05.000006Z", "Ce-Seq": "7", "Ce-Chain": "3", "Ce-Sequence": "0007", "Ce-Correlationid": "c0", "Ce-Causationid": "c1", "Ce-Hops": "2",
		"Ce-Tenant": "x%0D%0Ay", "Ce-N": "3", "Ce-Ok": "true",
		"Content-Type": "application/json", "Idempotency-Key": "7-h-abcdefgh", "User-Agent": "evrun",
	} {
		if r.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, r.header.Get(name), want)
		}
	}
	if r.method != "POST" || r.uri != "/in" || r.body != `{"name":"Ada"}` {
		t.Errorf("%+v", r)
	}
}

func TestHTTPSendsWhatIsAskedFor(t *testing.T) {
	server, got := recorder(t, nil)
	for _, test := range []struct {
		with              map[string]any
		method, body, typ string
	}{
		{map[string]any{"method": "PUT"}, "PUT", `{"n":9007199254740993,"s":"<a>"}`, "application/json"},
		{map[string]any{"method": "GET"}, "GET", "", ""},
		{map[string]any{"method": "DELETE"}, "DELETE", "", ""},
		{map[string]any{"body": nil}, "POST", "", ""},
		{map[string]any{"body": "hello ${ data.s }"}, "POST", "hello <a>", "text/plain; charset=utf-8"},
		{map[string]any{"body": map[string]any{"n": "${ data.n }", "t": "x ${ data.s }"}}, "POST", `{"n":9007199254740993,"t":"x <a>"}`, "application/json"},
		{map[string]any{"body": []any{int64(1), true}}, "POST", `[1,true]`, "application/json"},
		{map[string]any{"body": "<x/>", "headers": map[string]any{"content-type": "application/xml"}}, "POST", "<x/>", "application/xml"},
	} {
		test.with["url"] = server.URL
		if _, err := request(t, test.with, Deps{}).Do(context.Background(), delivery(`{"n":9007199254740993,"s":"<a>"}`)); err != nil {
			t.Fatal(err)
		}
		r := got()[0]
		if r.method != test.method || r.body != test.body || r.header.Get("Content-Type") != test.typ {
			t.Errorf("%v: %s %q as %q", test.with, r.method, r.body, r.header.Get("Content-Type"))
		}
		if _, whole := test.with["body"]; (whole || test.method == "GET") && r.header.Get("Ce-Id") != "" {
			t.Errorf("%v: the event's attributes went along", test.with)
		}
	}
}

func TestHTTPKeepsTheContentTypeOfTheEvent(t *testing.T) {
	server, got := recorder(t, nil)
	d := delivery("")
	d.Event.Data, d.Event.DataContentType = []byte("\x00\x01"), "application/octet-stream"
	if _, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if r := got()[0]; r.body != "\x00\x01" || r.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%+v", r)
	}
}

func TestHTTPHasTheAnswerAsItsResult(t *testing.T) {
	for _, test := range []struct {
		contentType, body string
		want              map[string]any
	}{
		{"application/json", `{"id":9007199254740993}`, map[string]any{"body": map[string]any{"id": 9007199254740993}}},
		{"application/problem+json; charset=utf-8", `[1]`, map[string]any{"body": []any{1}}},
		{"application/json", `{"id":`, map[string]any{"body": `{"id":`}},
		{"text/plain", `{"id":1}`, map[string]any{"body": `{"id":1}`}},
		{"text/plain", "", map[string]any{"body": nil}},
		{"image/png", "\x89PNG", map[string]any{"body": nil, "body_base64": "iVBORw=="}},
	} {
		server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			w.Header().Set("Content-Type", test.contentType)
			w.Header().Set("X-Ray", "1")
			w.Header().Set("Set-Cookie", "session=1")
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, test.body)
		})
		result, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), delivery(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		test.want["status"] = 201
		test.want["headers"] = map[string]any{"content-type": test.contentType, "x-ray": "1", "content-length": fmt.Sprint(len(test.body))}
		if !reflect.DeepEqual(result, test.want) {
			t.Errorf("%q:\n got  %#v\n want %#v", test.body, result, test.want)
		}
		if _, err := json.Marshal(result); err != nil {
			t.Error(err)
		}
	}
}

func TestHTTPTellsStatusesApart(t *testing.T) {
	for _, test := range []struct {
		expect    any
		status    int
		ok        bool
		permanent bool
	}{
		{nil, 200, true, false}, {nil, 204, true, false}, {nil, 299, true, false}, {nil, 304, false, true},
		{nil, 400, false, true}, {nil, 401, false, true}, {nil, 404, false, true}, {nil, 409, false, true}, {nil, 422, false, true},
		{nil, 408, false, false}, {nil, 425, false, false}, {nil, 429, false, false},
		{nil, 500, false, false}, {nil, 501, false, false}, {nil, 502, false, false}, {nil, 503, false, false}, {nil, 599, false, false},
		{int64(201), 201, true, false}, {int64(201), 200, false, true}, {"4xx", 404, true, false}, {"200-204", 204, true, false},
		{"200-204", 205, false, true}, {[]any{int64(200), "404"}, 404, true, false}, {[]any{"2xx", int64(409)}, 410, false, true}, {"3xx", 302, true, false},
	} {
		server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://203.0.113.9/")
			w.WriteHeader(test.status)
			if test.status != 204 && test.status != 304 {
				io.WriteString(w, "because\nof that")
			}
		})
		with := map[string]any{"url": server.URL + "/secret?token=x"}
		if test.expect != nil {
			with["expect"] = test.expect
		}
		_, err := request(t, with, Deps{}).Do(context.Background(), delivery(`{}`))
		if ok := err == nil; ok != test.ok || isPermanentError(err) != test.permanent {
			t.Errorf("%d where %v is expected: %v, permanent: %v", test.status, test.expect, err, isPermanentError(err))
		}
		if test.status == 404 && err != nil {
			if want := "POST " + server.URL + `: 404 Not Found: "because of that"`; err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

func TestHTTPHeedsRetryAfter(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		status     int
		retryAfter string
		want       time.Duration
	}{
		{429, "7", 7 * time.Second}, {503, " 120 ", 2 * time.Minute}, {500, "1", time.Second}, {503, "", 0}, {503, "0", 0}, {503, "-5", 0}, {503, "1.5", 0},
		{503, "soon", 0}, {503, "99999999999999999999999", time.Hour}, {503, "86400", time.Hour},
		{503, date.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{503, date.Add(90 * time.Second).Format(time.RFC850), 90 * time.Second},
		{503, date.Add(-time.Minute).Format(http.TimeFormat), 0}, {503, date.AddDate(5, 0, 0).Format(http.TimeFormat), time.Hour},
		{404, "7", 0},
	} {
		server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", date.Format(http.TimeFormat))
			if test.retryAfter != "" {
				w.Header().Set("Retry-After", test.retryAfter)
			}
			w.WriteHeader(test.status)
		})
		_, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), delivery(`{}`))
		var got time.Duration
		for e := err; e != nil; e = errors.Unwrap(e) {
			if reflect.TypeOf(e) == reflect.TypeOf(tasks.RetryAfter(1, io.EOF)) {
				got = time.Duration(reflect.ValueOf(e).Elem().FieldByName("after").Int())
			}
		}
		if err == nil || got != test.want {
			t.Errorf("%d, %q: %v (%v), want %v", test.status, test.retryAfter, got, err, test.want)
		}
	}
}

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
	h := request(t, map[string]any{"url": "https://example.com"}, Deps{})
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
		to.Response = &http.Response{StatusCode: http.StatusFound}
		if err := h.redirect(to, []*http.Request{from}); (err == nil) != test.follow {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
	}
}

func TestHTTPChecksCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), delivery(`{}`))
	if err == nil || !strings.Contains(err.Error(), "certificate") || isPermanentError(err) {
		t.Error(err)
	}
}

func TestHTTPTakesNoProxyFromTheEnvironment(t *testing.T) {
	proxy, got := recorder(t, nil)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	h := request(t, map[string]any{"url": "http://example.com/"}, Deps{})
	dials := stub(h.guard, nil)
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || got() != nil || h.transport.Proxy != nil {
		t.Errorf("%v, %v", err, dials())
	}
}

func TestHTTPCutsAnEndlessAnswer(t *testing.T) {
	server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("0é"), 10000)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	d := delivery(`{}`)
	d.MaxData = 2 << 20
	result, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	r := result.(map[string]any)
	body := r["body"].(string)
	if r["truncated"] != true || len(body) > maxAnswer || len(body) < maxAnswer-3 || strings.Contains(body, "\ufffd") {
		t.Errorf("truncated: %v, %d bytes, ends with %q", r["truncated"], len(body), body[len(body)-3:])
	}
}

func TestHTTPTimesOut(t *testing.T) {
	release := make(chan struct{})
	server, _ := recorder(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(ctx, delivery(`{}`))
	if !errors.Is(err, context.DeadlineExceeded) || isPermanentError(err) {
		t.Error(err)
	}
}

// mute gives a guard connections to something that listens, and never says a word.
func mute(g *guard) {
	g.resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
	}
	g.dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			io.Copy(io.Discard, theirs)
			theirs.Close()
		}()
		return ours, nil
	}
}

func TestAnAttemptEndsWithoutATimeoutOfItsHandlerToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := request(t, map[string]any{"url": "http://public.test/"}, Deps{})
		mute(h.guard)
		n := notifier(t, map[string]any{"url": "smtp://mail.test/?from=a@b.c&to=b@b.c", "message": "m"}, Deps{})
		mute(n.open.guard)
		for _, action := range []tasks.Outside{h, n} {
			begun := time.Now()
			_, err := action.Do(context.Background(), delivery(`{}`))
			if took := time.Since(begun); took != defaultTimeout || !errors.Is(err, errNoAnswer) || isPermanentError(err) {
				t.Errorf("%T: %v after %v", action, err, took)
			}
			// That of its handler takes its place; net/http gives the cause by itself, the rest leaves it to the runner.
			cause := errors.New("the handler's")
			ctx, cancel := context.WithTimeoutCause(context.Background(), time.Hour, cause)
			begun = time.Now()
			_, err = action.Do(ctx, delivery(`{}`))
			if took := time.Since(begun); took != time.Hour || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, cause) || errors.Is(err, errNoAnswer) {
				t.Errorf("%T: %v after %v", action, err, took)
			}
			cancel()
		}
	})
}

func TestAnAnswerThatBreaksOffIsWorthAnotherAttempt(t *testing.T) {
	for name, reply := range map[string]string{
		"in the body":    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
		"in the headers": "HTTP/1.1 200 OK\r\nContent-Le",
		"at once":        "",
		"with nonsense":  "SSH-2.0-OpenSSH_9.9\r\n",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Read(make([]byte, 4096))
				io.WriteString(conn, reply)
				conn.Close()
			}
		}()
		_, err = request(t, map[string]any{"url": "http://" + listener.Addr().String()}, Deps{}).Do(context.Background(), delivery(`{}`))
		if err == nil || isPermanentError(err) {
			t.Errorf("%s: %v", name, err)
		}
		listener.Close()
		<-done
	}
}

func TestHTTPKeepsSecretsOutOfErrorsAndResults(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret/token")
	deps := Deps{Secrets: &expression.Secrets{}}
	status := 200
	server, got := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"echo": []any{r.Header.Get("Authorization")}})
	})
	h := request(t, map[string]any{
		"url": server.URL + `/${ env("EVRUN_TEST_TOKEN") }`, "headers": map[string]any{"Authorization": `Bearer ${ env("EVRUN_TEST_TOKEN") }`},
	}, deps)
	for _, status = range []int{200, 500, 400} {
		result, err := h.Do(context.Background(), delivery(`{}`))
		if text := fmt.Sprint(result, err); strings.Contains(text, "s3cret") || !strings.Contains(text, "[secret]") {
			t.Error(text)
		}
		if isPermanentError(err) != (status == 400) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if r := got()[0]; r.header.Get("Authorization") != "Bearer s3cret/token" || r.uri != "/s3cret%2Ftoken" {
		t.Errorf("%+v", r)
	}
	server.Close()
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

// A server that repeats what it was sent doesn't bring a secret into the error of an attempt, however that was encoded.
func TestHTTPKeepsEncodedSecretsOutOfErrors(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "p4ss/w&rd with <odd> signs")
	server, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("Authorization"), r.Header.Get("X-Other"), r.RequestURI)
	})
	for name, header := range map[string]string{
		"basic":           `Basic ${ toBase64("user:" + env("EVRUN_TEST_TOKEN")) }`,
		"basic with data": `Basic ${ toBase64(data.user + ":" + env("EVRUN_TEST_TOKEN") + data.user) }`,
		"upper":           `${ upper(env("EVRUN_TEST_TOKEN")) }`,
		"json":            `${ toJSON({"a": env("EVRUN_TEST_TOKEN")})[2:] | replace("\n", " ") }`,
	} {
		for _, user := range []string{"a", "ab", "abc"} {
			h := request(t, map[string]any{"url": server.URL + `/?t=${ env("EVRUN_TEST_TOKEN") }`, "headers": map[string]any{"Authorization": header}},
				Deps{Secrets: &expression.Secrets{}})
			_, err := h.Do(context.Background(), delivery(`{"user":"`+user+`"}`))
			if err == nil || !strings.Contains(err.Error(), "[secret]") {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, part := range []string{"w&rd", "w%26rd", "W&RD", `w\u0026rd`, "cDRzcy93", "c3MvdyZyZC", "czL3cmcmQg", "3cmcmQ", "zcy93JnJk"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

func TestWrongHTTPInputsAreExplained(t *testing.T) {
	for _, test := range []struct {
		with map[string]any
		want []toldFault
	}{
		{map[string]any{}, []toldFault{{msg: `http needs "url"`, hint: "where to"}}},
		{map[string]any{"url": "example.com/x"}, []toldFault{{path: "url", msg: "it must begin with http:// or https://"}}},
		{map[string]any{"url": "localhost:8080/x"}, []toldFault{{path: "url", msg: "it must begin with http:// or https://"}}},
		{map[string]any{"url": "htps://example.com"}, []toldFault{{path: "url", msg: `the scheme must be http or https, not "htps"`}}},
		{map[string]any{"url": "ftp://${ data.host }/"}, []toldFault{{path: "url", msg: `the scheme must be http or https, not "ftp"`}}},
		{map[string]any{"url": "/x/${ data.id }"}, []toldFault{{path: "url", msg: "it must begin with http:// or https://"}}},
		{map[string]any{"url": "http:///x"}, []toldFault{{path: "url", msg: "it has no host"}}},
		{map[string]any{"url": "http://example.com/a b"}, []toldFault{{path: "url", msg: "it has a ' ' in it"}}},
		{map[string]any{"url": "http://127.1/x"}, []toldFault{{path: "url", msg: `"127.1" is not a valid host: an address has four decimal numbers`}}},
		{map[string]any{"url": "http://user:hunter2@example.com/${ data.x }"}, []toldFault{{path: "url", msg: errUserinfo.Error()}}},
		{map[string]any{"url": "http://user:${ env('SECRET') }@example.com/"}, []toldFault{{path: "url", msg: errUserinfo.Error()}}},
		{map[string]any{"url": "https://${ data.user }:${ data.password }@${ data.host }"}, []toldFault{{path: "url", msg: errUserinfo.Error()}}},
		{map[string]any{"url": "http://us%er:hunter2@example.com/"}, []toldFault{{path: "url", msg: errUserinfo.Error()}}},
		{map[string]any{"url": "http://example.com:99999999999/"}, nil},
		{map[string]any{"url": "http://a", "method": "post"}, []toldFault{{path: "method", msg: `"method" must be GET, HEAD, POST, PUT, PATCH or DELETE, not "post"`, hint: `did you mean "POST"?`}}},
		{map[string]any{"url": "http://a", "method": "GET", "body": "x"}, []toldFault{{path: "body", key: true, msg: "GET has no body", hint: "leave it out, or choose another method"}}},
		{map[string]any{"url": "http://a", "expect": []any{int64(200), "2x", int64(99)}}, []toldFault{
			{path: "expect[1]", msg: `"2x" is not a valid status`, hint: "such as 200, 2xx or 200-204"}, {path: "expect[2]", msg: `"99" is not a valid status`, hint: "such as 200, 2xx or 200-204"},
		}},
		{map[string]any{"url": "http://a", "expect": "${ data.x }"}, []toldFault{{path: "expect", msg: `"${ data.x }" is not a valid status`, hint: "such as 200, 2xx or 200-204"}}},
		{map[string]any{"url": "http://a", "expect": "299-200"}, []toldFault{{path: "expect", msg: `"299-200" is not a valid status`, hint: "such as 200, 2xx or 200-204"}}},
		{map[string]any{"url": "http://a", "expect": []any{}}, []toldFault{{path: "expect", msg: "the list is empty", hint: "leave it out for 2xx"}}},
		{map[string]any{"url": "http://a", "headers": map[string]any{"A b": "x", "X:": "x", "": "x", "X-A": "x\r\nY: z", "host": "x", "idempotency-key": "x"}}, []toldFault{
			{path: `headers[""]`, key: true, msg: "the header has no name"},
			{path: `headers["A b"]`, key: true, msg: `"A b" is not a valid header: it has a ' ' in its name`},
			{path: `headers["X-A"]`, msg: `a header can't have a '\r' in it (trim(…) takes it off an end)`},
			{path: `headers["X:"]`, key: true, msg: `"X:" is not a valid header: it has a ':' in its name`},
			{path: "headers.host", key: true, msg: "the header Host can't be set", hint: "it is the url's"},
			{path: `headers["idempotency-key"]`, key: true, msg: "the header Idempotency-Key can't be set", hint: "it is the run's id, the same at every attempt"},
		}},
		{map[string]any{"url": "http://a", "headers": map[string]any{"X-A": "x", "x-a": "y"}}, []toldFault{{path: `headers["x-a"]`, key: true, msg: "the header is there twice: as X-A too"}}},
	} {
		_, errs := Build("http", test.with, Deps{})
		if got := faultsOf(errs); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got  %+v\n want %+v", test.with, got, test.want)
		}
		for _, e := range errs {
			if strings.Contains(e.Error(), "hunter2") {
				t.Errorf("%v shows the password", e)
			}
		}
	}
}

func TestHTTPCutsAnAnswerToWhatAnEventMayHave(t *testing.T) {
	deep := strings.Repeat("[", 500) + strings.Repeat("]", 500)
	for name, x := range map[string]struct {
		contentType, body string
		key, has          string
		cut               bool
	}{
		"small":          {"application/json", `{"a":1}`, "body", "", false},
		"text":           {"text/plain", strings.Repeat("é", 5000), "body", "éé", true},
		"escaped":        {"text/plain", strings.Repeat("\x01\"", 5000), "body", "\x01\"\x01", true},
		"JSON":           {"application/json", `{"a":"` + strings.Repeat("x", 5000) + `"}`, "body", `{"a":"xx`, true},
		"bytes":          {"image/png", strings.Repeat("\xff", 5000), "body_base64", "////", true},
		"many headers":   {"x/" + strings.Repeat("y", 5000), "hello", "body", "hello", true},
		"nested":         {"application/json", deep, "body", deep, false},
		"just too large": {"text/plain", strings.Repeat("x", 1900), "body", "xxx", true},
	} {
		server, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", x.contentType)
			_, _ = io.WriteString(w, x.body)
		})
		d := delivery(`{}`)
		d.MaxData = 2000
		result, err := request(t, map[string]any{"url": server.URL}, Deps{}).Do(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		r := result.(map[string]any)
		text, err := events.MarshalJSON(r)
		if err != nil || len(text) > d.MaxData || events.CheckJSON(text) != nil {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		if body, _ := r[x.key].(string); !strings.HasPrefix(body, x.has) || !utf8.ValidString(body) || (r["truncated"] == true) != x.cut {
			t.Errorf("%s: truncated %v, body %.20q", name, r["truncated"], body)
		}
		if x.cut && name != "many headers" && len(text) < d.MaxData-12 {
			t.Errorf("%s: only %d bytes are kept", name, len(text))
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
