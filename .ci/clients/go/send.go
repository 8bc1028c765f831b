package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

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
