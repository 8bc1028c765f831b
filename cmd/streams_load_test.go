package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// streamsWiring is that of their daemon: without handlers, so that what the streams cost is seen.
const streamsWiring = "store: evrun.db\nlog: {level: error}\nserver: {socket: evrun.sock, listen: \"127.0.0.1:0\"}\n"

// streamsLoad is a daemon that many streams follow while events come at a rate.
type streamsLoad struct {
	t       *testing.T
	d       *daemon
	address string       // of its TCP port
	headers string       // of each request
	n       atomic.Int64 // events that were sent
	matched atomic.Int64 // events that the streams' filters select, and that were acknowledged
	last    atomic.Int64 // the largest seq of these
	rate    int          // events a second
}

func newStreamsLoad(t *testing.T, rate int) *streamsLoad {
	t.Helper()
	d := serve(t, wired(t, streamsWiring), nil)
	d.ready(t)
	t.Cleanup(func() { d.stop(t) })
	url, token := d.tcp(t)
	address := strings.TrimPrefix(url, "http://")
	return &streamsLoad{t: t, d: d, address: address, headers: fmt.Sprintf("Host: %s\r\nAuthorization: Bearer %s\r\n", address, token), rate: rate}
}

func (l *streamsLoad) dial() net.Conn {
	l.t.Helper()
	c, err := net.Dial("tcp", l.address)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// send sends single events for a while, 1 % of which the streams' filters select, and returns how long each waited for its answer, sorted. An event is due
// at its time, whether or not those before it have been answered.
func (l *streamsLoad) send(length time.Duration) (waits []time.Duration) {
	const connections = 50
	ctx, stop := context.WithTimeout(l.t.Context(), length)
	defer stop()
	began := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex
	for range connections {
		c := l.dial()
		all.Go(func() {
			defer c.Close()
			in, own := bufio.NewReader(c), []time.Duration(nil)
			for ctx.Err() == nil {
				due := began.Add(time.Duration(next.Add(1)-1) * time.Second / time.Duration(l.rate))
				pauseFor(ctx, time.Until(due))
				if ctx.Err() != nil {
					break
				}
				if err := l.one(c, in); err != nil {
					l.t.Error(err)
					break
				}
				own = append(own, time.Since(due))
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, own...)
		})
	}
	all.Wait()
	slices.Sort(waits)
	return waits
}

// one sends an event, and waits for its answer.
func (l *streamsLoad) one(c net.Conn, in *bufio.Reader) error {
	n, typ := l.n.Add(1), "load.other"
	if n%100 == 0 {
		typ = "load.match"
	}
	body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/load","type":"%s","data":{"n":%[1]d,"text":"%[3]s"}}`, n, typ, strings.Repeat("x", 100))
	if _, err := fmt.Fprintf(c, "POST /v1/events HTTP/1.1\r\n%sContent-Type: application/cloudevents+json\r\nContent-Length: %d\r\n\r\n%s", l.headers, len(body), body); err != nil {
		return err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s, %w", res.Status, text, err)
	}
	if n%100 != 0 {
		return nil
	}
	_, digits, _ := bytes.Cut(text, []byte(`"seq":"`))
	digits, _, _ = bytes.Cut(digits, []byte(`"`))
	seq, err := strconv.ParseInt(string(digits), 10, 64)
	l.matched.Add(1)
	for last := l.last.Load(); seq > last && !l.last.CompareAndSwap(last, seq); last = l.last.Load() {
	}
	return err
}

// listeners are open streams: every second one reads, and counts.
type listeners struct {
	conns   []net.Conn
	reading sync.WaitGroup
	failed  chan error
	reached []atomic.Int64 // by reader: the seq of its last event
	counts  []atomic.Int64 // by reader: its events
}

// streamFilter is the filter of a stream, which selects 1 % of the events: by type, or by a condition of which there are ten.
func streamFilter(i int) string {
	if i%4 < 2 {
		return "type=load.match"
	}
	return "where=" + url.QueryEscape(fmt.Sprintf("data.n %% 100 == 0 and data.n > -%d", 1+i%10))
}

// open opens streams.
func (l *streamsLoad) open(n int) *listeners {
	l.t.Helper()
	all := &listeners{failed: make(chan error, n), reached: make([]atomic.Int64, n), counts: make([]atomic.Int64, n)}
	for i := range n {
		c := l.dial()
		all.conns = append(all.conns, c)
		if _, err := fmt.Fprintf(c, "GET /v1/stream?%s HTTP/1.1\r\n%s\r\n", streamFilter(i), l.headers); err != nil {
			l.t.Fatal(err)
		}
		in := bufio.NewReaderSize(c, 4<<10)
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			l.t.Fatalf("stream %d: %q, %v", i, line, err)
		}
		for line := ""; !strings.HasPrefix(line, "event: head"); {
			var err error
			if line, err = in.ReadString('\n'); err != nil {
				l.t.Fatal(err)
			}
		}
		if i%2 == 0 {
			all.reading.Go(func() { all.read(i, in) })
		}
	}
	return all
}

// read reads a stream until it is closed.
func (a *listeners) read(i int, in *bufio.Reader) {
	for id := int64(0); ; {
		line, err := in.ReadSlice('\n')
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				a.failed <- fmt.Errorf("stream %d: %w", i, err)
			}
			return
		}
		if text, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			id, _ = strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		} else if bytes.HasPrefix(line, []byte("event: event")) {
			if id <= a.reached[i].Load() {
				a.failed <- fmt.Errorf("stream %d: #%d comes after #%d", i, id, a.reached[i].Load())
				return
			}
			a.reached[i].Store(id)
			a.counts[i].Add(1)
		}
	}
}

// close waits until all that read have the last event that was selected, closes the streams, and checks that each has got so many events.
func (a *listeners) close(t *testing.T, last, count int64) {
	t.Helper()
	defer a.reading.Wait()
	defer func() {
		for _, c := range a.conns {
			c.Close()
		}
	}()
	within(t, time.Minute, "all readers have the last event", func() (bool, string) {
		pauseFor(t.Context(), time.Millisecond)
		select {
		case err := <-a.failed:
			t.Fatal(err)
		default:
		}
		for i := 0; i < len(a.conns); i += 2 {
			if at := a.reached[i].Load(); at < last {
				return false, fmt.Sprintf("stream %d is at #%d of #%d", i, at, last)
			}
		}
		return true, ""
	})
	for i := 0; i < len(a.conns); i += 2 {
		if n := a.counts[i].Load(); n != count {
			t.Errorf("stream %d has %d of %d events", i, n, count)
		}
	}
}

// resident is the memory of the daemon's process, in MiB.
func (l *streamsLoad) resident() float64 {
	l.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.d.cmd.Process.Pid))
	if err != nil {
		l.t.Skip("the memory of a process can't be read here: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return n / 1024
}

func at(sorted []time.Duration, part float64) time.Duration {
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// Every reader gets each event of its filter exactly once and in order, beside as many that never read.
func TestManyStreamsGetEachEventOnce(t *testing.T) {
	proof(t)
	l := newStreamsLoad(t, 2000)
	streams := l.open(100)
	l.send(time.Second)
	streams.close(t, l.last.Load(), l.matched.Load())
}

// TestStreamsUnderLoad measures what a thousand streams, half of which never read, cost those who publish, and how much memory: 5,000 events a second, of
// which the streams select 1 %. The daemon, those who send and the streams' readers are three processes. Rounds without streams and with them take turns;
// it prints their medians.
//
// EVRUN_STREAM_LOAD is how long a round takes, in seconds; without it nothing is measured.
func TestStreamsUnderLoad(t *testing.T) {
	seconds, _ := strconv.Atoi(os.Getenv("EVRUN_STREAM_LOAD"))
	if seconds == 0 {
		t.Skip("EVRUN_STREAM_LOAD is not set")
	}
	const rounds, streams = 7, 1000
	l := newStreamsLoad(t, 5000)
	length := time.Duration(seconds) * time.Second
	l.send(length / 2)
	var without, with, ratios []time.Duration
	var memory []float64
	side := func(n int) time.Duration {
		var opened *listenersProcess
		if n > 0 {
			opened = l.openElsewhere(n)
		}
		count, idle, began := l.matched.Load(), l.resident(), processorTime(t, l.d.cmd.Process.Pid)
		waits := l.send(length)
		busy := processorTime(t, l.d.cmd.Process.Pid) - began
		if n > 0 {
			opened.close(t, l.matched.Load()-count)
			memory = append(memory, l.resident())
		}
		t.Logf("%4d streams: p50 %.1f ms, p99 %.1f ms of %d; the daemon took %.0f %% of a processor, and has %.0f MiB, %.0f before", n, milliseconds(at(waits, .5)),
			milliseconds(at(waits, .99)), len(waits), 100*busy.Seconds()/length.Seconds(), l.resident(), idle)
		return at(waits, .99)
	}
	for i := range rounds {
		var one, other time.Duration
		if i%2 == 0 {
			one = side(0)
			other = side(streams)
		} else {
			other = side(streams)
			one = side(0)
		}
		without, with, ratios = append(without, one), append(with, other), append(ratios, 1000*other/one)
	}
	slices.Sort(without)
	slices.Sort(with)
	slices.Sort(ratios)
	slices.Sort(memory)
	t.Logf("medians: p99 %.1f ms without streams, %.1f ms with %d, %.2f times; of the rounds' ratios %.2f; the daemon has %.0f MiB at most", milliseconds(without[rounds/2]),
		milliseconds(with[rounds/2]), streams, float64(with[rounds/2])/float64(without[rounds/2]), float64(ratios[rounds/2])/1000, memory[rounds-1])
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
