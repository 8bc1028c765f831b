package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// compressed is a text as gzip.
func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBodiesMayBeCompressedInEveryMode(t *testing.T) {
	d := serve(t)
	large := `"` + strings.Repeat("x", 900) + `"` // compressed, it is much smaller than its limit
	for _, x := range []struct {
		path, contentType, body string
		status                  int
		headers                 []string
	}{
		{"/v1/events/a.b?id=plain", "application/json", large, 202, nil},
		{"/v1/events", structuredType, `{"type":"a.b","id":"structured","data":` + large + `}`, 202, nil},
		{"/v1/events", "application/json", large, 202, []string{"Ce-Type", "a.b", "Ce-Id", "binary"}},
		{"/v1/events", batchType, `[{"type":"a.b","id":"batch","data":` + large + `}]`, 202, nil},
		{"/v1/events", linesType, `{"type":"a.b","id":"line","data":` + large + `}`, 200, nil},
	} {
		res, body := d.call(http.MethodPost, x.path, x.contentType, compressed(t, x.body), append(x.headers, "Content-Encoding", "gzip")...)
		if res.StatusCode != x.status {
			t.Errorf("%s: %d %s", x.contentType, res.StatusCode, body)
		}
	}
	for _, id := range []string{"plain", "structured", "binary", "batch", "line"} {
		if e, err := d.store.Event(t.Context(), id); err != nil || string(e.Data) != large {
			t.Errorf("%s: %+v, %v", id, e, err)
		}
	}
}

func TestACompressedBodyHasTheLimitsOfAnyOther(t *testing.T) {
	d := serve(t)
	bomb := compressed(t, `"`+strings.Repeat("x", 50<<20)+`"`)
	blank := compressed(t, strings.Repeat("\n", 50<<20))
	for _, x := range []struct {
		name, path, contentType, encoding, body string
		want                                    string
	}{
		{"plain", "/v1/events/a.b", "application/json", "gzip", bomb, `"status":413`},
		{"structured", "/v1/events", structuredType, "gzip", bomb, `"status":413`},
		{"a batch", "/v1/events", batchType, "gzip", bomb, `"status":413`},
		{"a line", "/v1/events", linesType, "gzip", bomb, `"status":413`},
		{"blank lines", "/v1/events", linesType, "gzip", blank, `"status":413`},
		{"not gzip", "/v1/events/a.b", "application/json", "gzip", "{}", `"status":400`},
		{"lines that are not gzip", "/v1/events", linesType, "gzip", `{"type":"a.b"}`, `"status":400`},
		{"lines that end in the middle", "/v1/events", linesType, "gzip", compressed(t, `{"type":"a.b"`)[:20], `it ends in the middle`},
		{"another coding", "/v1/events/a.b", "application/json", "br", "{}", `"status":415`},
		{"another coding of lines", "/v1/events", linesType, "zstd", "", `"status":415`},
	} {
		res, body := d.call(http.MethodPost, x.path, x.contentType, x.body, "Content-Encoding", x.encoding)
		if !strings.Contains(body, x.want) {
			t.Errorf("%s: %d %s", x.name, res.StatusCode, body)
		}
		if res.StatusCode == http.StatusUnsupportedMediaType && res.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("%s: %v", x.name, res.Header)
		}
	}
	if head, err := d.store.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("%d events are accepted, %v", head, err)
	}
}

// A compressed line is answered when it was flushed, although the body goes on.
func TestCompressedLinesAreAnsweredAsTheyCome(t *testing.T) {
	d := serve(t)
	from, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://evrun/v1/events", from)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", linesType)
	req.Header.Set("Content-Encoding", "gzip")
	w := gzip.NewWriter(to)
	send := func(line string) {
		if _, err := io.WriteString(w, line); err != nil {
			t.Error(err)
		}
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
	}
	sent := make(chan struct{})
	go func() {
		send(`{"type":"a.b","id":"0"}` + "\n")
		close(sent)
	}()
	res, err := d.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewScanner(res.Body)
	for _, id := range []string{"0", "1", "2"} {
		if !answers.Scan() || !strings.Contains(answers.Text(), `"id":"`+id+`"`) {
			t.Fatalf("%s, %v", answers.Text(), answers.Err())
		}
		switch id {
		case "0":
			<-sent
			send(`{"type":"a.b","id":"1"}` + "\n" + `{"type":"a.b",`)
		case "1":
			send(`"id":"2"}`)
			_ = w.Close()
			_ = to.Close()
		}
	}
	if answers.Scan() || answers.Err() != nil {
		t.Errorf("then %s, %v", answers.Text(), answers.Err())
	}
}
