package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"evrun/cmd/api"
	"evrun/cmd/api/apitest"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is a store whose appends can be made to fail.
type faulty struct {
	store.Store
	fault   atomic.Pointer[error]
	appends atomic.Int64 // so many go well before the fault
}

func (f *faulty) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	if err := f.fault.Load(); err != nil && f.appends.Add(-1) < 0 {
		return nil, fmt.Errorf("write: %w", *err)
	}
	return f.Store.Append(ctx, evs)
}

// daemon is a server on a unix socket, over a real store, and its client.
type daemon struct {
	*Client
	store  *faulty
	server *api.Server
	close  func() // closes the server
}

// serve starts a daemon; it ends with the test.
func serve(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{}
	parts := taskstest.Start(t, taskstest.Options{Tune: func(s store.Store, o *tasks.Options) {
		d.store = &faulty{Store: s}
		o.Store, o.Emitter = d.store, emitter.New(d.store, 1000)
	}})
	d.server = api.NewServer(api.Options{Store: d.store, Emitter: parts.Emitter, Handlers: parts.Runner, Log: slog.New(slog.DiscardHandler), MaxData: 1000,
		Daemon: &api.Daemon{Runner: parts.Runner, Bus: parts.Bus, Commits: parts.Commits}})
	socket, closed := apitest.Serve(t, d.server)
	d.close = closed
	d.Client = New(socket)
	t.Cleanup(func() {
		d.CloseIdleConnections()
		d.server.Drain()
		_ = parts.StopRunner()
		d.close()
		_ = parts.Stop()
	})
	return d
}

// dying is a handler that fails for good.
func dying(name string) *tasks.Handler {
	return &tasks.Handler{Name: name, On: []events.Pattern{events.MustPattern("a.b")}, Action: dies{}}
}

type dies struct{}

func (dies) Do(context.Context, *tasks.Delivery) (any, error) {
	return nil, tasks.Permanent(errors.New("broken"))
}

// listen makes a daemon that reads the head of one request and a little more, answers, and ends.
func listen(t *testing.T, answer func(io.Writer)) *Client {
	t.Helper()
	l, socket := apitest.Listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 64<<10)); err != nil {
			t.Error(err)
		}
		answer(c)
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return New(socket)
}
