package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

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
