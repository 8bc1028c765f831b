// Package cloudevents decodes what CloudEvents' HTTP binding has beside an event in JSON: binary mode, and batches. No goroutines.
package cloudevents

import (
	"fmt"

	"evrun/events"
)

// The media types of CloudEvents in JSON.
const (
	Type      = "application/cloudevents+json"
	BatchType = "application/cloudevents-batch+json"
)

// Batch reads a JSON array of at most so many events.
func Batch(body []byte, most int) ([]*events.Event, error) {
	raw, err := events.Elements(body, most)
	if err != nil {
		return nil, fmt.Errorf("a batch is a JSON array of at most %d events: %w", most, err)
	}
	evs := make([]*events.Event, len(raw))
	var decoder events.Decoder
	for i, text := range raw {
		if evs[i], err = decoder.Decode(text); err != nil {
			return nil, fmt.Errorf("event %d of the batch: %w", i+1, err)
		}
	}
	return evs, nil
}
