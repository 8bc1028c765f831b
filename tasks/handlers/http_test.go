package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/tasks"
	"evrun/tasks/outgoing"
)

// request builds an http action whose idle connections end with the test.
func request(t testing.TB, with map[string]any, deps Deps) *httpRequest {
	t.Helper()
	h := build[*httpRequest](t, "http", with, deps)
	t.Cleanup(h.way.Close)
	return h
}

// seen is a request as a server got it.
type seen struct {
	method, uri string
	header      http.Header
	body        string
}

// recorder is a server that records requests and answers with reply; nil: an empty 200.
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

// isPermanentError reports whether an error is marked as permanent, which only package tasks can see.
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
	dials := stub(h.way.Guard, nil)
	if _, err := h.Do(context.Background(), delivery(`{}`)); err == nil || got() != nil || h.way.Transport.Proxy != nil {
		t.Errorf("%v, %v", err, dials())
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
		{map[string]any{"url": "http://user:hunter2@example.com/${ data.x }"}, []toldFault{{path: "url", msg: outgoing.ErrUserinfo.Error()}}},
		{map[string]any{"url": "http://user:${ env('SECRET') }@example.com/"}, []toldFault{{path: "url", msg: outgoing.ErrUserinfo.Error()}}},
		{map[string]any{"url": "https://${ data.user }:${ data.password }@${ data.host }"}, []toldFault{{path: "url", msg: outgoing.ErrUserinfo.Error()}}},
		{map[string]any{"url": "http://us%er:hunter2@example.com/"}, []toldFault{{path: "url", msg: outgoing.ErrUserinfo.Error()}}},
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
		{map[string]any{"url": "http://a", "headers": map[string]any{"X-A": "x", "x-a": "y"}}, []toldFault{{path: `headers["x-a"]`, key: true, msg: "the header is given twice: also as X-A"}}},
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
