package handlers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/process"
	"evrun/tasks/taskstest"
)

// These measure what an outside handler costs in the whole engine (journal, claim, attempt, settlement), each beside a bare loop that does
// the same in as many goroutines: `go test -run - -bench 'HTTP|Exec$' ./tasks/handlers`. The bare loop and the engine take turns in one run. CPU
// time is that of this process and its children, so for http it includes the server's.

// BenchmarkHTTP posts events to a server in this process, with the kind's defaults, and without keeping the answers.
func BenchmarkHTTP(b *testing.B) {
	for _, c := range []struct {
		name    string
		n, keep int
	}{{"4", 4, 0}, {"64", 64, 0}, {"4-keep-none", 4, capture.None}, {"64-keep-none", 64, capture.None}} {
		n := c.n
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
			defer server.Close()
			transport := &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport}
			action := build[*httpRequest](b, "http", with("url", server.URL), Deps{})
			defer action.way.Transport.CloseIdleConnections()
			besideBare(b, &tasks.Handler{Kind: "http", Action: action, Concurrency: n, KeepOutput: c.keep}, 8000, nothing, func(data []byte) error {
				resp, err := client.Post(server.URL, "application/json", bytes.NewReader(data))
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				_, err = io.Copy(io.Discard, resp.Body)
				return err
			})
		})
	}
}

// nothing is started.
func nothing() (stop func()) { return func() {} }

// BenchmarkExec runs a program that does nothing, with orphans adopted and reaped as in a daemon. The bare loop has neither.
func BenchmarkExec(b *testing.B) {
	if err := process.Adopt(); err != nil {
		b.Fatal(err)
	}
	reap := func() (stop func()) {
		ctx, end := context.WithCancel(b.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = process.Reap(ctx)
		}()
		return func() {
			end()
			<-ended
		}
	}
	b.Run("4", func(b *testing.B) {
		action := build[tasks.Outside](b, "exec", with("command", argv("/bin/true")), Deps{})
		besideBare(b, &tasks.Handler{Kind: "exec", Action: action, Concurrency: 4}, 2000, reap, func([]byte) error { return exec.Command("/bin/true").Run() })
	})
}

// besideBare measures rounds of n events of a handler, and as many calls of bare. n is a multiple of 1,000.
// with starts what the handler needs and bare doesn't.
func besideBare(b *testing.B, h *tasks.Handler, n int, with func() (stop func()), bare func(data []byte) error) {
	b.Helper()
	const chunk = 1000
	h.Name, h.On = "h", []events.Pattern{events.MustPattern("user.registered")}
	concurrency := h.Concurrency
	d := taskstest.Start(b, taskstest.Options{Tasks: tasks.Options{
		Handlers:  []*tasks.Handler{h},
		Variables: map[string]string{variableConfig: "/evrun.yaml"}, // each attempt has a token
	}})
	registered := func(i int) []byte {
		return fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, i)
	}
	bareLoop := func() {
		var wg sync.WaitGroup
		for g := range concurrency {
			wg.Go(func() {
				for i := g; i < n; i += concurrency {
					if err := bare(registered(i)); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	engine := func() {
		defer with()()
		for from := 0; from < n; from += chunk {
			evs := make([]*events.Event, chunk)
			for i := range evs {
				evs[i] = &events.Event{Type: "user.registered", Source: "/bench", Data: registered(from + i)}
			}
			if _, err := d.Emitter.Emit(b.Context(), evs...); err != nil {
				b.Fatal(err)
			}
		}
		taskstest.AllSettled(b, d.Store)
	}
	var inBare, inEngine spent
	bareLoop() // opens connections
	engine()
	for b.Loop() {
		inBare.add(b, bareLoop)
		inEngine.add(b, engine)
	}
	calls := float64(b.N * n)
	b.ReportMetric(calls/inEngine.wall.Seconds(), "events/s")
	b.ReportMetric(calls/inBare.wall.Seconds(), "bare/s")
	b.ReportMetric(inBare.wall.Seconds()/inEngine.wall.Seconds(), "ratio")
	b.ReportMetric(float64(inEngine.cpu.Microseconds())/calls, "cpu-µs/event")
	b.ReportMetric(float64(inBare.cpu.Microseconds())/calls, "cpu-µs/bare")
}

// spent is time that parts of a benchmark took.
type spent struct{ wall, cpu time.Duration }

func (s *spent) add(b *testing.B, part func()) {
	began, cpu := time.Now(), taskstest.ProcessorTime(b)
	part()
	s.wall += time.Since(began)
	s.cpu += taskstest.ProcessorTime(b) - cpu
}
