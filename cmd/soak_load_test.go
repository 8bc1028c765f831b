package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
)

const soakSource = "/soak"

// sent is an event of a soak that was acknowledged.
type sent struct {
	id, typ string
	n       int
	seq     int64
	at      time.Time
}

// soakLoad publishes events, and has the soak's own ledger: what was acknowledged, and what came of it outside of the store.
type soakLoad struct {
	socket string
	rate   int           // events a second
	known  time.Duration // how long an event must be known as a duplicate
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	sent     []sent
	wrong    []string
	next     int
	again    int            // events that were sent again
	refused  map[string]int // answers that were no acknowledgements, by their first words
	received map[string]int // requests by their events
	hooks    *httptest.Server
}

// newSoakLoad starts the server that the http handler asks; a tenth of its answers are errors.
func newSoakLoad(socket string, rate int, known time.Duration) *soakLoad {
	l := &soakLoad{socket: socket, rate: rate, known: known, refused: map[string]int{}, received: map[string]int{}}
	l.hooks = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rand.N(10) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.received[r.URL.Query().Get("event")]++
	}))
	return l
}

// begin starts the senders: single events, lines, and events that are sent again.
func (l *soakLoad) begin(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	for range 4 {
		l.done.Go(func() { l.single(ctx, time.Second*4/time.Duration(l.rate)) })
	}
	l.done.Go(func() { l.lines(ctx) })
	l.done.Go(func() { l.repeat(ctx) })
}

// end waits until everything that was sent is acknowledged.
func (l *soakLoad) end() {
	l.stop()
	l.done.Wait()
}

// event makes the next event of a type; of each hundred, the types have their shares.
func (l *soakLoad) event() (*events.Event, int) {
	l.mu.Lock()
	l.next++
	n := l.next
	l.mu.Unlock()
	typ := "soak.effect"
	switch k := n % 100; {
	case k < 20:
		typ = "soak.skip"
	case k < 25:
		typ = "soak.exec"
	case k < 35:
		typ = "soak.http"
	case k < 37:
		typ = "soak.user"
	case k == 37 && n%300 == 37:
		typ = "soak.hang"
	}
	e := &events.Event{Type: typ, ID: fmt.Sprintf("s%08d", n), Source: soakSource, Subject: fmt.Sprintf("person-%d", n), Data: fmt.Appendf(nil, `{"n":%d,"mark":"mark-%d-of-a-person"}`, n, n)}
	if n%250 == 60 {
		e.Data = fmt.Appendf(nil, `{"n":%d,"text":%q}`, n, strings.Repeat("x", 64<<10))
	}
	return e, n
}

// single sends events one by one. One whose answer is lost is sent again until it is acknowledged, also after the end.
func (l *soakLoad) single(ctx context.Context, pace time.Duration) {
	c := client.New(l.socket)
	defer c.CloseIdleConnections()
	for ctx.Err() == nil {
		e, n := l.event()
		begun := time.Now()
		for {
			copied := *e
			rc, err := c.Emit(context.WithoutCancel(ctx), &copied)
			if err == nil {
				l.acknowledged(sent{e.ID, e.Type, n, rc.Sequence, begun})
				break
			}
			l.refuse(err)
			pauseFor(context.WithoutCancel(ctx), 20*time.Millisecond)
		}
		pauseFor(ctx, pace-time.Since(begun))
	}
}

// lines sends some hundred events at once, again and again.
func (l *soakLoad) lines(ctx context.Context) {
	c := client.New(l.socket)
	defer c.CloseIdleConnections()
	for ctx.Err() == nil {
		var text bytes.Buffer
		var list []sent
		for range 10 * l.rate {
			e, n := l.event()
			if e.Type != "soak.skip" {
				e.Type = "soak.effect"
			}
			fmt.Fprintf(&text, `{"specversion":"1.0","id":%q,"source":%q,"type":%q,"subject":%q,"data":%s}`+"\n", e.ID, e.Source, e.Type, e.Subject, e.Data)
			list = append(list, sent{e.ID, e.Type, n, 0, time.Now()})
		}
		for rest := list; len(rest) > 0; {
			_, err := c.EmitLines(context.WithoutCancel(ctx), bytes.NewReader(text.Bytes()), client.LinesOptions{LineDefaults: api.LineDefaults{First: len(list) - len(rest) + 1}, MaxData: 1 << 20, Answered: func(a client.LineAnswer) error {
				if a.Problem != nil {
					return a.Problem
				}
				var rc api.Receipt
				if err := json.Unmarshal(a.JSON, &rc); err != nil {
					return err
				}
				rest[0].seq = rc.Sequence
				l.acknowledged(rest[0])
				rest = rest[1:]
				return nil
			}})
			if err != nil {
				l.refuse(err)
				pauseFor(context.WithoutCancel(ctx), 100*time.Millisecond)
			}
		}
		pauseFor(ctx, max(2*time.Second, l.known/50))
	}
}

// repeat sends events again that must still be known, also those that were pruned.
func (l *soakLoad) repeat(ctx context.Context) {
	c := client.New(l.socket)
	defer c.CloseIdleConnections()
	for ; ctx.Err() == nil; pauseFor(ctx, 200*time.Millisecond) {
		l.mu.Lock()
		if len(l.sent) == 0 {
			l.mu.Unlock()
			continue
		}
		s := l.sent[rand.N(len(l.sent))]
		l.mu.Unlock()
		if time.Since(s.at) > l.known {
			continue
		}
		rc, err := c.Emit(ctx, &events.Event{Type: s.typ, ID: s.id, Source: soakSource, Data: []byte(`{"n":-1}`)})
		l.mu.Lock()
		switch {
		case err != nil:
		case !rc.Duplicate || rc.Sequence != s.seq:
			l.wrong = append(l.wrong, fmt.Sprintf("event %s was acknowledged as %d, and %v later as %d (duplicate: %v)", s.id, s.seq, time.Since(s.at), rc.Sequence, rc.Duplicate))
		default:
			l.again++
		}
		l.mu.Unlock()
	}
}

func (l *soakLoad) acknowledged(s sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, s)
}

func (l *soakLoad) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := err.Error()
	l.refused[text[:min(len(text), 60)]]++
}

// check reports what went wrong since the last call.
func (l *soakLoad) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.wrong {
		t.Error(text)
	}
	l.wrong = nil
}

// all returns what was acknowledged so far.
func (l *soakLoad) all() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[:len(l.sent):len(l.sent)]
}
