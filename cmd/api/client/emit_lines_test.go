package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/store"
)

// numbered makes lines whose ids are their numbers.
func numbered(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, `{"type":"x.y","id":"%d","data":{"n":%d}}`+"\n", i, i)
	}
	return b.String()
}

// answers collects the answers to lines.
type answers struct {
	accepted, duplicates []int
	refused              map[int]string // by line: its text
	last                 int
}

func (a *answers) take(t *testing.T) func(LineAnswer) error {
	a.refused = map[int]string{}
	return func(x LineAnswer) error {
		if x.Number <= a.last {
			t.Errorf("line %d is answered after %d", x.Number, a.last)
		}
		a.last = x.Number
		switch {
		case x.Problem != nil:
			a.refused[x.Number] = string(x.Text)
		case x.Duplicate:
			a.duplicates = append(a.duplicates, x.Number)
		default:
			a.accepted = append(a.accepted, x.Number)
			var e struct{ ID string }
			var rc api.Receipt
			if err := errors.Join(json.Unmarshal(x.Text, &e), json.Unmarshal(x.JSON, &rc)); err != nil || e.ID != "" && e.ID != rc.ID {
				t.Errorf("line %d, %s, is answered with %s (%v)", x.Number, x.Text, x.JSON, err)
			}
		}
		return nil
	}
}

// bothWays runs a test with a daemon, and in process.
func bothWays(t *testing.T, run func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error))) {
	t.Run("daemon", func(t *testing.T) {
		d := serve(t)
		run(t, d, d.EmitLines)
	})
	t.Run("in process", func(t *testing.T) {
		d := serve(t)
		run(t, d, d.inProcess().EmitLines)
	})
}

func TestEachLineIsAnsweredInOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		const n = 5000
		lines := strings.SplitAfter(numbered(n), "\n")
		lines[9] = "\n"
		lines[10] = "{}\r\n"
		lines[11] = strings.Repeat("x", 100_000) + "\n" // longer than a line may be
		lines[12] = "{\"type\":\"\xff\"}\n"
		lines[13] = lines[8]                                                                      // line 9 again
		lines[14] = `{"type":"x.y","id":"big","data":"` + strings.Repeat("y", 1100) + `"}` + "\n" // a line that may be, an event that may not
		lines[2000] = " \t\r\n"
		lines[n-1] = strings.Repeat("z", 100_000)
		var a answers
		var long spilled
		next, err := emit(t.Context(), strings.NewReader("\ufeff"+strings.Join(lines, "")), LinesOptions{
			MaxData: 1000, Answered: a.take(t), TooLong: func() io.WriteCloser { return &long }})
		if err != nil || next != n+1 {
			t.Fatalf("next %d, %v", next, err)
		}
		if len(a.accepted) != n-8 || len(a.duplicates) != 1 || a.duplicates[0] != 14 {
			t.Errorf("%d accepted, duplicates %v", len(a.accepted), a.duplicates)
		}
		want := map[int]string{11: "{}\r", 12: "", 13: "{\"type\":\"\xff\"}", 15: strings.TrimSpace(lines[14]), n: ""}
		if !maps.Equal(a.refused, want) {
			t.Errorf("refused %.50v", a.refused)
		}
		if want := lines[11] + lines[n-1] + "\n"; long.String() != want {
			t.Errorf("%d bytes of lines that are too long, want %d", long.Len(), len(want))
		}
		evs, err := d.store.Events(t.Context(), store.EventQuery{Limit: n})
		if err != nil || len(evs) != n-8 {
			t.Fatalf("%d events, %v", len(evs), err)
		}
		for i, before := range evs[:len(evs)-1] {
			x, _ := strconv.Atoi(before.ID)
			y, _ := strconv.Atoi(evs[i+1].ID)
			if x >= y {
				t.Fatalf("event %s comes before %s", before.ID, evs[i+1].ID)
			}
		}
	})
}

type spilled struct{ bytes.Buffer }

func (*spilled) Close() error { return nil }

func TestIdsOfLineNumbersMakeSendingAgainSafe(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		lines := strings.Repeat("{\"type\":\"x.y\"}\n", 10)
		for _, x := range []struct{ first, accepted, duplicates int }{{6, 5, 0}, {1, 5, 5}, {11, 0, 0}, {99, 0, 0}} {
			var a answers
			_, err := emit(t.Context(), strings.NewReader(lines), LinesOptions{
				LineDefaults: api.LineDefaults{Source: "/import", ID: "b", First: x.first}, MaxData: 1000, Answered: a.take(t)})
			if err != nil || len(a.accepted) != x.accepted || len(a.duplicates) != x.duplicates {
				t.Errorf("from line %d: %v accepted, %v duplicates, %v", x.first, a.accepted, a.duplicates, err)
			}
		}
		if e, err := d.store.Event(t.Context(), "b-7"); err != nil || e.Source != "/import" {
			t.Errorf("line 7: %+v, %v", e, err)
		}
	})
}

// Lines without an answer need no memory, however many there are.
func TestBlankLinesDoNotFillTheWindow(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		var a answers
		in := strings.Repeat("\n", 3<<20) + "{\"type\":\"x.y\"}\n" + strings.Repeat(" \n", 1<<20)
		if _, err := emit(t.Context(), strings.NewReader(in), LinesOptions{MaxData: 1000, Answered: a.take(t)}); err != nil || a.last != 3<<20+1 {
			t.Errorf("line %d, %v", a.last, err)
		}
	})
}

func TestLoneLineIsAnsweredAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		in, w := io.Pipe()
		answered := make(chan int)
		done := make(chan error)
		go func() {
			_, err := emit(t.Context(), in, LinesOptions{MaxData: 1000, Answered: func(a LineAnswer) error {
				answered <- a.Number
				return nil
			}})
			done <- err
		}()
		for i := 1; i <= 3; i++ { // the next line waits for the answer, and the end of this one is in memory with half of the next
			fmt.Fprintf(w, "{\"type\":\"x.y\"}\n{\"type\":")
			if n := <-answered; n != 2*i-1 {
				t.Fatalf("line %d is answered, not %d", n, 2*i-1)
			}
			fmt.Fprintf(w, "\"x.y\"}\n")
			<-answered
		}
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The store is full after some chunks: exactly the lines that were answered are stored.
func TestFullDiskSaysUpToWhere(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		d.store.appends.Store(3)
		full := store.ErrFull
		d.store.fault.Store(&full)
		var a answers
		next, err := emit(t.Context(), strings.NewReader(numbered(8_000)), LinesOptions{MaxData: 1000, Answered: a.take(t)})
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != http.StatusInsufficientStorage || p.Line != next || next != a.last+1 || a.last == 0 {
			t.Errorf("next %d, the last answer %d, %v", next, a.last, err)
		}
		if head, err := d.store.Head(t.Context()); err != nil || head != int64(a.last) {
			t.Errorf("%d events, %d answers, %v", head, a.last, err)
		}
		d.store.fault.Store(nil)
		if _, err := emit(t.Context(), strings.NewReader(numbered(8_000)), LinesOptions{
			LineDefaults: api.LineDefaults{First: next}, MaxData: 1000, Answered: a.take(t)}); err != nil {
			t.Error(err)
		}
		if head, err := d.store.Head(t.Context()); err != nil || head != 8_000 {
			t.Errorf("%d events, %v", head, err)
		}
	})
}

func TestStopSaysUpToWhere(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		ctx, cancel := context.WithCancel(t.Context())
		in, w := io.Pipe()
		defer w.Close()
		go func() { _, _ = io.WriteString(w, numbered(3000)) }() // and then nothing comes, nor an end
		var a answers
		take := a.take(t)
		next, err := emit(ctx, in, LinesOptions{MaxData: 1000, Answered: func(x LineAnswer) error {
			if x.Number == 3000 {
				cancel()
			}
			return take(x)
		}})
		if !errors.Is(err, ErrStopped) || next != 3001 {
			t.Errorf("next %d, %v", next, err)
		}
		if head, err := d.store.Head(t.Context()); err != nil || head != 3000 {
			t.Errorf("%d events, %v", head, err)
		}
	})
}

// A daemon that stops ends a body of NDJSON that waits for more lines, and says so.
func TestStopOfTheDaemonEndsIdleSenders(t *testing.T) {
	d := serve(t)
	in, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.WriteString(w, numbered(10)) }()
	var a answers
	take := a.take(t)
	next, err := d.EmitLines(t.Context(), in, LinesOptions{MaxData: 1000, Answered: func(x LineAnswer) error {
		if x.Number == 10 {
			d.server.Drain()
			go d.close()
		}
		return take(x)
	}})
	var p *api.Problem
	if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || next != 11 {
		t.Errorf("next %d, %v", next, err)
	}
	d.close()
}

// The daemon dies while lines are being sent.
func TestLostConnectionSaysUpToWhere(t *testing.T) {
	for _, whole := range []int{0, 1, 1500} {
		t.Run(strconv.Itoa(whole), func(t *testing.T) {
			d := listen(t, func(w io.Writer) {
				body := httputil.NewChunkedWriter(w)
				fmt.Fprint(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for i := 1; i <= whole; i++ {
					fmt.Fprintf(body, `{"id":"%d","source":"/","seq":"%d","duplicate":false}`+"\n", i, i)
				}
				fmt.Fprint(body, `{"id":"cut o`)
			})
			var a answers
			next, err := d.EmitLines(t.Context(), strings.NewReader(numbered(100_000)), LinesOptions{MaxData: 1000, Answered: a.take(t)})
			if !errors.Is(err, ErrBroke) || next != whole+1 || a.last != whole {
				t.Errorf("next %d, the last answer %d, %v", next, a.last, err)
			}
		})
	}
}

func TestAnswersToLinesThatWereNotSentAreAnError(t *testing.T) {
	d := listen(t, func(w io.Writer) {
		fmt.Fprint(w, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat(`{"id":"1","source":"/","seq":"1","duplicate":false}`+"\n", 3))
	})
	next, err := d.EmitLines(t.Context(), strings.NewReader(numbered(2)), LinesOptions{MaxData: 1000, Answered: func(LineAnswer) error { return nil }})
	if err == nil || next != 3 {
		t.Errorf("next %d, %v", next, err)
	}
}

func TestCallerCanEndTheSending(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		enough := errors.New("enough")
		next, err := emit(t.Context(), strings.NewReader(numbered(8_000)), LinesOptions{MaxData: 1000, Answered: func(a LineAnswer) error {
			if a.Number == 10 {
				return enough
			}
			return nil
		}})
		if !errors.Is(err, enough) || next != 11 {
			t.Errorf("next %d, %v", next, err)
		}
	})
}

func TestInputThatBreaksOffSaysWhere(t *testing.T) {
	bothWays(t, func(t *testing.T, d *daemon, emit func(context.Context, io.Reader, LinesOptions) (int, error)) {
		broken := errors.New("broken")
		in, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, numbered(10)+`{"type":"x`)
			w.CloseWithError(broken)
		}()
		var a answers
		next, err := emit(t.Context(), in, LinesOptions{MaxData: 1000, Answered: a.take(t)})
		if !errors.Is(err, broken) || next != 11 || len(a.accepted) != 10 {
			t.Errorf("next %d, %d accepted, %v", next, len(a.accepted), err)
		}
	})
}
