package handlers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/outgoing"
)

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
	if r["truncated"] != true || len(body) > outgoing.MaxAnswer || len(body) < outgoing.MaxAnswer-3 || strings.Contains(body, "\ufffd") {
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

// mute gives a guard connections to a server that never answers.
func mute(g *outgoing.Guard) {
	g.Resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
	}
	g.Dial = func(context.Context, string, string) (net.Conn, error) {
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
		mute(h.way.Guard)
		n := notifier(t, map[string]any{"url": "smtp://mail.test/?from=a@b.c&to=b@b.c", "message": "m"}, Deps{})
		mute(n.open.Guard)
		for _, action := range []tasks.Outside{h, n} {
			begun := time.Now()
			_, err := action.Do(context.Background(), delivery(`{}`))
			if took := time.Since(begun); took != outgoing.DefaultTimeout || !errors.Is(err, outgoing.ErrNoAnswer) || isPermanentError(err) {
				t.Errorf("%T: %v after %v", action, err, took)
			}
			// The handler's timeout replaces it; net/http reports the cause itself, for the other kinds the runner does.
			cause := errors.New("the handler's")
			ctx, cancel := context.WithTimeoutCause(context.Background(), time.Hour, cause)
			begun = time.Now()
			_, err = action.Do(ctx, delivery(`{}`))
			if took := time.Since(begun); took != time.Hour || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, cause) || errors.Is(err, outgoing.ErrNoAnswer) {
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
