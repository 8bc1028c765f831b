package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evrun/cmd/api/access"
	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/handlers"
	"evrun/tasks/taskstest"
)

// loadToken is the token of the benchmarks. Each request passes the gate.
const loadToken = "evr_benchmark"

// loopback listens on a loopback port, and has serve answer there until the benchmark ends.
func loopback(b *testing.B, serve func(net.Listener) error, closes func() error) (address string) {
	b.Helper()
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = serve(l) })
	b.Cleanup(func() {
		if err := closes(); err != nil {
			b.Error(err)
		}
		serving.Wait()
	})
	return l.Addr().String()
}

// apiOnTCP is the API as it is by TCP, with the gate and all limits.
func apiOnTCP(b *testing.B, o Options) (address string) {
	b.Helper()
	r, f := access.ParseRights([]string{"admin"})
	if f != nil {
		b.Fatal(f)
	}
	o.Log, o.MaxData, o.Tokens = quiet(), emitter.DefaultMaxEvent, access.NewTokens()
	o.Tokens.Set(access.Owner, []access.Token{{Name: "owner", Hash: access.HashOf(loadToken), Rights: r}})
	s := NewServer(o)
	return loopback(b, func(l net.Listener) error { return s.ServeTCP(l, nil) }, func() error { return s.Close(context.Background()) })
}

// connect opens a connection of a lean client: what it costs is not the server's.
func connect(b *testing.B, address string) (net.Conn, *bufio.Reader) {
	b.Helper()
	c, err := new(net.Dialer).DialContext(b.Context(), "tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReaderSize(c, 64<<10)
}

// head is the head of a request.
func head(path, contentType string, length int) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, loadToken, contentType, length)
}

// statusOf reads an answer with a known length, and returns its status.
func statusOf(in *bufio.Reader) (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, err
		case first:
			status, err = strconv.Atoi(string(line[9:12]))
			if err != nil {
				return 0, err
			}
		case len(line) == 2:
			_, err = in.Discard(length)
			return status, err
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[16:]))); err != nil {
				return 0, err
			}
		}
	}
}

// loadEvent is the text of an event of the benchmarks.
func loadEvent(dst []byte, i int) []byte {
	return fmt.Appendf(dst, `{"specversion":"1.0","type":"user.registered","source":"/bench","id":"e-%d","data":{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}}`, i, i)
}

// BenchmarkLoadInBulk measures how fast events come in by TCP as NDJSON (one connection) and in batches of 1,000 (four connections), each
// round beside the same events that two goroutines of this process emit. With "save", a handler inserts a user for each, and a round is
// over when the last one is stored, as in BenchmarkBulk of package tasks; with "accept", nothing is wired.
//
//	go test -run - -bench LoadInBulk -benchtime 5x ./cmd/api
//
// The metrics are medians of the rounds; "of-bulk" are the medians of the rounds' ratios to in-process.
func BenchmarkLoadInBulk(b *testing.B) {
	for _, name := range []string{"save", "accept"} {
		b.Run(name, func(b *testing.B) {
			var wired []*tasks.Handler
			if name == "save" {
				action, faults := handlers.Build("user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }"}, handlers.Deps{})
				if len(faults) > 0 {
					b.Fatal(faults[0].Message)
				}
				wired = append(wired, &tasks.Handler{Name: "save-user", On: []events.Pattern{events.MustPattern("user.registered")}, Kind: "user.insert", Action: action})
			}
			d := taskstest.Start(b, taskstest.Options{Path: filepath.Join(b.TempDir(), "evrun.db"), Tasks: tasks.Options{Handlers: wired}})
			address := apiOnTCP(b, Options{Store: d.Store, Emitter: d.Emitter, Handlers: d.Runner, Daemon: &Daemon{Runner: d.Runner, Bus: d.Bus, Commits: d.Commits}})
			loadInBulk(b, d, address, wired != nil)
		})
	}
}

func loadInBulk(b *testing.B, d *taskstest.Daemon, address string, saves bool) {
	const n, chunk = 50_000, 1000
	base := 0
	round := func(send func(base int)) float64 {
		runtime.GC()
		began := time.Now()
		send(base)
		base += n
		if saves {
			usersReach(b, d.Store, base)
		}
		return n / time.Since(began).Seconds()
	}
	inProcess := func(base int) {
		send(2, func(c int) {
			evs := make([]*events.Event, chunk)
			for i := range evs {
				id := base + c*chunk + i
				evs[i] = &events.Event{ID: fmt.Sprint("e-", id), Type: "user.registered", Source: "/bench",
					Data: fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, id)}
			}
			if _, err := d.Emitter.Emit(context.Background(), evs...); err != nil {
				b.Error(err)
			}
		}, n/chunk)
	}
	var bulk, lines, batches, ofLines, ofBatches taskstest.Rates
	for b.Loop() {
		own := round(inProcess)
		text := linesOf(base, n)
		byLine := round(func(int) { sendLines(b, address, text, n) })
		bodies := batchesOf(base, n, chunk)
		byBatch := round(func(int) { sendBatches(b, address, bodies) })
		bulk, lines, batches = append(bulk, own), append(lines, byLine), append(batches, byBatch)
		ofLines, ofBatches = append(ofLines, byLine/own), append(ofBatches, byBatch/own)
	}
	b.ReportMetric(bulk.Median(), "in-process/s")
	b.ReportMetric(lines.Median(), "lines/s")
	b.ReportMetric(batches.Median(), "batched/s")
	b.ReportMetric(ofLines.Median(), "lines-of-bulk")
	b.ReportMetric(ofBatches.Median(), "batched-of-bulk")
}

// send calls one for the numbers below n, from so many goroutines.
func send(goroutines int, one func(int), n int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for c := next.Add(1) - 1; c < int64(n); c = next.Add(1) - 1 {
				one(int(c))
			}
		})
	}
	wg.Wait()
}

func linesOf(base, n int) (text []byte) {
	for i := range n {
		text = append(loadEvent(text, base+i), '\n')
	}
	return text
}

func batchesOf(base, n, chunk int) (bodies [][]byte) {
	for c := range n / chunk {
		body := []byte{'['}
		for i := range chunk {
			body = append(loadEvent(body, base+c*chunk+i), ',')
		}
		body[len(body)-1] = ']'
		bodies = append(bodies, body)
	}
	return bodies
}

// sendLines sends lines in one request, and counts the receipts.
func sendLines(b *testing.B, address string, text []byte, n int) {
	b.Helper()
	c, in := connect(b, address)
	go func() {
		_, _ = c.Write(head("/v1/events", "application/x-ndjson", len(text)))
		_, _ = c.Write(text)
	}()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	got, part := 0, make([]byte, 64<<10)
	for err == nil {
		var size int
		size, err = res.Body.Read(part)
		got += bytes.Count(part[:size], []byte("\n"))
		if bytes.Contains(part[:size], []byte(`"status"`)) {
			b.Fatalf("%s", part[:size])
		}
	}
	if got != n {
		b.Fatalf("%d of %d lines, %v", got, n, err)
	}
}

// batchConnections is how many batches are on their way at the same time.
const batchConnections = 4

// sendBatches sends batches.
func sendBatches(b *testing.B, address string, bodies [][]byte) {
	b.Helper()
	type conn struct {
		c  net.Conn
		in *bufio.Reader
	}
	free := make(chan conn, batchConnections)
	for range batchConnections {
		c, in := connect(b, address)
		free <- conn{c, in}
	}
	send(batchConnections, func(i int) {
		to := <-free
		defer func() { free <- to }()
		_, _ = to.c.Write(head("/v1/events", "application/cloudevents-batch+json", len(bodies[i])))
		_, _ = to.c.Write(bodies[i])
		res, err := http.ReadResponse(to.in, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if err != nil || res.StatusCode != http.StatusAccepted {
			b.Error(res, err)
		}
	}, len(bodies))
}

// usersReach waits for n user rows.
func usersReach(b *testing.B, s store.Store, n int) {
	b.Helper()
	for tick := time.Tick(time.Millisecond); ; <-tick {
		page, err := s.ListUsers(b.Context(), int64(n-1), 1)
		if err != nil {
			b.Fatal(err)
		}
		if len(page) > 0 {
			return
		}
	}
}

// BenchmarkLoadOfSingles measures requests with one event each over 64 connections, each round beside those that a bare handler of net/http
// answers: it reads the body, decodes the event, appends it to the same kind of store, and writes the receipt. Both have the same clients.
//
//	go test -run - -bench LoadOfSingles -benchtime 5x ./cmd/api
//
// The metrics are medians of the rounds; "of-bare" is the median of the rounds' ratios.
func BenchmarkLoadOfSingles(b *testing.B) {
	bareStore, _ := taskstest.OpenStore(b, filepath.Join(b.TempDir(), "bare.db"), sqlite.Options{})
	server := &http.Server{Handler: bareHandler(bareStore), ReadHeaderTimeout: 10 * time.Second}
	bare := loopback(b, server.Serve, server.Close)
	for _, mode := range []struct {
		name    string
		request func(dst []byte, i int) []byte
	}{
		{"structured", func(dst []byte, i int) []byte {
			body := loadEvent(nil, i)
			return append(append(dst, head("/v1/events", "application/cloudevents+json", len(body))...), body...)
		}},
		{"plain", func(dst []byte, i int) []byte {
			body := loadData(i)
			return append(append(dst, head("/v1/events/user.registered?source=/bench&id=e-"+strconv.Itoa(i), "application/json", len(body))...), body...)
		}},
		{"binary", func(dst []byte, i int) []byte {
			body := loadData(i)
			head := head("/v1/events", "application/json", len(body))
			dst = append(dst, head[:len(head)-2]...)
			return append(fmt.Appendf(dst, "Ce-Specversion: 1.0\r\nCe-Type: user.registered\r\nCe-Source: /bench\r\nCe-Id: e-%d\r\n\r\n", i), body...)
		}},
	} {
		b.Run(mode.name, func(b *testing.B) {
			s, _ := taskstest.OpenStore(b, filepath.Join(b.TempDir(), "evrun.db"), sqlite.Options{})
			address := apiOnTCP(b, Options{Store: s, Emitter: emitter.New(s, 0)})
			const n = 20_000
			var own, others, ratio taskstest.Rates
			for b.Loop() {
				limit := singles(b, bare, n, structuredRequest)
				rate := singles(b, address, n, mode.request)
				own, others, ratio = append(own, rate), append(others, limit), append(ratio, rate/limit)
			}
			b.ReportMetric(own.Median(), "events/s")
			b.ReportMetric(others.Median(), "bare/s")
			b.ReportMetric(ratio.Median(), "of-bare")
		})
	}
}

func loadData(i int) []byte {
	return fmt.Appendf(nil, `{"name":"Ada Lovelace","email":"user-%d@example.com","plan":"pro"}`, i)
}

// structuredRequest is what the bare handler takes.
func structuredRequest(dst []byte, i int) []byte {
	body := loadEvent(nil, i)
	return append(append(dst, head("/", "application/cloudevents+json", len(body))...), body...)
}

// bareHandler is the least that a handler of net/http can do to accept an event durably.
func bareHandler(s *sqlite.Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		e := new(events.Event)
		if err == nil {
			err = e.UnmarshalJSON(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		e.Time, e.CorrelationID = time.Now().UTC(), e.ID
		receipts, err := s.Append(r.Context(), []*events.Event{e})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"id":%q,"seq":"%d"}`, e.ID, receipts[0].Sequence)
	})
}

// singleEvents numbers the events of BenchmarkLoadOfSingles.
var singleEvents atomic.Int64

// singles sends n requests over 64 connections, each after the answer to the one before, and returns how many were answered in a second.
func singles(b *testing.B, address string, n int, request func(dst []byte, i int) []byte) float64 {
	b.Helper()
	const connections = 64
	var requests [connections][][]byte
	for c := range requests {
		for range n / connections {
			requests[c] = append(requests[c], request(nil, int(singleEvents.Add(1))))
		}
	}
	runtime.GC()
	var wg sync.WaitGroup
	began := time.Now()
	for _, own := range requests {
		c, in := connect(b, address)
		wg.Go(func() {
			for _, text := range own {
				if _, err := c.Write(text); err != nil {
					b.Error(err)
					return
				}
				if status, err := statusOf(in); status != http.StatusAccepted || err != nil {
					b.Error(status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n/connections*connections) / time.Since(began).Seconds()
}
