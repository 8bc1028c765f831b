package expression

import (
	"encoding/json"
	"testing"

	"evrun/events"
)

var visitor = &events.Event{
	Sequence: 1, ID: "e1", Source: "/test", Type: "user.registered", Data: json.RawMessage(`{"name":"Ada Lovelace","email":"ada@example.com","age":36}`),
}

func benchmarkExpr(b *testing.B, src string) {
	x, err := Compile(src, HandlerWhen)
	if err != nil {
		b.Fatal(err)
	}
	env := NewEnv(visitor)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Eval(env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemberPath(b *testing.B) { benchmarkExpr(b, `data.name`) }
func BenchmarkEventPath(b *testing.B)  { benchmarkExpr(b, `event.type`) }
func BenchmarkContains(b *testing.B)   { benchmarkExpr(b, `data.email contains "@"`) }
func BenchmarkComparison(b *testing.B) {
	benchmarkExpr(b, `data.age > 18 and event.type == "user.registered"`)
}
func BenchmarkConcatenated(b *testing.B) { benchmarkExpr(b, `data.name + "x"`) }

// With a new Env each time, so that the data is decoded: what a run costs.
func BenchmarkContainsOfANewEvent(b *testing.B) {
	x, err := Compile(`data.email contains "@"`, HandlerWhen)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := x.Bool(NewEnv(visitor)); !ok || err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTemplateOfTwoParts(b *testing.B) {
	t, err := CompileTemplate(`New user ${ data.name } <${ data.email }>`, HandlerWith)
	if err != nil {
		b.Fatal(err)
	}
	env := NewEnv(visitor)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Text(env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeData(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.ParseJSON(visitor.Data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoop(b *testing.B) { benchmarkExpr(b, `all(1..1000, # > 0)`) }
