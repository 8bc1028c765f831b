// Package events has what evrun talks about, the [Event], the patterns that select events by type, and the channels that
// carry them within the process.
//
// # The bus
//
// A [Bus] carries events that are committed already, a [Feed] carries values of any type to everybody. Both promise:
//
//   - One order. Calls of Publish, also at the same time, have one total order, and every subscriber receives what it
//     subscribed to in that order, each value once, however many of its patterns match.
//   - Nobody waits for a reader. Publish sends into buffered channels only. A subscriber whose buffer is full when a value
//     comes is ended there and then with [ErrLagged]; neither the publisher nor the other subscribers notice.
//   - No gaps. Until its end a subscription has every value since Subscribe that matches: a reader that drains C after
//     ErrLagged has received a prefix without a gap.
//   - An end is an end. After Unsubscribe returns nothing is sent any more; C is closed after the buffered values, and Err gives
//     the reason.
//   - The head is behind the channels. [Bus.Head] moves to an event when that event is in the channel of every matching
//     subscriber, or that subscriber has ended.
//   - Bounded memory, no goroutines. A subscription holds its buffer and no more, and nothing is started that must be
//     stopped.
//
// So a reader that must miss nothing subscribes first, reads the journal up to its head, takes the live flow and drops the
// sequences that it has seen already. When the flow ends with ErrLagged it does the same again from where it was.
//
// The limits: nothing is kept for a subscriber that isn't there, and nothing is acknowledged; that is the journal's part. A
// published event is shared by all: nobody may change it.
//
//	bus := events.NewBus()
//	sub := bus.Subscribe(16, events.MustPattern("user.*"))
//	bus.Publish(&events.Event{Sequence: 1, Type: "user.registered"})
//	e := <-sub.C()
//	sub.Unsubscribe()
//
// # Events as text
//
// [Event.AppendJSON] and [Event.UnmarshalJSON] write and read the JSON format of CloudEvents 1.0. The bytes of JSON data are
// kept as they came, so that no number is rounded and no key changes its place; line breaks between tokens go, so that an
// event is one line. [Event.Validate] says whether an event may be accepted.
//
// This package imports nothing of evrun's.
package events
