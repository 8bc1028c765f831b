package tasks_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"evrun/store/sqlite/sqlitetest"
	"evrun/tasks"
	"evrun/tasks/taskstest"
)

// bulkEvents is how many events a round of a bulk benchmark has.
const bulkEvents = 100_000

// BenchmarkBulk measures the engine's throughput, each round beside bare inserts of the same rows: append, handle, insert a user, settle. The metrics
// are medians of the rounds. CPU-µs is the processor time of an event, of the engine and of the benchmark itself.
//
//	go test -run - -bench 'Bulk$/' -benchtime 5x ./tasks
//
// save has one inside handler. emit adds a second inside handler, of the event that the first one emits: the figures are those of the input events.
// log adds a second handler of the same event, which writes to the daemon's log; outside one whose attempts are outside and do nothing. skip has one
// handler alone, whose condition skips 99 of 100 events. These three are over when all runs are settled.
func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		name     string
		handlers func(b *testing.B) []*tasks.Handler
	}{
		{"save", func(b *testing.B) []*tasks.Handler { return []*tasks.Handler{userInsert(b)} }},
		{"emit", func(b *testing.B) []*tasks.Handler {
			first := userInsert(b)
			first.Emit = emitting(b, nil)
			second := handler(b, "copy-user", "b", "user.insert", map[string]any{"name": "${ data.name }", "email": "copy-${ data.email }"})
			return []*tasks.Handler{first, second}
		}},
		{"log", func(b *testing.B) []*tasks.Handler {
			return []*tasks.Handler{userInsert(b), handler(b, "say", "user.registered", "log", map[string]any{"message": "${ data.name } is new"})}
		}},
		{"skip", func(b *testing.B) []*tasks.Handler {
			seldom := handler(b, "say", "user.registered", "log", map[string]any{"message": "${ data.name } is new"})
			seldom.When = by(b, `data.plan == "pro" and data.email endsWith "00@example.com"`)
			return []*tasks.Handler{seldom}
		}},
		{"outside", func(b *testing.B) []*tasks.Handler {
			return []*tasks.Handler{userInsert(b), {Name: "nothing", On: on("user.registered"), Kind: "nothing", Concurrency: 4, Action: nothing{}}}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := start(b, path(b), c.handlers(b)...)
			bulk(b, d, d.allSettled)
		})
	}
}

// nothing is an action outside of evrun whose attempts return at once.
type nothing struct{}

func (nothing) Do(context.Context, *tasks.Delivery) (any, error) { return nil, nil }

// bulk measures rounds of bulkEvents events, each beside bare inserts. reached waits until the handlers have ended their work on n events.
func bulk(b *testing.B, d *daemon, reached func(n int)) {
	b.Helper()
	var rate, bare, ratio, cpu taskstest.Rates
	done := 0
	for b.Loop() {
		limit := sqlitetest.BareInserts(b, bulkEvents, 1000)
		runtime.GC()
		begin, used := time.Now(), taskstest.ProcessorTime(b)
		d.bulk(done, bulkEvents, reached)
		perSecond := bulkEvents / time.Since(begin).Seconds()
		rate, bare, ratio = append(rate, perSecond), append(bare, limit), append(ratio, perSecond/limit)
		cpu = append(cpu, float64((taskstest.ProcessorTime(b)-used).Nanoseconds())/1000/bulkEvents)
		done += bulkEvents
	}
	b.ReportMetric(rate.Median(), "events/s")
	b.ReportMetric(bare.Median(), "bare/s")
	b.ReportMetric(ratio.Median(), "of-bare")
	b.ReportMetric(cpu.Median(), "CPU-µs")
}

// allSettled waits until every handler has settled its runs on all events.
func (d *daemon) allSettled(int) { taskstest.AllSettled(d.t, d.store) }
