package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"evrun/events"
)

func ExampleBus() {
	bus := events.NewBus()
	sub := bus.Subscribe(2, events.MustPattern("user.*"))
	for i, typ := range []string{"user.registered", "order.paid", "user.created", "user.deleted"} {
		bus.Publish([]*events.Event{{Sequence: int64(i + 1), Type: typ}})
	}
	for batch := range sub.C() {
		for _, e := range batch {
			fmt.Println(e.Sequence, e.Type)
		}
	}
	if errors.Is(sub.Err(), events.ErrLagged) {
		fmt.Println("read on from the journal")
	}
	// Output:
	// 1 user.registered
	// 3 user.created
	// read on from the journal
}

func ExampleEvent_AppendJSON() {
	e := events.Event{
		ID: "42", Source: "/shop", Type: "order.paid", Time: time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC),
		Data: json.RawMessage(`{"total": 9007199254740993}`),
	}
	text, err := e.AppendJSON(nil)
	fmt.Println(string(text), err)
	// Output:
	// {"specversion":"1.0","id":"42","source":"/shop","type":"order.paid","time":"2026-12-24T18:00:00Z","data":{"total": 9007199254740993}} <nil>
}

func ExampleParsePattern() {
	_, err := events.ParsePattern("us*r.created")
	fmt.Println(err)
	// Output:
	// pattern "us*r.created": * is inside a longer token (at byte 2); a wildcard stands for a whole token, as in user.* or order.>
}
