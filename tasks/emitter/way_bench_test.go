package emitter_test

import (
	"testing"

	"evrun/events"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

// BenchmarkDataOfAnEvent measures the processing of an event's data between the request and its settled runs: reading, checking, the schema, three
// handlers, and writing it to a stream.
func BenchmarkDataOfAnEvent(b *testing.B) {
	text := []byte(`{"specversion":"1.0","type":"user.registered","source":"/shop","id":"1","data":{"name":"Ada Lovelace","email":"ada@example.com","tags":["a","b","c"],"n":36}}`)
	x, err := expression.Compile("data.email", expression.HandlerWhen)
	if err != nil {
		b.Fatal(err)
	}
	em := emitter.New(nil, 0)
	em.Declare([]emitter.EventType{userType(b)}, false)
	b.ReportAllocs()
	for b.Loop() {
		e := &events.Event{}
		if err := e.UnmarshalJSON(text); err != nil {
			b.Fatal(err)
		}
		if err := em.Check(e); err != nil {
			b.Fatal(err)
		}
		for range 3 {
			if _, err := x.Eval(expression.NewEnv(e)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := e.AppendJSON(nil); err != nil {
			b.Fatal(err)
		}
	}
}
