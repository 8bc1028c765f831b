// The clients' test with the CloudEvents SDK for Go: it sends events in every mode of the HTTP binding to a running evrun and reads them back.
//
//	clients unix:/path/of/evrun.sock
//	EVRUN_TOKEN=evr_… clients http://127.0.0.1:7770
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
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
