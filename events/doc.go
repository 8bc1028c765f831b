// Package events defines the [Event], the patterns that select events by type, and the channels that carry events within the process.
//
// # The bus
//
// A [Bus] sends committed events, in batches, to the subscribers whose patterns match. A [Feed] sends values of any type to all subscribers, one at a
// time. Both promise:
//
//   - One order. All calls of Publish, concurrent ones included, have one total order. Every subscriber receives the values that it subscribed to in
//     that order, each value once, even if several of its patterns match.
//   - Nobody waits for a reader. Publish only sends into buffered channels. If there is no room for a value, its subscription ends at once with
//     [ErrLagged]; the publisher and the other subscribers are not affected.
//   - No gaps. Until it ends, a subscription has every matching value since Subscribe. A reader that drains C after ErrLagged has received a prefix
//     without gaps.
//   - An end is final. After Unsubscribe returns, nothing more is sent; C is closed after the waiting values, and Err gives the reason.
//   - The head follows the channels. [Bus.Head] moves to an event only after every matching subscription has that event in its channel or has ended.
//   - Bounded memory, no goroutines. What waits for a reader is bounded: of a Bus in number and bytes of events (at most 8,192, and 4 MiB), of a Feed
//     in number. A subscription starts nothing that must be stopped.
//
// A reader that must not miss an event subscribes first, reads the journal up to the head, then reads the subscription and drops the sequences that
// it has already seen. When the subscription ends with ErrLagged, the reader does the same again from its last sequence.
//
// Limits: a Bus keeps no events for absent subscribers and has no acknowledgements; use the journal for both. All subscribers share a published
// event, and may share a batch: nobody may change either.
//
//	bus := events.NewBus()
//	sub := bus.Subscribe(16, events.MustPattern("user.*"))
//	bus.Publish([]*events.Event{{Sequence: 1, Type: "user.registered"}})
//	for _, e := range <-sub.C() {
//		fmt.Println(e.Type)
//	}
//	sub.Unsubscribe()
//
// # Events as text
//
// [Event.AppendJSON] and [Event.UnmarshalJSON] write and read the JSON format of CloudEvents 1.0. JSON data keeps its bytes, so that no number is
// rounded and the keys keep their order; only line breaks between tokens are removed, so that an event is one line. [Event.Validate] reports whether an
// event may be accepted.
//
// This package imports no other package of evrun.
package events
