package events

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

var benchEvent = &Event{
	Sequence: 4711, ID: "019307a0-3c5e-7b1e-9c67-0f0e2a1b3c4d", Source: "/evrun/schedule/sign-up", Type: "user.registered",
	Subject: "visitor-1764000000", Time: time.Date(2026, 11, 23, 22, 0, 0, 123456000, time.UTC), DataContentType: "application/json",
	CorrelationID: "019307a0-3c5e-7b1e-9c67-0f0e2a1b3c4d", CausationID: "019307a0-3c5e-7b1e-9c67-0f0e2a1b3c4e", Hops: 1,
	Data: json.RawMessage(`{"name":"Visitor 1764000000","email":"visitor-1764000000@example.com","age":42,"tags":["new","trial"]}`),
}

var benchCommit = []*Event{benchEvent}

func benchPublish(b *testing.B, others int) {
	bus := NewBus()
	for i := range others {
		bus.Subscribe(1, MustPattern(fmt.Sprintf("other.%d.*", i)))
	}
	sub := bus.Subscribe(1024, MustPattern("user.*"))
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish(benchCommit)
		<-sub.C()
	}
}

func BenchmarkPublishOneSubscriber(b *testing.B)   { benchPublish(b, 0) }
func BenchmarkPublishWith10000Others(b *testing.B) { benchPublish(b, 10_000) }

// The others share their first token with the event.
func BenchmarkPublishWith10000Siblings(b *testing.B) {
	bus := NewBus()
	for i := range 10_000 {
		bus.Subscribe(1, MustPattern(fmt.Sprintf("user.other%d", i)))
	}
	sub := bus.Subscribe(1024, MustPattern("user.*"))
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish(benchCommit)
		<-sub.C()
	}
}

func BenchmarkPublishToNobody(b *testing.B) {
	bus := NewBus()
	for b.Loop() {
		bus.Publish(benchCommit)
	}
}

// A commit of 1,000 events, all of one type or of two types that alternate, to a subscriber that wants them all, and to one that wants one type.
func BenchmarkPublishACommit(b *testing.B) {
	other := *benchEvent
	other.Type = "user.created"
	for name, types := range map[string][2]*Event{"of-one-type": {benchEvent, benchEvent}, "of-two-types": {benchEvent, &other}} {
		b.Run(name, func(b *testing.B) {
			bus := NewBus()
			all, some := bus.Subscribe(MaxWaiting), bus.Subscribe(MaxWaiting, MustPattern("user.registered"))
			var commit []*Event
			for i := range 1000 {
				commit = append(commit, types[i%2])
			}
			b.ReportAllocs()
			for b.Loop() {
				bus.Publish(commit)
				<-all.C()
				<-some.C()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(commit)), "ns/event")
		})
	}
}

func BenchmarkRouterMatch(b *testing.B) {
	var r Router[int]
	for i := range 10_000 {
		r.Add(MustPattern(fmt.Sprintf("other.%d.>", i)), i)
	}
	r.Add(MustPattern("user.*"), -1)
	var dst [4]int
	b.ReportAllocs()
	for b.Loop() {
		r.Match("user.registered", dst[:0])
	}
}

func BenchmarkPatternMatch(b *testing.B) {
	p := MustPattern("user.*.>")
	b.ReportAllocs()
	for b.Loop() {
		p.Match("user.registered.by.mail")
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = benchEvent.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	text, _ := benchEvent.AppendJSON(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var e Event
		if err := e.UnmarshalJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

// plainEvent is what encoding/json would be given instead of our codec; it does less: no check of names, no extensions.
type plainEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id,omitempty"`
	Source          string          `json:"source,omitempty"`
	Type            string          `json:"type,omitempty"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time,omitzero"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	DataSchema      string          `json:"dataschema,omitempty"`
	Sequence        int64           `json:"seq,omitempty,string"`
	CorrelationID   string          `json:"correlationid,omitempty"`
	CausationID     string          `json:"causationid,omitempty"`
	Hops            int             `json:"hops,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

func BenchmarkDecodeEncodingJSON(b *testing.B) {
	text, _ := benchEvent.AppendJSON(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var e plainEvent
		if err := json.Unmarshal(text, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEncodingJSON(b *testing.B) {
	text, _ := benchEvent.AppendJSON(nil)
	var e plainEvent
	if err := json.Unmarshal(text, &e); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		text, _ = json.Marshal(e)
	}
	b.SetBytes(int64(len(text)))
}

func BenchmarkValidate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := benchEvent.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID()
	}
}
