// The clients' test with the CloudEvents SDK for Go: it sends events in every mode of the HTTP binding to a running evrun and reads them back.
//
//	clients unix:/path/of/evrun.sock
//	EVRUN_TOKEN=evr_… clients http://127.0.0.1:7770
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

const source = "/sdk/go"

func main() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server is a running evrun.
type server struct {
	base   string
	client *http.Client
}

// token adds the header of a request that comes over TCP.
type token struct {
	text string
	next http.RoundTripper
}

func (t token) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.text != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+t.text)
	}
	return t.next.RoundTrip(r)
}

func dial(address string) *server {
	transport := &http.Transport{}
	s := &server{base: address}
	if socket, ok := strings.CutPrefix(address, "unix:"); ok {
		s.base = "http://evrun"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	s.client = &http.Client{Transport: token{os.Getenv("EVRUN_TOKEN"), transport}}
	return s
}

// events are those that each mode sends.
func events(mode string) []cloudevents.Event {
	var all []cloudevents.Event
	add := func(id string, set func(*cloudevents.Event)) {
		e := cloudevents.NewEvent()
		e.SetID(mode + "-" + id)
		e.SetSource(source)
		e.SetType("sdk.sent")
		set(&e)
		all = append(all, e)
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	add("json", func(e *cloudevents.Event) {
		e.SetTime(time.Date(2026, 12, 24, 18, 0, 0, 123456000, time.UTC))
		e.SetSubject("orders/1")
		e.SetDataSchema("https://example.com/schema.json")
		e.SetExtension("text", "a b")
		must(e.SetData("application/json", map[string]any{"name": "Ada <\"Ü€😀\">", "n": 9007199254740993}))
	})
	add("none", func(*cloudevents.Event) {})
	add("text", func(e *cloudevents.Event) { must(e.SetData("text/plain; charset=utf-8", "hello 100%")) })
	add("xml", func(e *cloudevents.Event) { must(e.SetData("text/xml", []byte("<a>ü</a>"))) })
	add("bytes", func(e *cloudevents.Event) {
		must(e.SetData("application/octet-stream", []byte{0, 0xff, 0xfe, '\n', 1}))
	})
	// The SDK sends these as they are: it doesn't encode the values of headers.
	add("percent", func(e *cloudevents.Event) { e.SetSubject("100% of it, 5 %") })
	add("letters", func(e *cloudevents.Event) { e.SetSubject("Zürich €") })
	add("numbers", func(e *cloudevents.Event) {
		e.SetExtension("number", 42)
		e.SetExtension("yes", true)
	})
	return all
}

func run(ctx context.Context, address string) error {
	s := dial(address)
	reading, err := s.stream(ctx)
	if err != nil {
		return err
	}
	defer reading.Close()
	if err := s.vendor(ctx); err != nil {
		return err
	}
	sent := 1
	for _, mode := range []struct {
		name string
		send func(context.Context, []cloudevents.Event) error
	}{
		{"binary", s.sender(binding.WithForceBinary)},
		{"structured", s.sender(binding.WithForceStructured)},
		{"batch", s.batch},
	} {
		evs := events(mode.name)
		if err := mode.send(ctx, evs); err != nil {
			return fmt.Errorf("%s: %w", mode.name, err)
		}
		sent += len(evs)
		for _, e := range evs {
			if err := s.read(ctx, e, mode.name); err != nil {
				return fmt.Errorf("%s: %w", e.ID(), err)
			}
		}
		if err := s.lists(ctx, evs, mode.name); err != nil {
			return fmt.Errorf("%s: %w", mode.name, err)
		}
		if err := followed(reading, evs, mode.name); err != nil {
			return fmt.Errorf("stream of %s: %w", mode.name, err)
		}
	}
	fmt.Printf("the CloudEvents SDK for Go has sent and read %d events\n", sent)
	return nil
}

// sender sends each event twice with the SDK's own client: the second time it is a duplicate.
func (s *server) sender(encoding func(context.Context) context.Context) func(context.Context, []cloudevents.Event) error {
	return func(ctx context.Context, evs []cloudevents.Event) error {
		client, err := cloudevents.NewClientHTTP(cehttp.WithTarget(s.base+"/v1/events"), cehttp.WithClient(*s.client))
		if err != nil {
			return err
		}
		for _, e := range evs {
			for _, want := range []int{http.StatusAccepted, http.StatusOK} {
				result := client.Send(encoding(ctx), e)
				var got *cehttp.Result
				if cloudevents.IsUndelivered(result) || !cloudevents.ResultAs(result, &got) || got.StatusCode != want {
					return fmt.Errorf("%s: %w, not %d", e.ID(), result, want)
				}
			}
		}
		return nil
	}
}

// batch sends all events in one request, twice.
func (s *server) batch(ctx context.Context, evs []cloudevents.Event) error {
	for _, want := range []int{http.StatusAccepted, http.StatusOK} {
		req, err := cehttp.NewHTTPRequestFromEvents(ctx, s.base+"/v1/events", evs)
		if err != nil {
			return err
		}
		res, err := s.client.Do(req)
		if err != nil {
			return err
		}
		var receipts []struct {
			ID        string
			Duplicate bool
		}
		err = json.NewDecoder(res.Body).Decode(&receipts)
		res.Body.Close()
		if err != nil || res.StatusCode != want || len(receipts) != len(evs) {
			return fmt.Errorf("%s, not %d: %v, %w", res.Status, want, receipts, err)
		}
	}
	return nil
}

func (s *server) get(ctx context.Context, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := s.client.Do(req)
	if err == nil && res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		err = fmt.Errorf("GET %s: %s: %s", path, res.Status, text)
	}
	return res, err
}

// read reads one event in structured mode.
func (s *server) read(ctx context.Context, want cloudevents.Event, mode string) error {
	res, err := s.get(ctx, "/v1/events/"+want.ID()+"?exact=true", "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := cehttp.NewEventFromHTTPResponse(res)
	if err != nil {
		return err
	}
	return same(*got, want, mode)
}

// vendor sends an event whose data the SDK takes for JSON in binary mode alone: its JSON format has a string where the specification (JSON format, 3.1) has
// a value, both when it writes and when it reads.
func (s *server) vendor(ctx context.Context) error {
	const data = `[1,null,"x"]`
	e := cloudevents.NewEvent()
	e.SetID("vendor")
	e.SetSource(source)
	e.SetType("sdk.vendor")
	if err := e.SetData("application/vnd.shop+json", json.RawMessage(data)); err != nil {
		return err
	}
	if err := s.sender(binding.WithForceBinary)(ctx, []cloudevents.Event{e}); err != nil {
		return err
	}
	res, err := s.get(ctx, "/v1/events/vendor", "")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var got struct{ Data json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || string(got.Data) != data {
		return fmt.Errorf("vendor: the data became %s, %w", got.Data, err)
	}
	return nil
}

// lists reads the newest events as a batch, as an object and as lines.
func (s *server) lists(ctx context.Context, want []cloudevents.Event, mode string) error {
	path := fmt.Sprintf("/v1/events?limit=%d", len(want))
	res, err := s.get(ctx, path, "application/cloudevents-batch+json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	batch, err := cehttp.NewEventsFromHTTPResponse(res)
	if err != nil {
		return err
	}
	object, err := s.get(ctx, path, "")
	if err != nil {
		return err
	}
	defer object.Body.Close()
	var page struct{ Events []cloudevents.Event }
	if err := json.NewDecoder(object.Body).Decode(&page); err != nil {
		return err
	}
	ndjson, err := s.get(ctx, path, "application/x-ndjson")
	if err != nil {
		return err
	}
	defer ndjson.Body.Close()
	var lines []cloudevents.Event
	for in := bufio.NewScanner(ndjson.Body); in.Scan(); {
		var e cloudevents.Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return err
		}
		lines = append(lines, e)
	}
	for name, got := range map[string][]cloudevents.Event{"a batch": batch, "an object": page.Events, "lines": lines} {
		if len(got) != len(want) {
			return fmt.Errorf("%s has %d events, not %d", name, len(got), len(want))
		}
		for i := range got { // newest first
			if err := same(got[i], want[len(want)-1-i], mode); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// stream begins to read the server-sent events.
func (s *server) stream(ctx context.Context) (*sse, error) {
	res, err := s.get(ctx, "/v1/stream?type=sdk.sent", "")
	if err != nil {
		return nil, err
	}
	return &sse{res.Body, bufio.NewReader(res.Body)}, nil
}

type sse struct {
	io.Closer
	in *bufio.Reader
}

// next returns the data of the next event.
func (s *sse) next() ([]byte, error) {
	var kind string
	for {
		line, err := s.in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if text, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind = strings.TrimSpace(string(text))
		}
		if text, ok := bytes.CutPrefix(line, []byte("data: ")); ok && kind == "event" {
			return text, nil
		}
	}
}

// followed reads the events from the stream.
func followed(s *sse, want []cloudevents.Event, mode string) error {
	for _, w := range want {
		text, err := s.next()
		if err != nil {
			return err
		}
		var got cloudevents.Event
		if err := json.Unmarshal(text, &got); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
		if err := same(got, w, mode); err != nil {
			return err
		}
	}
	return nil
}

// same compares a read event with the sent one. evrun adds extensions of its own, and a time.
func same(got, want cloudevents.Event, mode string) error {
	if err := got.Validate(); err != nil {
		return fmt.Errorf("what was read is invalid: %w", err)
	}
	for name, v := range want.Extensions() {
		have := got.Extensions()[name]
		if mode == "binary" { // headers have no types
			v = fmt.Sprint(v)
		}
		if fmt.Sprint(have) != fmt.Sprint(v) {
			return fmt.Errorf("%s: the extension %s became %#v, not %#v", got.ID(), name, have, v)
		}
	}
	if !want.Time().IsZero() && !got.Time().Equal(want.Time()) {
		return fmt.Errorf("%s: the time became %v", got.ID(), got.Time())
	}
	for _, x := range []struct{ name, got, want string }{
		{"id", got.ID(), want.ID()},
		{"source", got.Source(), want.Source()},
		{"type", got.Type(), want.Type()},
		{"subject", got.Subject(), want.Subject()},
		{"dataschema", got.DataSchema(), want.DataSchema()},
		{"specversion", got.SpecVersion(), want.SpecVersion()},
	} {
		if x.got != x.want {
			return fmt.Errorf("%s: %s became %q, not %q", want.ID(), x.name, x.got, x.want)
		}
	}
	// JSON is the default: evrun doesn't write its type.
	if media := got.DataContentType(); media != want.DataContentType() && (media != "" || want.DataContentType() != "application/json") {
		return fmt.Errorf("%s: the content type became %q, not %q", want.ID(), media, want.DataContentType())
	}
	if strings.Contains(want.DataContentType(), "json") {
		var a, b any
		if err := decode(got.Data(), &a); err != nil {
			return err
		}
		if err := decode(want.Data(), &b); err != nil {
			return err
		}
		if !reflect.DeepEqual(a, b) {
			return fmt.Errorf("%s: the data became %s, not %s", want.ID(), got.Data(), want.Data())
		}
		return nil
	}
	if !bytes.Equal(got.Data(), want.Data()) {
		return fmt.Errorf("%s: the data became %q, not %q", want.ID(), got.Data(), want.Data())
	}
	return nil
}

// decode keeps numbers as they are written.
func decode(text []byte, v *any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}
