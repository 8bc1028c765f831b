package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// cutter is a proxy before a server, which cuts connections where it hurts.
type cutter struct {
	net.Listener
	target string // a Unix socket
	mu     sync.Mutex
	conns  map[net.Conn]bool
	away   atomic.Bool  // it passes no connections on
	deaf   atomic.Bool  // answers of the server are not passed on: the connection ends with the first one
	era    atomic.Int64 // connections of an earlier one pass nothing on, and don't end
	forgot atomic.Bool  // the next answer to a COMMIT is not passed on
}

func newCutter(t *testing.T, address string) (*cutter, string) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, target: filepath.Join(config.Host, fmt.Sprintf(".s.PGSQL.%d", config.Port)), conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); c.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(in)
		}
	}()
	return c, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", l.Addr().(*net.TCPAddr).Port, config.Database)
}

func (c *cutter) pass(in net.Conn) {
	out, err := net.Dial("unix", c.target)
	if err == nil && c.away.Load() {
		out.Close()
		in.Close()
		return
	}
	if err != nil {
		in.Close()
		return
	}
	c.mu.Lock()
	c.conns[in], c.conns[out] = true, true
	c.mu.Unlock()
	era := c.era.Load()
	go func() { io.Copy(out, in); out.Close() }()
	buf := make([]byte, 1<<16)
	for {
		n, err := out.Read(buf)
		if err == nil && (c.deaf.Load() || bytes.Contains(buf[:n], []byte("COMMIT\x00")) && c.forgot.CompareAndSwap(true, false)) {
			break
		}
		if err == nil && c.era.Load() > era {
			continue
		}
		if err == nil {
			_, err = in.Write(buf[:n])
		}
		if err != nil {
			break
		}
	}
	in.Close()
	out.Close()
	c.mu.Lock()
	delete(c.conns, in)
	delete(c.conns, out)
	c.mu.Unlock()
}

// cut ends all connections.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

// Connections break before a COMMIT arrives, and before its answer does. Every event is accepted once, and says so; every attempt is settled once; all
// are published in order.
func TestNoWriteIsLostOrDoubledWhenAnswersAreLost(t *testing.T) {
	proxy, address := newCutter(t, postgrestest.Database(t))
	var published []int64
	var lost, answers atomic.Int64
	opt := postgres.Options{Options: store.Options{OnCommit: func(c store.Commit) {
		for _, e := range c.Events {
			published = append(published, e.Sequence)
		}
	}}}
	var armed atomic.Bool
	opt.At = func(p postgres.Point) {
		if !armed.Load() || p != postgres.BeforeCommit {
			return
		}
		switch rand.IntN(12) {
		case 0:
			lost.Add(1)
			proxy.cut()
		case 1, 2:
			if proxy.deaf.CompareAndSwap(false, true) {
				answers.Add(1)
				time.AfterFunc(3*time.Millisecond, func() { proxy.deaf.Store(false) })
			}
		}
	}
	s, err := postgres.Open(t.Context(), address, opt)
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0].ID
	armed.Store(true)
	var wg sync.WaitGroup
	const writers, each = 6, 40
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := acceptAndSettle(s, h, fmt.Sprint(w, "-", i), i%3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	armed.Store(false)
	proxy.deaf.Store(false)
	t.Logf("%d connections were cut before a commit, %d answers were lost", lost.Load(), answers.Load())
	head := must(s.Head(context.Background()))(t)
	equal(t, "events", head, 2*writers*each)
	equal(t, "published", int64(len(published)), head)
	for i, sequence := range published {
		equal(t, "in order", sequence, int64(i+1))
	}
	runs := must(s.Runs(context.Background(), store.RunQuery{Limit: 10_000}))(t)
	equal(t, "runs", len(runs), writers*each)
	for _, r := range runs {
		equal(t, "state", r.State, store.Succeeded)
		equal(t, "attempt", r.Attempt, 1)
	}
	users := must(s.CountUsers(context.Background()))(t)
	equal(t, "users", users, writers*13)
}

// A connection is cut before a message that commits is sent, and then the answer to the transaction that finds that out is lost: what asks again does not
// take that transaction for the one in doubt.
func TestWhatWasNotCommittedIsKnownWhenThatAnswerIsLostAsWell(t *testing.T) {
	proxy, address := newCutter(t, postgrestest.Database(t))
	var armed atomic.Bool
	s, err := postgres.Open(t.Context(), address, postgres.Options{At: func(p postgres.Point) {
		if p == postgres.BeforeCommit && armed.CompareAndSwap(true, false) {
			proxy.forgot.Store(true)
			proxy.cut()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0].ID
	for i := range 6 {
		armed.Store(i > 0) // the first one prepares the statements
		if err := acceptAndSettle(s, h, fmt.Sprint(i), i%3); err != nil {
			t.Fatal(err)
		}
		equal(t, "a COMMIT was not answered", proxy.forgot.Load(), false)
	}
	equal(t, "events", must(s.Head(t.Context()))(t), 12)
}

// acceptAndSettle appends an event and settles its run in one of three ways, with an event that it emits.
func acceptAndSettle(s store.Store, h store.HandlerID, id string, way int) error {
	ctx := context.Background()
	e := steps.Event("a", id)
	receipts, err := s.Append(ctx, []*events.Event{e})
	if err != nil || receipts[0].Duplicate {
		return fmt.Errorf("append %s: %v, %w", id, receipts, err)
	}
	child := steps.Event("b", id+"-child")
	child.Chain, child.Cause = e.Sequence, e.Sequence
	x := store.Settlement{Event: e, Handler: h, Attempt: 1, Started: steps.At, Outcome: store.Outcome{State: store.Succeeded, Emit: []*events.Event{child}}}
	switch way {
	case 1:
		started, err := s.Start(ctx, []store.Claim{{Handler: h, Sequence: e.Sequence, Attempt: 1, At: steps.At}})
		if err != nil || !started[0] {
			return fmt.Errorf("claim %s: %v, %w", id, started, err)
		}
		x.Claimed = true
	case 2:
		out := x.Outcome
		x.Outcome = store.Outcome{}
		x.Insert = &store.UserInsert{User: store.User{Name: id, Email: id + "@example.com", EventID: e.ID}, Then: func(_ store.User, err error) store.Outcome {
			if err != nil {
				return store.Outcome{State: store.Dead, Error: err.Error()}
			}
			return out
		}}
	}
	settled, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{x}})
	if err != nil || settled[0].Fenced || settled[0].State != store.Succeeded {
		return fmt.Errorf("settle %s: %+v, %w", id, settled, err)
	}
	return nil
}

// The server is killed and comes back, in the middle of writes: they wait for it, or say that nothing was written.
func TestWritesWaitForAServerThatRestarts(t *testing.T) {
	postgrestest.Bin(t)
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	server.Exec(t, "postgres", "CREATE DATABASE one")
	var published atomic.Int64
	s, err := postgres.Open(t.Context(), server.DSN("one"), postgres.Options{Options: store.Options{OnCommit: func(c store.Commit) {
		published.Add(int64(len(c.Events)))
	}}})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	h := must(s.Register(t.Context(), []store.Registration{{Name: "h", On: onAll}}, nil))(t)[0].ID
	var wg sync.WaitGroup
	var done atomic.Int64
	restarted := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-restarted:
					if i%4 == 0 {
						return
					}
				default:
				}
				if err := acceptAndSettle(s, h, fmt.Sprint(w, "-", i), i%3); err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	for range 3 {
		before := done.Load()
		for done.Load() < before+20 && !t.Failed() {
			time.Sleep(time.Millisecond) // the writers are at it
		}
		if err := server.Restart(true); err != nil {
			t.Error(err)
		}
	}
	close(restarted)
	wg.Wait()
	head := must(s.Head(context.Background()))(t)
	equal(t, "events", head, 2*done.Load())
	equal(t, "published", published.Load(), head)
	t.Logf("%d events", head)
}

// While a server stays away, a write whose commit was sent waits until it is known what became of it. Others fail in a few seconds: nothing was written.
// Errors name the host, and no password.
func TestWritesToAServerThatStaysAwayAreBusy(t *testing.T) {
	proxy, address := newCutter(t, postgrestest.Database(t))
	s, err := postgres.Open(t.Context(), strings.Replace(address, "postgres@", "postgres:s3cret@", 1), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	must(s.Append(t.Context(), []*events.Event{steps.Event("a", "before")}))(t)
	proxy.away.Store(true)
	proxy.cut()
	first := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), []*events.Event{steps.Event("a", "first")})
		first <- err
	}()
	var wg sync.WaitGroup
	for what, write := range map[string]func(ctx context.Context) error{
		"an append": func(ctx context.Context) error {
			_, err := s.Append(ctx, []*events.Event{steps.Event("a", "second")})
			return err
		},
		"a settlement": func(ctx context.Context) error {
			_, err := s.Settle(ctx, store.SettleBatch{Settlements: []store.Settlement{steps.Outside(steps.Event("a", "x"), 1, 1, store.Dead)}})
			return err
		},
		"a change": func(ctx context.Context) error { return s.KeepOutputs(ctx, nil) },
		"a ping":   s.Ping,
	} {
		wg.Go(func() {
			time.Sleep(50 * time.Millisecond) // the first one is on its way
			began := time.Now()
			err := write(context.Background())
			if took := time.Since(began); !errors.Is(err, store.ErrBusy) || took > 15*time.Second {
				t.Errorf("%s: %v after %v", what, err, took)
			}
			if text := fmt.Sprint(err); strings.Contains(text, "s3cret") || what == "a change" && !strings.Contains(text, "127.0.0.1") {
				t.Errorf("the error of %s is %s", what, text)
			}
		})
	}
	wg.Wait()
	proxy.away.Store(false)
	if err := <-first; err != nil && !errors.Is(err, store.ErrBusy) {
		t.Error(err)
	} else {
		sequence, events := int64(2), must(s.Events(t.Context(), store.EventQuery{}))(t)
		if err != nil {
			sequence = 1
		}
		equal(t, "events", int64(len(events)), sequence)
	}
}
